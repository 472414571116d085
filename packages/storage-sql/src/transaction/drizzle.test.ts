import type { PGlite } from "@electric-sql/pglite";
import Better from "better-sqlite3";
import { drizzle as onBetterSqlite } from "drizzle-orm/better-sqlite3";
import { drizzle as onMysql2 } from "drizzle-orm/mysql2";
import { drizzle as onNodePostgres } from "drizzle-orm/node-postgres";
import { drizzle as onPglite } from "drizzle-orm/pglite";
import { drizzle as onPostgresJs } from "drizzle-orm/postgres-js";
import { createPool } from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { pgliteHost } from "../../test/host.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import type { MaybePromise } from "../script.ts";
import { drizzleTransaction } from "./drizzle.ts";

/** Drizzle's classes for its databases have no common type. */
interface Database {
  transaction(work: (tx: Database) => MaybePromise<unknown>): unknown;
}

const driven = (db: unknown, end: () => unknown) => ({
  transaction: (work: (tx: Database) => MaybePromise<unknown>) =>
    (db as Database).transaction((tx) => work(tx)),
  savepoint: (tx: Database, work: (tx: Database) => MaybePromise<unknown>) => tx.transaction(work),
  wrap: (tx: Database) => drizzleTransaction(tx as never),
  end,
});

transactionSuite<Database>("drizzleTransaction on node-postgres", {
  dialect: "postgres",
  open: ({ url }) => {
    const pool = new pg.Pool({ connectionString: url });
    return driven(onNodePostgres(pool), () => pool.end());
  },
});

transactionSuite<Database>("drizzleTransaction on postgres-js", {
  dialect: "postgres",
  open: ({ url }) => {
    const client = postgres(url);
    return driven(onPostgresJs(client), () => client.end());
  },
});

transactionSuite<Database>("drizzleTransaction on PGlite", {
  dialect: "postgres",
  host: pgliteHost,
  open: ({ pglite }) => driven(onPglite(pglite as PGlite), () => {}),
});

transactionSuite<Database>("drizzleTransaction on mysql2", {
  dialect: "mysql",
  open: ({ url }) => {
    const pool = createPool(url);
    return driven(onMysql2(pool), () => pool.end());
  },
});

transactionSuite<Database>("drizzleTransaction on better-sqlite3", {
  dialect: "sqlite",
  isSync: true,
  awaits: false,
  open: ({ url }) => {
    const client = new Better(url);
    return driven(onBetterSqlite(client), () => client.close());
  },
});
