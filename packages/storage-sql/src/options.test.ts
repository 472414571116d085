import { createPool } from "mysql2/promise";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { mysqlStorage } from "./mysql.ts";
import { postgresStorage } from "./postgres.ts";
import { sqliteStorage } from "./sqlite.ts";

const pool = new pg.Pool();
const mysqlPool = createPool({});
afterAll(() => Promise.all([pool.end(), mysqlPool.end()]));

describe("an option that a storage does not have", () => {
  it.each<[string, () => unknown, string]>([
    [
      "mistyped",
      () => postgresStorage({ pool, shema: "x" } as never),
      'postgresStorage has no option "shema". Its options are pool, schema, prepare, system.',
    ],
    [
      "of SQLite, given to PostgreSQL",
      () => postgresStorage({ pool, prefix: "x_" } as never),
      'postgresStorage has no option "prefix". Its options are pool, schema, prepare, system.',
    ],
    [
      "of PostgreSQL, given to MySQL",
      () => mysqlStorage({ pool: mysqlPool, schema: "x" } as never),
      'mysqlStorage has no option "schema". Its options are pool, prefix, system.',
    ],
    [
      "of another library",
      () => sqliteStorage({ filename: "app.db" } as never),
      'sqliteStorage has no option "filename". Its options are file, connection, prefix, synchronous, system.',
    ],
  ])("%s, is refused by its name, with those that there are", (_, open, message) => {
    expect(open).toThrow(expect.objectContaining({ code: "invalid_options", message }));
  });

  it.each([
    ["postgresStorage", postgresStorage],
    ["mysqlStorage", mysqlStorage],
    ["sqliteStorage", sqliteStorage],
  ])("is missed where %s is given none at all, or a text", (name, open) => {
    for (const given of [undefined, null, "app.db"]) {
      expect(() => open(given as never)).toThrow(
        expect.objectContaining({
          code: "invalid_options",
          message: expect.stringContaining(`${name} takes an object with its options: `),
        }),
      );
    }
  });

  it("may be undefined", () => {
    expect(() => postgresStorage({ pool, prefix: undefined } as never)).not.toThrow();
  });
});

describe("SQLite", () => {
  it.each([":memory:", ""])("is not opened in %j, which no transaction of a host is in", (file) => {
    expect(() => sqliteStorage({ file })).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringContaining("memoryStorage()"),
      }),
    );
  });

  it("names the file that cannot be opened", () => {
    expect(() => sqliteStorage({ file: "/no/such/folder/app.db" })).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message:
          'The SQLite file "/no/such/folder/app.db" cannot be opened: unable to open database file. A file that is missing is made, its folder is not: check the path, and the rights to both.',
      }),
    );
  });

  it("does not take for `synchronous` what it would not keep", () => {
    expect(() => sqliteStorage({ file: "app.db", synchronous: "off" as never })).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: '`synchronous` is "off". It must be "full" or "normal".',
      }),
    );
  });
});
