import { DatabaseSync } from "node:sqlite";
import { nodeSystem, PosthornError, type System } from "@posthorn/core";
import { sqliteDialect } from "./dialects/sqlite.ts";
import { assertOptions } from "./options.ts";
import { prefixNaming } from "./schema/naming.ts";
import { sqliteSchema } from "./schema/sqlite.ts";
import { type Row, rowsOf, type Script } from "./script.ts";
import { isBusy, isConnection, type SqliteConnection, sqliteDatabase } from "./sqlite-database.ts";
import { type SqlStorage, sqlStorage } from "./storage.ts";

export type { SqliteConnection } from "./sqlite-database.ts";
export type { SqlStorage } from "./storage.ts";

export interface SqliteStorageOptions {
  /**
   * The database file, which Posthorn opens for itself with `node:sqlite`; made if there is none.
   * Only where nothing else in the process opens the file with another library: each brings its own
   * copy of SQLite, two copies in one process do not see each other's locks, and what one has
   * committed the other overwrites (https://www.sqlite.org/howtocorrupt.html, section 2.2.1).
   */
  readonly file?: string | undefined;
  /**
   * Instead of `file`, a connection of `node:sqlite` or `better-sqlite3`, of the library that the
   * host itself uses. Nobody else may use it from now on: a transaction of Posthorn's on a shared
   * one would swallow the host's writes.
   */
  readonly connection?: SqliteConnection | undefined;
  /** What the names of Posthorn's tables begin with. Default `posthorn_`. */
  readonly prefix?: string | undefined;
  /** Whether a commit survives a power failure (`full`) or only a crash of the process (`normal`). Default `full`. */
  readonly synchronous?: "full" | "normal" | undefined;
  /** Waits and chance, for tests. */
  readonly system?: Pick<System, "sleep" | "random"> | undefined;
}

/**
 * A storage in a SQLite file, beside the host's own tables. Any number of processes on one machine
 * may share the file.
 *
 * @throws PosthornError `invalid_options` if an option is wrong, or there is none of its
 * name: the prefix is no identifier, not exactly one of `file` and `connection` is given, or the file
 * cannot be opened.
 */
export function sqliteStorage(options: SqliteStorageOptions): SqlStorage<"sqlite"> {
  assertOptions("sqliteStorage", options, {
    file: true,
    connection: true,
    prefix: true,
    synchronous: true,
    system: true,
  });
  const { file, connection, prefix, synchronous = "full", system = nodeSystem() } = options;
  if ((file === undefined) === (connection === undefined)) {
    throw invalid(
      "sqliteStorage takes either `file`, the path of the database, or `connection`, one that only Posthorn uses.",
    );
  }
  if (file !== undefined && typeof file !== "string") {
    throw invalid("`file` must be the path of a database, as text.");
  }
  if (file === "" || file === ":memory:") {
    throw invalid(
      `\`file\` is ${JSON.stringify(file)}: a database of this connection alone, which no transaction of yours can be in. Give a file; for tests take memoryStorage().`,
    );
  }
  if (synchronous !== "full" && synchronous !== "normal") {
    throw invalid(
      `\`synchronous\` is ${JSON.stringify(synchronous)}. It must be "full" or "normal".`,
    );
  }
  if (connection !== undefined && !isConnection(connection)) {
    throw invalid(
      "`connection` must be a DatabaseSync of node:sqlite or a Database of better-sqlite3.",
    );
  }
  const naming = prefixNaming({ ...(prefix !== undefined && { prefix }) }, '"');
  const own = connection ?? opened(file as string);
  const database = sqliteDatabase({
    connection: own,
    isOwn: connection === undefined,
    dialect: sqliteDialect(naming.table, naming.index),
    synchronous,
    system,
  });
  return sqlStorage({ database, naming, schema: sqliteSchema, guard: sameCopyAs(own) });
}

/** The URL of a server: it may hold a password, so no message repeats it. */
const SERVER = /^(?!file:)[a-z][a-z\d+.-]*:\/\//i;

function opened(file: string): DatabaseSync {
  if (SERVER.test(file)) {
    throw invalid(
      "`file` is the URL of a server. Give it the path of a file, or take the storage for that server.",
    );
  }
  try {
    return new DatabaseSync(file);
  } catch (error) {
    throw invalid(
      `The SQLite file ${JSON.stringify(file)} cannot be opened: ${(error as Error).message}. A file that is missing is made, its folder is not: check the path, and the rights to both.`,
      error,
    );
  }
}

const invalid = (message: string, cause?: unknown): PosthornError =>
  new PosthornError("invalid_options", message, { cause });

/**
 * Refuses transactions of another copy of SQLite than the storage's: its locks and ours would not
 * keep each other out. Copies of one version cannot be told apart.
 */
function sameCopyAs(connection: SqliteConnection): () => Script<void> {
  const version = "select sqlite_source_id() as version";
  let own: unknown;
  return function* () {
    own ??= atOnce(() => (connection.prepare(version).all() as Row[])[0]?.["version"]);
    const [theirs] = yield* rowsOf(version);
    if (own === undefined || theirs?.["version"] === own) return;
    throw new PosthornError(
      "unknown_transaction",
      "`tx` is of another SQLite library than the storage's connection. In one process, two copies of SQLite overwrite what the other has committed. Open the storage with the library that you use: sqliteStorage({ connection: new Database(file) }) for better-sqlite3.",
    );
  };
}

/** Undefined if the file is locked just now: the host's transaction must not wait for it. */
function atOnce<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (isBusy(error)) return undefined;
    throw error;
  }
}
