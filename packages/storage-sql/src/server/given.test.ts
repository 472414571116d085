import { nodeSystem } from "@posthorn/core";
import knex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import mysqlCallback from "mysql2";
import { createPool, type Pool } from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { afterAll, describe, expect, it } from "vitest";
import type { Dialect } from "../dialect.ts";
import { mysqlDatabase } from "./mysql.ts";
import { postgresDatabase } from "./postgres.ts";

const system = nodeSystem();
const dialect = {} as Dialect;
/** Nobody listens there, and nobody asks: connections are made when something is said. */
const url = "://posthorn:s3cret@127.0.0.1:1/nowhere";

const pool = new pg.Pool({ connectionString: `postgres${url}` });
const mysqlPool: Pool = createPool(`mysql${url}`);
const mysqlCallbackPool = mysqlCallback.createPool(`mysql${url}`);

afterAll(async () => {
  await Promise.all([pool.end(), mysqlPool.end(), mysqlCallbackPool.promise().end()]);
});

describe("what is given as PostgreSQL", () => {
  const give = (given: unknown) => () => postgresDatabase(given as never, dialect, { system });

  it("is a pool of pg, or what postgres() answered", () => {
    expect(give(pool)).not.toThrow();
    expect(give(postgres(`postgres${url}`))).not.toThrow();
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a string", `postgres${url}`],
    ["a pg client", new pg.Client(`postgres${url}`)],
    ["a Kysely instance", new Kysely({ dialect: new PostgresDialect({ pool }) })],
    ["a Knex instance", knex({ client: "pg" })],
    ["a mysql2 pool", mysqlPool],
    ["a promise", Promise.resolve(pool)],
    ["a Map", new Map()],
    ["an object of an unknown kind", { connectionString: `postgres${url}` }],
    ["an object of an unknown kind", Object.create(null)],
  ])("is not %s", (what, given) => {
    expect(give(given)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: `Posthorn cannot work with ${what}. Pass a Pool of pg, the sql that postgres() of postgres-js answered, or a PGlite.`,
      }),
    );
  });

  it("does not change the names or values of what it reads", () => {
    expect(give(postgres(`postgres${url}`, { transform: postgres.camel }))).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringContaining("(its option `transform`)"),
      }),
    );
    expect(give(postgres(`postgres${url}`, { transform: { undefined: null } }))).not.toThrow();
  });
});

describe("what is given as MySQL", () => {
  const give = (given: unknown) => () => mysqlDatabase(given as never, dialect, { system });

  it("is a pool of mysql2/promise, or of mysql2", () => {
    expect(give(mysqlPool)).not.toThrow();
    expect(() => mysqlDatabase(mysqlCallbackPool, dialect, { system })).not.toThrow();
  });

  it.each<[string, unknown]>([
    ["a string", `mysql${url}`],
    ["a pg Pool", pool],
    ["an object of an unknown kind", { uri: `mysql${url}` }],
    [
      "a pool of the mariadb package",
      { getConnection: () => {}, query: () => {}, execute: () => {}, batch: () => {} },
    ],
  ])("is not %s", (what, given) => {
    expect(give(given)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: `Posthorn cannot work with ${what}. Pass what createPool() of mysql2 or mysql2/promise answered.`,
      }),
    );
  });
});
