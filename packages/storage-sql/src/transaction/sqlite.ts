import type { Row } from "../script.ts";
import { type Adapter, assertGiven, type Carrier, transactionOf } from "./adapter.ts";
import type { SqlTransaction } from "./transaction.ts";

const SQLITE: Adapter = {
  call: "sqliteTransaction(db)",
  takes: "the node:sqlite or better-sqlite3 database on which BEGIN IMMEDIATE ran",
  source: "a SQLite transaction",
};

/** What Posthorn needs of a `DatabaseSync` of node:sqlite, or of a `Database` of better-sqlite3. */
export type SqliteDatabase = { prepare(text: string): SqliteStatement } & (
  | { readonly isTransaction: boolean }
  | { readonly inTransaction: boolean }
);

interface SqliteStatement {
  all(...params: never[]): readonly unknown[];
  run(...params: never[]): { readonly changes: number | bigint };
  columns(): readonly unknown[];
  /** Of better-sqlite3, whose `columns` throws where this is false. */
  readonly reader?: boolean;
  /** Of node:sqlite, whose databases can be told to answer arrays. */
  setReturnArrays?(isSo: boolean): void;
}

/**
 * Wraps a database of node:sqlite or better-sqlite3 that is in a transaction. It is synchronous:
 * use `publishSync`. Begin with BEGIN IMMEDIATE, or `transaction.immediate` of better-sqlite3: a
 * transaction that reads before it writes otherwise fails when another connection has written.
 *
 * @example
 * ```ts
 * db.exec("begin immediate");
 * try {
 *   db.prepare("insert into projects (name) values (?)").run("web");
 *   bus.publishSync("project_created", { name: "web" }, { organization, tx: sqliteTransaction(db) });
 *   db.exec("commit");
 * } catch (error) {
 *   db.exec("rollback");
 *   throw error;
 * }
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not such a database.
 */
export function sqliteTransaction(db: SqliteDatabase): SqlTransaction<"sqlite"> {
  assertGiven(db, SQLITE);
  return transactionOf(SQLITE, onSqlite(db));
}

export const onSqlite = (db: SqliteDatabase): Carrier<"sqlite"> => ({
  dialect: "sqlite",
  isSync: true,
  isOpen: () => {
    try {
      return "isTransaction" in db ? db.isTransaction : db.inTransaction;
    } catch {
      return false; // node:sqlite throws once the database is closed.
    }
  },
  execute: ({ text, params }) => {
    const statement = db.prepare(text);
    statement.setReturnArrays?.(false);
    const values = params as never[];
    if (statement.reader ?? statement.columns().length > 0) {
      const rows = statement.all(...values) as readonly Row[];
      return { rows, affected: rows.length };
    }
    return { rows: [], affected: Number(statement.run(...values).changes) };
  },
});
