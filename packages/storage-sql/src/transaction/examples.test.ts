import "reflect-metadata";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { PGlite } from "@electric-sql/pglite";
import { MikroORM, EntitySchema as MikroSchema } from "@mikro-orm/postgresql";
import { createEventBus, defineCatalog } from "@posthorn/core";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, text } from "drizzle-orm/pg-core";
import makeKnex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import { createPool } from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { DataSource, EntitySchema } from "typeorm";
import { describe, expect, it } from "vitest";
import { type HostDatabase, hostDatabases, nodeSqliteHost, pgliteHost } from "../../test/host.ts";
import type { DialectName } from "../dialect.ts";
import { mysqlStorage } from "../mysql.ts";
import { postgresStorage } from "../postgres.ts";
import { sqliteStorage } from "../sqlite.ts";
import type { SqlStorage } from "../storage.ts";
import {
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  mikroOrmTransaction,
  mysqlTransaction,
  pgliteTransaction,
  pgTransaction,
  postgresJsTransaction,
  sqliteTransaction,
  typeormTransaction,
} from "../transaction.ts";

const organization = "acme";
const catalog = defineCatalog({
  project_created: {
    schema: {
      "~standard": {
        version: 1,
        vendor: "tests",
        validate: (value: unknown) => ({ value: value as { name: string } }),
      },
    },
  },
});

/** Runs what the doc comment of a file shows, and looks whether it published. */
async function runs<Name extends DialectName>(
  storage: SqlStorage<Name>,
  example: (bus: ReturnType<typeof busOn<Name>>) => unknown,
): Promise<void> {
  await storage.migrate();
  const bus = busOn(storage);
  await example(bus);
  const { items } = await bus.events.list({ organization });
  expect(items.map(({ data }) => data)).toEqual([{ name: "web" }]);
  await storage.close();
}

const busOn = <Name extends DialectName>(storage: SqlStorage<Name>) =>
  createEventBus({ catalog, storage, handlers: [] });

/** On a host's database with a table of projects. */
async function onHost(
  open: (() => Promise<HostDatabase>) | null,
  create: (host: HostDatabase) => Promise<unknown>,
  run: (host: HostDatabase) => Promise<void>,
): Promise<void> {
  const host = await (open as () => Promise<HostDatabase>)();
  try {
    await create(host);
    await run(host);
  } finally {
    await host.drop();
  }
}

const onPostgres = (run: (url: string, pool: pg.Pool) => Promise<void>): Promise<void> =>
  onHost(
    hostDatabases.postgres,
    async () => {},
    async ({ url }) => {
      const pool = new pg.Pool({ connectionString: url });
      await pool.query("create table projects (name text primary key)");
      await run(url, pool);
      expect((await pool.query("select name from projects")).rows).toEqual([{ name: "web" }]);
      await pool.end();
    },
  );

describe("what the doc comments show works", () => {
  it("pg", () =>
    onPostgres((_, pool) =>
      runs(postgresStorage({ pool }), async (bus) => {
        const client = await pool.connect();
        try {
          await client.query("begin");
          await client.query("insert into projects (name) values ($1)", ["web"]);
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: pgTransaction(client) },
          );
          await client.query("commit");
        } catch (error) {
          await client.query("rollback");
          throw error;
        } finally {
          client.release();
        }
      }),
    ));

  it("postgres-js", () =>
    onPostgres(async (url, pool) => {
      const sql = postgres(url);
      await runs(postgresStorage({ pool }), async (bus) => {
        await sql.begin(async (sql) => {
          await sql`insert into projects (name) values (${"web"})`;
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: postgresJsTransaction(sql) },
          );
        });
      });
      await sql.end();
    }));

  it("kysely", () =>
    onPostgres(async (url, pool) => {
      const db = new Kysely<{ projects: { name: string } }>({
        dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
      });
      await runs(postgresStorage({ pool }), async (bus) => {
        await db.transaction().execute(async (trx) => {
          await trx.insertInto("projects").values({ name: "web" }).execute();
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: kyselyTransaction(trx) },
          );
        });
      });
      await db.destroy();
    }));

  it("drizzle", () =>
    onPostgres(async (_, pool) => {
      const projects = pgTable("projects", { name: text() });
      const db = drizzle(pool);
      await runs(postgresStorage({ pool }), async (bus) => {
        await db.transaction(async (tx) => {
          await tx.insert(projects).values({ name: "web" });
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: drizzleTransaction(tx) },
          );
        });
      });
    }));

  it("knex", () =>
    onPostgres(async (url, pool) => {
      const knex = makeKnex({ client: "pg", connection: url });
      await runs(postgresStorage({ pool }), async (bus) => {
        await knex.transaction(async (trx) => {
          await trx("projects").insert({ name: "web" });
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: knexTransaction(trx) },
          );
        });
      });
      await knex.destroy();
    }));

  it("typeorm", () =>
    onPostgres(async (url, pool) => {
      const Project = new EntitySchema<{ name: string }>({
        name: "projects",
        columns: { name: { type: String, primary: true } },
      });
      const dataSource = await new DataSource({
        type: "postgres",
        url,
        entities: [Project],
      }).initialize();
      await runs(postgresStorage({ pool }), async (bus) => {
        await dataSource.transaction(async (manager) => {
          await manager.insert(Project, { name: "web" });
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: typeormTransaction(manager) },
          );
        });
      });
      await dataSource.destroy();
    }));

  it("mikro-orm", () =>
    onPostgres(async (url, pool) => {
      const Project = new MikroSchema<{ name: string }>({
        name: "projects",
        properties: { name: { type: "text", primary: true } },
      });
      const orm = await MikroORM.init({ clientUrl: url, entities: [Project] });
      const em = orm.em.fork();
      await runs(postgresStorage({ pool }), async (bus) => {
        await em.transactional(async (em) => {
          em.create(Project, { name: "web" });
          await bus.publish(
            "project_created",
            { name: "web" },
            { organization, tx: mikroOrmTransaction(em) },
          );
        });
      });
      await orm.close();
    }));

  it("pglite", { timeout: 60_000 }, () =>
    onHost(
      pgliteHost,
      async ({ pglite }) => pglite?.exec("create table projects (name text)"),
      ({ pglite }) => {
        const db = pglite as PGlite;
        return runs(postgresStorage({ pool: db }), async (bus) => {
          await db.transaction(async (tx) => {
            await tx.query("insert into projects (name) values ($1)", ["web"]);
            await bus.publish(
              "project_created",
              { name: "web" },
              { organization, tx: pgliteTransaction(tx) },
            );
          });
        });
      },
    ),
  );

  it("sqlite", () =>
    onHost(
      nodeSqliteHost,
      async () => {},
      async ({ url }) => {
        const db = new DatabaseSync(url);
        db.exec("create table projects (name text)");
        await runs(sqliteStorage({ file: url }), (bus) => {
          db.exec("begin immediate");
          try {
            db.prepare("insert into projects (name) values (?)").run("web");
            bus.publishSync(
              "project_created",
              { name: "web" },
              { organization, tx: sqliteTransaction(db) },
            );
            db.exec("commit");
          } catch (error) {
            db.exec("rollback");
            throw error;
          }
        });
        db.close();
      },
    ));

  // Which server is missing, and how to have one, is told at the end of the run.
  it.skipIf(hostDatabases.mysql === null)("mysql", () =>
    onHost(
      hostDatabases.mysql,
      async () => {},
      async ({ url }) => {
        const pool = createPool(url);
        await pool.query("create table projects (name text)");
        await runs(mysqlStorage({ pool }), async (bus) => {
          const connection = await pool.getConnection();
          try {
            await connection.beginTransaction();
            await connection.execute("insert into projects (name) values (?)", ["web"]);
            await bus.publish(
              "project_created",
              { name: "web" },
              { organization, tx: mysqlTransaction(connection) },
            );
            await connection.commit();
          } catch (error) {
            await connection.rollback();
            throw error;
          } finally {
            connection.release();
          }
        });
        await pool.end();
      },
    ),
  );
});

describe("what the doc comments show is what is run here", () => {
  const here = squeezed(readFileSync(import.meta.filename, "utf8"));
  it.each([
    "pg",
    "postgres-js",
    "kysely",
    "drizzle",
    "knex",
    "typeorm",
    "mikro-orm",
    "pglite",
    "sqlite",
    "mysql",
  ])("%s", (name) => {
    const source = readFileSync(join(import.meta.dirname, `${name}.ts`), "utf8");
    const [, example] = /@example\n \* ```ts\n([\s\S]*?)\n \* ```/.exec(source) ?? [];
    expect(example).toBeDefined();
    expect(here).toContain(squeezed((example as string).replaceAll(/^ \* ?/gm, "")));
  });
});

/** Without what a formatter may change. */
function squeezed(code: string): string {
  return code.replaceAll(/\s+/g, "").replaceAll(/,(?=[)\]}])/g, "");
}
