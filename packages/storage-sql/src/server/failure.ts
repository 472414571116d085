import { PosthornError } from "@posthorn/core";

export type Failure =
  /** The database refused for now, and changed nothing: others were in the way. */
  | "passes"
  /** There is no connection, or no more. If it was lost in a commit, nobody knows its outcome. */
  | "lost"
  /** The connection has forgotten a prepared statement, or must. */
  | "unprepared"
  | "full"
  /** The tables are not what the statement needs. */
  | "schema"
  /** The database does not take the values. */
  | "data"
  | "other";

/** What an error of pg, postgres-js, PGlite or mysql2 means. */
export function failureOf(error: unknown): Failure {
  const { code, sqlState, errno, fatal, message } = Object(error) as {
    readonly [key: string]: unknown;
  };
  if (typeof errno === "number" && errno > 0) {
    return BY_MYSQL_NUMBER.get(errno) ?? byState(sqlState) ?? byMessage(message) ?? "other";
  }
  const found = byState(code) ?? BY_CLIENT_CODE.get(code) ?? byMessage(message);
  return found ?? (fatal === true ? "lost" : "other");
}

const byState = (state: unknown): Failure | undefined =>
  typeof state === "string"
    ? (BY_STATE.get(state) ?? (state.length === 5 ? BY_CLASS.get(state.slice(0, 2)) : undefined))
    : undefined;

const byMessage = (message: unknown): Failure | undefined =>
  typeof message === "string"
    ? BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1]
    : undefined;

/** SQLSTATE, of PostgreSQL and where MySQL uses the same. */
const BY_STATE: ReadonlyMap<string, Failure> = new Map([
  ["40001", "passes"], // serialization failure; MySQL: deadlock
  ["40P01", "passes"], // deadlock
  ["55P03", "passes"], // lock timeout
  ["25P03", "passes"], // idle in transaction for too long: what is sent now comes too late
  ["25P04", "passes"], // in transaction for too long: the same

  ["57P01", "lost"], // ended by an administrator
  ["57P02", "lost"], // the server crashed
  ["57P03", "lost"], // the server starts or stops
  ["57P05", "lost"], // idle for too long
  ["53300", "lost"], // too many connections
  ["25006", "lost"], // read only: after a failover, a new connection leads to the new primary

  ["26000", "unprepared"], // no such prepared statement
  ["42P05", "unprepared"], // the name of a prepared statement is taken

  ["53100", "full"],

  ["42P01", "schema"], // no such table
  ["42703", "schema"], // no such column
  ["3F000", "schema"], // no such schema
  ["42P10", "schema"], // no such unique index

  ["54000", "data"], // too long for an index
]);

/** The first two characters of a SQLSTATE. */
const BY_CLASS: ReadonlyMap<string, Failure> = new Map([
  ["08", "lost"], // connection
  ["22", "data"], // values
  ["23", "data"], // constraints
]);

/** MySQL and MariaDB, where the SQLSTATE does not tell enough. */
const BY_MYSQL_NUMBER: ReadonlyMap<number, Failure> = new Map([
  [1205, "passes"], // lock timeout
  [1213, "passes"], // deadlock
  [1412, "passes"], // the table was changed in this transaction

  [1203, "lost"], // too many connections of this user
  [1226, "lost"], // too many connections of this user
  [1461, "lost"], // too many prepared statements: a connection that ends makes room
  [1290, "lost"], // read only, after a failover
  [1836, "lost"], // read only, after a failover
  [1927, "lost"], // killed
  [4031, "lost"], // idle for too long

  [1243, "unprepared"], // no such prepared statement
  [1615, "unprepared"], // must be prepared again

  [1021, "full"],
  [1114, "full"],

  [1054, "schema"], // no such column
  [1146, "schema"], // no such table

  [1153, "data"], // larger than max_allowed_packet
  [1265, "data"], // truncated
  [1366, "data"], // not of the column's type, or character set
  [3819, "data"], // check constraint
]);

/** Node.js and the drivers, where no server answered. */
const BY_CLIENT_CODE: ReadonlyMap<unknown, Failure> = new Map(
  [
    "EAI_AGAIN",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOENT", // no such Unix socket
    "ENOTFOUND",
    "EPIPE",
    "ERR_STREAM_DESTROYED",
    "ETIMEDOUT",
    "CONNECTION_CLOSED",
    "CONNECTION_DESTROYED",
    "CONNECT_TIMEOUT",
    "PROTOCOL_CONNECTION_LOST",
  ].map((code) => [code, "lost"]),
);

/** What has no code. */
const BY_MESSAGE: readonly (readonly [RegExp, Failure])[] = [
  [/^Connection terminated/, "lost"],
  [/^Client (has encountered a connection error|was closed) and is not queryable/, "lost"],
  [/^(timeout expired|timeout exceeded when trying to connect|Query read timeout)/, "lost"],
  [/^cached plan must not change result type/, "unprepared"],
  [/No space left on device|Errcode: 28\b/, "full"],
];

/** What people can do about it, where there is something; otherwise the error itself. */
export function explained(error: unknown): unknown {
  const said = (Object(error) as { readonly message?: unknown }).message;
  const because = typeof said === "string" && said !== "" ? `: ${said.replace(/\.$/, "")}` : "";
  switch (failureOf(error)) {
    case "lost":
      return new PosthornError(
        "storage_unavailable",
        `The database cannot be reached, or was lost on the way${because}. Check that it runs and that its address, the network and the number of connections are right.`,
        { cause: error },
      );
    case "full":
      return new PosthornError(
        "storage_full",
        `The database has no room left, so nothing was written${because}. Free some.`,
        { cause: error },
      );
    case "schema":
      return new PosthornError(
        "schema_mismatch",
        `The database lacks a table or column that Posthorn needs${because}. Run \`await storage.migrate()\`.`,
        { cause: error },
      );
    case "unprepared":
      return new PosthornError(
        "invalid_options",
        `The database forgets prepared statements between two transactions${because}. Pass \`prepare: false\` to the storage, as PgBouncer in transaction mode needs.`,
        { cause: error },
      );
    default:
      return error;
  }
}
