import { type Adapter, assertGiven, type Carrier, refused, transactionOf } from "./adapter.ts";
import { kindOf } from "./kind.ts";
import { onMysql } from "./mysql.ts";
import { onPg } from "./pg.ts";
import { onPglite } from "./pglite.ts";
import { onPostgresJs } from "./postgres-js.ts";
import { onSqlite } from "./sqlite.ts";
import type { SqlTransaction } from "./transaction.ts";

const DRIZZLE: Adapter = {
  call: "drizzleTransaction(tx)",
  takes: "the tx of db.transaction(async (tx) => …)",
  source: "a Drizzle transaction",
};

/** A `PgTransaction` of Drizzle. */
interface DrizzlePgTransaction {
  rollback(): never;
  refreshMaterializedView: unknown;
}

/** A `MySqlTransaction` of Drizzle. */
interface DrizzleMySqlTransaction {
  rollback(): never;
  execute: unknown;
  refreshMaterializedView?: never;
}

/** An `SQLiteTransaction` of Drizzle. */
interface DrizzleSQLiteTransaction {
  rollback(): never;
  run: unknown;
}

/**
 * Wraps a transaction of Drizzle on node-postgres, postgres-js, PGlite, better-sqlite3 or mysql2:
 * the connection that it has reserved is used directly, so Drizzle's logger does not see what
 * Posthorn does. On better-sqlite3 it is synchronous, as Drizzle is: use `publishSync`.
 *
 * @example
 * ```ts
 * await db.transaction(async (tx) => {
 *   await tx.insert(projects).values({ name: "web" });
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: drizzleTransaction(tx) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a transaction of Drizzle on these.
 */
export function drizzleTransaction(tx: DrizzlePgTransaction): SqlTransaction<"postgres">;
export function drizzleTransaction(tx: DrizzleSQLiteTransaction): SqlTransaction<"sqlite">;
export function drizzleTransaction(tx: DrizzleMySqlTransaction): SqlTransaction<"mysql">;
export function drizzleTransaction(tx: object): SqlTransaction {
  assertGiven(tx, DRIZZLE);
  return transactionOf(
    DRIZZLE,
    onDriver(Reflect.get(Object(Reflect.get(tx, "session")), "client")),
  );
}

function onDriver(driver: unknown): Carrier {
  switch (kindOf(driver)?.adapter) {
    case "pgTransaction(client)":
      return onPg(driver as never);
    case "postgresJsTransaction(sql)":
      return onPostgresJs(driver as never);
    case "pgliteTransaction(tx)":
      return onPglite(driver as never);
    case "sqliteTransaction(db)":
      return onSqlite(driver as never);
    case "mysqlTransaction(connection)":
      return onMysql(driver as never);
    default:
      throw refused(
        DRIZZLE,
        "one on a driver that Posthorn does not know",
        "Use node-postgres, postgres-js, PGlite, better-sqlite3 or mysql2.",
      );
  }
}
