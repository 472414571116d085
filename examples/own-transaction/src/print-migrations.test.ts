import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { mysqlStorage } from "@posthorn/storage-sql/mysql";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { type SqlStorage, sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import { createBus } from "./bus.ts";
import { printMigrations } from "./print-migrations.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "print-migrations-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Another tool applies what is printed; then nothing is left to do, and a bus works. */
async function isAppliedByAnotherTool<Name extends "sqlite" | "postgres" | "mysql">(
  storage: SqlStorage<Name>,
  apply: (sql: string) => unknown,
): Promise<void> {
  const file = await printMigrations(storage, folder);
  await apply(await readFile(file ?? "", "utf8"));
  expect(await printMigrations(storage, folder)).toBeNull();
  expect(await storage.migrate()).toEqual({ versions: [], sql: "" });
  const heard: string[] = [];
  const bus = await createBus(storage, (text) => heard.push(text));
  await bus.publish("project_created", { name: "web" }, { organization: "acme" });
  await bus.drain();
  expect(heard).toHaveLength(1);
  await bus.stop();
  await storage.close();
}

describe("printed migrations are all that another tool needs", () => {
  it("on SQLite", async () => {
    const file = join(folder, "app.db");
    const db = new DatabaseSync(file);
    await isAppliedByAnotherTool(sqliteStorage({ file }), (sql) => db.exec(sql));
    db.close();
  });

  it("on PostgreSQL", async () => {
    const { url, drop } = await freshDatabase(postgresServer());
    const pool = new pg.Pool({ connectionString: url });
    await isAppliedByAnotherTool(postgresStorage({ pool }), (sql) => pool.query(sql));
    await pool.end();
    await drop();
  });

  const mariadb = mariadbServer();
  it.skipIf(mariadb === null)("on MariaDB", async () => {
    const { url, drop } = await freshDatabase(mariadb ?? "");
    const pool = createPool({ uri: url, multipleStatements: true });
    await isAppliedByAnotherTool(mysqlStorage({ pool }), (sql) => pool.query(sql));
    await pool.end();
    await drop();
  });
});
