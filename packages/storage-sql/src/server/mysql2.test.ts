import { nodeSystem } from "@posthorn/core";
import { createPool, type Pool } from "mysql2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase, mariadbServer } from "../../../../test/servers.ts";
import { dialects } from "../../test/host.ts";
import type { Database } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import { rowsOf } from "../script.ts";
import { mysqlDatabase } from "./mysql.ts";

const server = mariadbServer();

describe.skipIf(server === null)("a pool of mysql2, with callbacks and options of its own", () => {
  let fresh: FreshDatabase;
  let pool: Pool;
  let database: Database;

  beforeAll(async () => {
    fresh = await freshDatabase(server ?? "");
    pool = createPool({
      uri: fresh.url,
      connectionLimit: 1,
      rowsAsArray: true,
      nestTables: true,
      namedPlaceholders: true,
    });
    database = mysqlDatabase(pool, {} as Dialect, { system: nodeSystem() });
  });
  afterAll(async () => {
    await pool.promise().end();
    await fresh.drop();
  });

  it("answers rows as the tables have them", async () => {
    const rows = [{ word: ":one", number: 2 }];
    const plays = [
      () => rowsOf("select ':one' as word, 2 as number"),
      () => rowsOf("select ? as word, cast(? as int) as number", ":one", 2),
    ];
    for (const play of plays) {
      expect(await database.query(play)).toEqual(rows);
      expect(await database.transact(play)).toEqual(rows);
    }
  });

  it("gets its sessions back as it had them, autocommit too", async () => {
    await pool.promise().query("set autocommit = 0, idle_transaction_timeout = 77");
    await database.transact(() => rowsOf("select 1 as one"));
    const settings = "select @@autocommit as autocommit, @@idle_transaction_timeout as idle";
    expect(await database.query(() => rowsOf(settings))).toEqual([{ autocommit: 0, idle: 77 }]);
  });
});

describe.skipIf(server === null)("a pool of mysql2 whose sessions are set up by the host", () => {
  let fresh: FreshDatabase;
  beforeAll(async () => {
    fresh = await freshDatabase(server ?? "");
  });
  afterAll(() => fresh.drop());

  /** Two connections, each of which begins with a statement of the host's. */
  function opened(statement: string): { pool: Pool; database: Database } {
    const pool = createPool({ uri: fresh.url, connectionLimit: 2 });
    pool.on("connection", (connection) => connection.query(statement));
    return { pool, database: mysqlDatabase(pool, {} as Dialect, { system: nodeSystem() }) };
  }

  it("without autocommit: queries see what is committed since, and their writes are", async () => {
    const { pool, database } = opened("set autocommit = 0");
    const others = createPool({ uri: fresh.url }).promise();
    await others.query("create table words (word varchar(20))");
    const words = () => rowsOf("select word from words where word <> ?", "");
    expect(await database.query(words)).toEqual([]);
    await others.query("insert into words values ('later')");
    expect(await database.query(words)).toEqual([{ word: "later" }]);
    await database.query(() => rowsOf("insert into words values ('ours')"));
    expect((await others.query("select count(*) as counted from words"))[0]).toEqual([
      { counted: 2 },
    ]);
    expect(await database.transact(words)).toHaveLength(2);
    await Promise.all([pool.promise().end(), others.end()]);
  });

  it("in a time zone of their own: the storage's clock does not go by it", async () => {
    const instant = 1_793_511_000;
    const { pool, database } = opened(`set time_zone = '-04:00', timestamp = ${instant}`);
    const clock = () => rowsOf(dialects.mysql.clock ?? "");
    expect(await database.query(clock)).toEqual([{ now: instant * 1_000 }]);
    await pool.promise().end();
  });

  it.each(["set names latin1", "set names utf8mb3", "set character_set_results = ascii"])(
    "with %s: refused, since characters would be lost",
    async (statement) => {
      const { pool, database } = opened(statement);
      for (const verb of ["query", "transact"] as const) {
        await expect(database[verb](() => rowsOf("select 1 as one"))).rejects.toMatchObject({
          code: "invalid_options",
          message: expect.stringContaining('charset: "utf8mb4"'),
        });
      }
      await pool.promise().end();
    },
  );
});
