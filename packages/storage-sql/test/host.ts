import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
import BetterSqlite3 from "better-sqlite3";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import type { Dialect, DialectName } from "../src/dialect.ts";
import { mysqlDialect } from "../src/dialects/mysql.ts";
import { postgresDialect } from "../src/dialects/postgres.ts";
import { sqliteDialect } from "../src/dialects/sqlite.ts";
import type { Row } from "../src/script.ts";
import type { SqliteConnection } from "../src/sqlite.ts";

/** A host's database: empty but for a table `notes`. */
export interface HostDatabase {
  readonly url: string;
  /** The database itself, if it is one in this process. */
  readonly pglite?: PGlite;
  /** Another connection to a file, by the library that made it. */
  readonly openSqlite?: () => SqliteConnection;
  /** The notes that are committed, as another connection sees them. */
  notes(): Promise<readonly Row[]>;
  drop(): Promise<void>;
}

/** Null if there is no server for it; which one is told elsewhere. */
export const hostDatabases: {
  readonly [name in DialectName]: (() => Promise<HostDatabase>) | null;
} = {
  postgres: postgresHost,
  mysql: mariadbServer() === null ? null : mysqlHost,
  sqlite: sqliteHost((path) => new BetterSqlite3(path)),
};

const NOTES: { readonly [name in DialectName]: string } = {
  postgres: "create table notes (id text primary key, body text, amount bigint)",
  mysql: "create table notes (id varbinary(100) primary key, body longtext, amount bigint)",
  sqlite: "create table notes (id text primary key, body text, amount integer)",
};

const everyNote = "select * from notes order by id";

/** The parts of statements, as Posthorn makes them for a database. */
export const dialects: { readonly [name in DialectName]: Dialect } = {
  postgres: postgresDialect((name) => `public.${name}`),
  mysql: mysqlDialect(
    (name) => name,
    (name, suffix) => `${name}_${suffix}`,
  ),
  sqlite: sqliteDialect(
    (name) => name,
    (name, suffix) => `${name}_${suffix}`,
  ),
};

async function postgresHost(): Promise<HostDatabase> {
  const { url, drop } = await freshDatabase(postgresServer());
  const client = new pg.Client(url);
  client.on("error", () => {});
  await client.connect();
  await client.query(NOTES.postgres);
  return {
    url,
    notes: async () => (await client.query(everyNote)).rows,
    drop: async () => {
      for (let looks = 0; looks < 1_000; looks += 1) {
        if ((await client.query(OTHERS)).rowCount === 0) break;
      }
      await client.end();
      await drop();
    },
  };
}

/** Pools that have ended still say goodbye, and take it ill if their connections are cut. */
const OTHERS =
  "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";

async function mysqlHost(): Promise<HostDatabase> {
  const { url, drop } = await freshDatabase(mariadbServer() as string);
  const connection = await createConnection(url);
  await connection.query(NOTES.mysql);
  return {
    url,
    notes: async () => {
      const [rows] = await connection.query(everyNote);
      return rows as Row[];
    },
    drop: async () => {
      await connection.end();
      await drop();
    },
  };
}

function sqliteHost(open: (path: string) => SqliteConnection): () => Promise<HostDatabase> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "posthorn-host-"));
    const url = join(folder, "host.db");
    const db = open(url);
    db.exec(`pragma journal_mode = wal; ${NOTES.sqlite}`);
    return {
      url,
      openSqlite: () => open(url),
      notes: async () => db.prepare(everyNote).all() as Row[],
      drop: async () => {
        db.close();
        rmSync(folder, { recursive: true });
      },
    };
  };
}

/** Two copies of SQLite in one process do not see each other's locks: all of a test is on one. */
export const nodeSqliteHost: () => Promise<HostDatabase> = sqliteHost(
  (path) => new DatabaseSync(path),
);

export async function pgliteHost(): Promise<HostDatabase> {
  const pglite = await PGlite.create();
  await pglite.exec(NOTES.postgres);
  return {
    url: "in this process",
    pglite,
    notes: async () => (await pglite.query<Row>(everyNote)).rows,
    drop: () => pglite.close(),
  };
}
