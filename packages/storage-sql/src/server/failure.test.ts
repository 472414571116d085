import { PosthornError } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { explained, type Failure, failureOf } from "./failure.ts";

const sqlState = (code: string): object => ({ code, message: "as PostgreSQL says it" });
const mysql = (errno: number, sqlState: string, rest: object = {}): object => ({
  code: "ER_SOMETHING",
  errno,
  sqlState,
  message: "as MySQL says it",
  ...rest,
});

const FAILURES: readonly (readonly [Failure, string, unknown])[] = [
  ["passes", "a serialization failure", sqlState("40001")],
  ["passes", "a deadlock", sqlState("40P01")],
  ["passes", "a lock timeout", sqlState("55P03")],
  ["passes", "a transaction that was idle for too long", sqlState("25P03")],
  ["passes", "a deadlock of MySQL", mysql(1213, "40001")],
  ["passes", "a lock timeout of MySQL", mysql(1205, "HY000")],

  ["lost", "an administrator's end", sqlState("57P01")],
  ["lost", "a server that starts", sqlState("57P03")],
  ["lost", "too many connections", sqlState("53300")],
  ["lost", "a former primary", sqlState("25006")],
  ["lost", "a connection exception", sqlState("08006")],
  ["lost", "too many connections to MySQL", mysql(1040, "08004")],
  ["lost", "too many prepared statements", mysql(1461, "42000")],
  ["lost", "MySQL's shutdown", mysql(1053, "08S01")],
  ["lost", "a connection that MariaDB killed", mysql(1927, "70100")],
  ["lost", "a former primary of MySQL", mysql(1836, "HY000")],
  ["lost", "an unreachable port", { code: "ECONNREFUSED", errno: -111 }],
  [
    "lost",
    "several unreachable addresses",
    Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }),
  ],
  ["lost", "a reset", { code: "ECONNRESET", errno: -104, fatal: true }],
  ["lost", "a closed connection of postgres-js", { code: "CONNECTION_CLOSED" }],
  ["lost", "pg's end of a connection", new Error("Connection terminated unexpectedly")],
  ["lost", "pg's timeout of its pool", new Error("timeout exceeded when trying to connect")],
  ["lost", "pg's query timeout", new Error("Query read timeout")],
  [
    "lost",
    "a closed connection of mysql2",
    { fatal: true, message: "Can't add new command when connection is in closed state" },
  ],

  ["unprepared", "a forgotten statement", sqlState("26000")],
  ["unprepared", "a name that is taken", sqlState("42P05")],
  [
    "unprepared",
    "an additional column",
    { code: "0A000", message: "cached plan must not change result type" },
  ],
  ["unprepared", "a statement that MySQL forgot", mysql(1243, "HY000")],

  ["full", "a full disk", sqlState("53100")],
  ["full", "a full disk of MySQL", mysql(1021, "HY000")],
  ["full", "a full table", mysql(1114, "HY000")],
  [
    "full",
    "a full disk, as InnoDB says it",
    mysql(1030, "HY000", { message: 'Got error 28 "No space left on device" from storage engine' }),
  ],

  ["schema", "no table", sqlState("42P01")],
  ["schema", "no column", sqlState("42703")],
  ["schema", "no schema", sqlState("3F000")],
  ["schema", "no unique index", sqlState("42P10")],
  ["schema", "no table in MySQL", mysql(1146, "42S02")],
  ["schema", "no column in MySQL", mysql(1054, "42S22")],

  ["data", "a value that is too long", sqlState("22001")],
  ["data", "a text with NUL", sqlState("22021")],
  ["data", "a duplicate", sqlState("23505")],
  ["data", "a value that is too long for an index", sqlState("54000")],
  ["data", "a value that is too long for MySQL", mysql(1406, "22001")],
  ["data", "a duplicate in MySQL", mysql(1062, "23000")],
  ["data", "a character that MySQL's column has not", mysql(1366, "HY000")],
  ["data", "a packet that is too large", mysql(1153, "08S01")],

  ["other", "a syntax error", sqlState("42601")],
  ["other", "a wrong password", sqlState("28P01")],
  ["other", "a wrong password for MySQL", mysql(1045, "28000", { fatal: true })],
  ["other", "a right that is missing", sqlState("42501")],
  ["other", "a canceled statement", sqlState("57014")],
  ["other", "a mistake in a script", new TypeError("undefined is not a function")],
  ["other", "an error of Posthorn", new PosthornError("not_found", "no such thing")],
  ["other", "a text", "lost"],
  ["other", "nothing", undefined],
];

const example = (failure: Failure): unknown => FAILURES.find(([found]) => found === failure)?.[2];

describe("an error", () => {
  it.each(FAILURES)("means %s: %s", (failure, _what, error) => {
    expect(failureOf(error)).toBe(failure);
  });
});

describe("an explanation", () => {
  it.each([
    [
      "lost",
      "storage_unavailable",
      "The database cannot be reached, or was lost on the way: as PostgreSQL says it. Check that it runs and that its address, the network and the number of connections are right.",
    ],
    [
      "full",
      "storage_full",
      "The database has no room left, so nothing was written: as PostgreSQL says it. Free some.",
    ],
    [
      "schema",
      "schema_mismatch",
      "The database lacks a table or column that Posthorn needs: as PostgreSQL says it. Run `await storage.migrate()`.",
    ],
    [
      "unprepared",
      "invalid_options",
      "The database forgets prepared statements between two transactions: as PostgreSQL says it. Pass `prepare: false` to the storage, as PgBouncer in transaction mode needs.",
    ],
  ] as const)("of what is %s says what happened and what to do", (failure, code, message) => {
    const error = example(failure);
    expect(explained(error)).toMatchObject({ code, message, cause: error });
  });

  it.each(["passes", "data", "other"] as const)("of what is %s is the error itself", (failure) => {
    const error = example(failure);
    expect(explained(error)).toBe(error);
  });

  it("does without the words of an error that has none", () => {
    expect((explained({ code: "ECONNREFUSED", message: "" }) as Error).message).toBe(
      "The database cannot be reached, or was lost on the way. Check that it runs and that its address, the network and the number of connections are right.",
    );
  });
});
