import { nodeSystem } from "@posthorn/core";
import { createPool, type Pool } from "mysql2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase, mariadbServer } from "../../../../test/servers.ts";
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
