import { setImmediate } from "node:timers/promises";
import { PosthornError, type System } from "@posthorn/core";
import type { Database } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { play, type Reply, type Row, type Script, type Statement } from "./script.ts";

/** The part of `DatabaseSync` (node:sqlite) and `Database` (better-sqlite3) that Posthorn uses. */
export interface SqliteConnection {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

export const isConnection = (given: unknown): given is SqliteConnection => {
  const { exec, prepare, close } = Object(given) as { readonly [key: string]: unknown };
  return [exec, prepare, close].every((method) => typeof method === "function");
};

interface SqliteStatement {
  all(...params: never[]): unknown[];
  run(...params: never[]): { readonly changes: number | bigint };
  /** better-sqlite3: does it answer rows? */
  readonly reader?: boolean;
  /** node:sqlite: the columns that it answers. */
  columns?(): readonly unknown[];
  /** node:sqlite: whether rows are arrays, as a database can be told to answer them. */
  setReturnArrays?(isSo: boolean): void;
}

export interface SqliteDatabaseOptions {
  readonly connection: SqliteConnection;
  /** Whether Posthorn opened the connection, and closes it. */
  readonly isOwn: boolean;
  readonly dialect: Dialect;
  readonly synchronous: "full" | "normal";
  readonly system: Pick<System, "sleep" | "random">;
}

/** How long a lock is waited for, in milliseconds: hosts may hold the only one there is. */
const PATIENCE_MS = 10_000;
const LONGEST_WAIT_MS = 100;
const TRIES_WITHOUT_SLEEP = 50;

export function sqliteDatabase(options: SqliteDatabaseOptions): Database {
  const { connection, isOwn, dialect, synchronous, system } = options;
  const execute = executing(connection);
  let isPrepared = false;
  let isClosed = false;

  /** A timeout of SQLite's own would stop the event loop, and with it whoever holds the lock. */
  function prepare(): void {
    if (isClosed) {
      throw new PosthornError(
        "bus_stopped",
        "This SQLite storage was closed. Create a new one with sqliteStorage().",
      );
    }
    if (isPrepared) return;
    connection.exec("pragma busy_timeout = 0");
    connection.prepare("pragma journal_mode = wal").all();
    connection.exec(`pragma synchronous = ${synchronous}`);
    isPrepared = true;
  }

  function inTransaction<Result>(script: () => Script<Result>): Result {
    prepare();
    connection.exec("begin immediate");
    try {
      const result = play(script(), execute);
      connection.exec("commit");
      return result;
    } catch (error) {
      rollBack(connection);
      throw error;
    }
  }

  async function patiently<Result>(work: () => Result): Promise<Result> {
    // Whoever only awaits what is there at once lets no request through, and no timer.
    await setImmediate();
    for (let [tries, waited] = [0, 0]; ; tries += 1) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || waited >= PATIENCE_MS) throw explained(error);
      }
      // Most transactions are shorter than the shortest sleep.
      if (tries < TRIES_WITHOUT_SLEEP) {
        await setImmediate();
        continue;
      }
      // The longer it has waited, the less it costs to ask rarely.
      const wait = Math.min(Math.max(1, waited / 4), LONGEST_WAIT_MS);
      const ms = wait * (0.5 + system.random() / 2);
      await system.sleep(ms);
      waited += ms;
    }
  }

  return {
    dialect,
    transact: (script) => patiently(() => inTransaction(script)),
    query: (script) =>
      patiently(() => {
        prepare();
        return play(script(), execute);
      }),
    mayPass: isBusy,
    close: async () => {
      if (isOwn && !isClosed) connection.close();
      isClosed = true;
    },
  };
}

/** Executes statements, each prepared once. */
function executing(connection: SqliteConnection): (statement: Statement) => Reply {
  const prepared = new Map<string, { statement: SqliteStatement; answersRows: boolean }>();

  function prepare(text: string): { statement: SqliteStatement; answersRows: boolean } {
    let known = prepared.get(text);
    if (known === undefined) {
      const statement = connection.prepare(text);
      statement.setReturnArrays?.(false);
      known = { statement, answersRows: answersRows(statement) };
      prepared.set(text, known);
    }
    return known;
  }

  return ({ text, params }) => {
    const { statement, answersRows } = prepare(text);
    if (!answersRows) {
      return { rows: [], affected: Number(statement.run(...(params as never[])).changes) };
    }
    const rows = statement.all(...(params as never[])) as Row[];
    return { rows, affected: rows.length };
  };
}

const answersRows = (statement: SqliteStatement): boolean =>
  statement.reader ?? (statement.columns?.().length ?? 0) > 0;

function rollBack(connection: SqliteConnection): void {
  try {
    connection.exec("rollback");
  } catch {
    // SQLite has rolled back by itself (https://www.sqlite.org/lang_transaction.html).
  }
}

/** SQLITE_BUSY and others, as node:sqlite (`errcode`) and better-sqlite3 (`code`) tell them. */
export const isBusy = (error: unknown): boolean => isPrimary(error, 5, "SQLITE_BUSY");
const isFull = (error: unknown): boolean => isPrimary(error, 13, "SQLITE_FULL");
const isForbidden = (error: unknown): boolean =>
  isPrimary(error, 8, "SQLITE_READONLY") || isPrimary(error, 14, "SQLITE_CANTOPEN");
const isForeign = (error: unknown): boolean => isPrimary(error, 26, "SQLITE_NOTADB");

/** Extended result codes hold the primary one in their lowest byte. */
const isPrimary = (error: unknown, number: number, name: string): boolean => {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  return (
    (typeof errcode === "number" && (errcode & 0xff) === number) ||
    (typeof code === "string" && code.startsWith(name))
  );
};

/** What people can do about it, where there is something; otherwise the error itself. */
function explained(error: unknown): unknown {
  if (isForbidden(error)) {
    return new PosthornError(
      "storage_unavailable",
      "The SQLite database cannot be opened, or not be written. Check that its folder exists, and let the process write to the file and to the folder, where SQLite makes files of its own.",
      { cause: error },
    );
  }
  if (isForeign(error)) {
    return new PosthornError(
      "storage_unavailable",
      "The file is no SQLite database. Give the path of one, or of a file that does not exist yet.",
      { cause: error },
    );
  }
  if (isFull(error)) {
    return new PosthornError(
      "storage_full",
      "The SQLite database is full: nothing was written. Free disk space, or raise `max_page_count`.",
      { cause: error },
    );
  }
  if (isBusy(error)) {
    return new PosthornError(
      "storage_unavailable",
      `Another connection has been writing to the SQLite database for ${PATIENCE_MS / 1_000} seconds. Keep write transactions short, and begin them with BEGIN IMMEDIATE.`,
      { cause: error },
    );
  }
  return error;
}
