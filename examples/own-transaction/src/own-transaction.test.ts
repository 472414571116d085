import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
import { MikroORM } from "@mikro-orm/postgresql";
import type { Storage } from "@posthorn/core";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import type { SqlTransaction } from "@posthorn/storage-sql/transaction";
import Better from "better-sqlite3";
import * as drizzleOrm from "drizzle-orm/better-sqlite3";
import { drizzle } from "drizzle-orm/node-postgres";
import makeKnex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import type { Pool as MysqlPool } from "mysql2/promise";
import type { Pool as PgPool } from "pg";
import postgres from "postgres";
import { DataSource } from "typeorm";
import { describe, expect, it } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import { type Bus, createBus } from "./bus.ts";
import * as betterSqlite3 from "./libraries/better-sqlite3.ts";
import * as drizzleOnPostgres from "./libraries/drizzle.ts";
import * as drizzleOnSqlite from "./libraries/drizzle-sqlite.ts";
import * as knex from "./libraries/knex.ts";
import * as kysely from "./libraries/kysely.ts";
import * as mikroOrm from "./libraries/mikro-orm.ts";
import * as mysql2 from "./libraries/mysql2.ts";
import * as nodeSqlite from "./libraries/node-sqlite.ts";
import * as pg from "./libraries/pg.ts";
import * as pglite from "./libraries/pglite.ts";
import * as postgresJs from "./libraries/postgres-js.ts";
import * as typeorm from "./libraries/typeorm.ts";
import { onBetterSqlite3, onMysql, onPostgres, onSqlite } from "./storages.ts";

const TABLE = "create table projects (name varchar(99) primary key)";

/** The same project, created twice: the second time its name is taken, after it was published. */
async function commitsThenRollsBack<Database extends "sqlite" | "postgres" | "mysql">(
  storage: Storage<SqlTransaction<Database>>,
  createProject: (bus: Bus<Database>, name: string) => unknown,
): Promise<void> {
  const heard: string[] = [];
  const bus = await createBus(storage, (text) => heard.push(text));
  const create = async (): Promise<unknown> => createProject(bus, "web");
  await create();
  await bus.drain();
  await expect(create()).rejects.toThrow();
  await bus.drain();
  expect(heard).toEqual(['project_created: {"name":"web"}']);
  expect((await bus.events.list({ organization: "acme" })).items).toHaveLength(1);
  await bus.stop();
  await storage.close();
}

describe("a commit is delivered and a rollback is silent, on SQLite with", () => {
  async function onFile(work: (file: string) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "own-transaction-"));
    await work(join(folder, "app.db"));
    await rm(folder, { recursive: true });
  }

  it("node:sqlite", () =>
    onFile(async (file) => {
      const db = new DatabaseSync(file);
      db.exec(TABLE);
      await commitsThenRollsBack(await onSqlite(file), (bus, name) =>
        nodeSqlite.createProject(db, bus, name),
      );
      db.close();
    }));

  it.each(["better-sqlite3", "Drizzle"])("%s", (library) =>
    onFile(async (file) => {
      const db = new Better(file);
      db.exec(TABLE);
      const onDrizzle = drizzleOrm.drizzle(db);
      const { connection, storage } = await onBetterSqlite3(file);
      await commitsThenRollsBack(storage, (bus, name) =>
        library === "Drizzle"
          ? drizzleOnSqlite.createProject(onDrizzle, bus, name)
          : betterSqlite3.createProject(db, bus, name),
      );
      connection.close();
      db.close();
    }),
  );
});

/** What creates a project, on a database's pool or its URL. */
type Create<Database extends "postgres" | "mysql", Pool> = (
  host: { readonly pool: Pool; readonly url: string },
  bus: Bus<Database>,
  name: string,
) => Promise<void>;

describe("a commit is delivered and a rollback is silent, on PostgreSQL with", () => {
  const libraries: Readonly<Record<string, Create<"postgres", PgPool>>> = {
    pg: ({ pool }, bus, name) => pg.createProject(pool, bus, name),
    "postgres.js": async ({ url }, bus, name) => {
      const sql = postgres(url);
      await postgresJs.createProject(sql, bus, name).finally(() => sql.end());
    },
    Kysely: ({ pool }, bus, name) =>
      kysely.createProject(new Kysely({ dialect: new PostgresDialect({ pool }) }), bus, name),
    Drizzle: ({ pool }, bus, name) => drizzleOnPostgres.createProject(drizzle(pool), bus, name),
    TypeORM: async ({ url }, bus, name) => {
      const dataSource = new DataSource({ type: "postgres", url, entities: [typeorm.Project] });
      await dataSource.initialize();
      await typeorm.createProject(dataSource, bus, name).finally(() => dataSource.destroy());
    },
    MikroORM: async ({ url }, bus, name) => {
      const orm = await MikroORM.init({ clientUrl: url, entities: [mikroOrm.Project] });
      await mikroOrm.createProject(orm.em.fork(), bus, name).finally(() => orm.close());
    },
  };

  it.each(Object.entries(libraries))("%s", async (_, create) => {
    const { url, drop } = await freshDatabase(postgresServer());
    const { pool, storage } = await onPostgres(url);
    await pool.query(TABLE);
    await commitsThenRollsBack(storage, (bus, name) => create({ pool, url }, bus, name));
    await pool.end();
    await drop();
  });

  it("PGlite", { timeout: 60_000 }, async () => {
    const db = new PGlite();
    await db.query(TABLE);
    const storage = postgresStorage({ pool: db });
    await storage.migrate();
    await commitsThenRollsBack(storage, (bus, name) => pglite.createProject(db, bus, name));
    await db.close();
  });
});

const mariadb = mariadbServer();
describe.skipIf(mariadb === null)(
  "a commit is delivered and a rollback is silent, on MariaDB with",
  () => {
    const libraries: Readonly<Record<string, Create<"mysql", MysqlPool>>> = {
      mysql2: ({ pool }, bus, name) => mysql2.createProject(pool, bus, name),
      Knex: async ({ url }, bus, name) => {
        const db = makeKnex({ client: "mysql2", connection: url });
        await knex.createProject(db, bus, name).finally(() => db.destroy());
      },
    };

    it.each(Object.entries(libraries))("%s", async (_, create) => {
      const { url, drop } = await freshDatabase(mariadb ?? "");
      const { pool, storage } = await onMysql(url);
      await pool.query(TABLE);
      await commitsThenRollsBack(storage, (bus, name) => create({ pool, url }, bus, name));
      await pool.end();
      await drop();
    });
  },
);
