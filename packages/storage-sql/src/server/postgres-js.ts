import { PosthornError } from "@posthorn/core";
import type { Reply, Row } from "../script.ts";
import { type Connections, type Execute, POSTGRES_SETTINGS } from "./connections.ts";
import { failureOf } from "./failure.ts";
import type { PreparedStatements } from "./prepared.ts";

/** The part of what `postgres()` of postgres-js answers that Posthorn uses. */
export interface PostgresJs extends PostgresJsQueries {
  begin<Result>(options: string, play: (tx: PostgresJsQueries) => Promise<Result>): Promise<Result>;
  readonly options: {
    readonly transform: {
      readonly [kind in "column" | "value" | "row"]: { readonly from?: unknown };
    };
  };
}

interface PostgresJsQueries {
  unsafe(
    text: string,
    params?: (string | number | null)[],
    options?: { readonly prepare?: boolean },
  ): PostgresJsQuery;
}

interface PostgresJsQuery extends PromiseLike<PostgresJsResult> {
  execute(): unknown;
}

type PostgresJsResult = readonly Row[] & { readonly count: number | null };

export const isPostgresJs = (given: unknown): given is PostgresJs => {
  const { unsafe, begin, options } = Object(given) as Partial<PostgresJs>;
  return typeof unsafe === "function" && typeof begin === "function" && typeof options === "object";
};

const answer = (rows: PostgresJsResult): Reply => ({ rows, affected: rows.count ?? 0 });

/** @throws PosthornError `invalid_options` if it would hand out rows that are not as the tables have them. */
export function postgresJsConnections(
  sql: PostgresJs,
  statements: PreparedStatements,
  prepare: boolean,
): Connections {
  const { column, value, row } = sql.options.transform;
  if ([column, value, row].some(({ from }) => from !== undefined)) {
    throw new PosthornError(
      "invalid_options",
      "This postgres-js client changes the names or values of what it reads (its option `transform`). Pass one to Posthorn that does not.",
    );
  }

  const executeOn =
    (queries: PostgresJsQueries): Execute =>
    async ({ text, params }) => {
      if (params.length === 0) return answer(await queries.unsafe(text));
      const prepared = statements.of(text);
      try {
        return answer(await queries.unsafe(prepared.text, [...params], { prepare }));
      } catch (error) {
        statements.heed(error, prepared);
        throw error;
      }
    };

  return {
    plain: (play) => play(executeOn(sql)),
    transaction: (play, committing) =>
      sql.begin("isolation level read committed", async (tx) => {
        // Sent together with the first statement.
        tx.unsafe(POSTGRES_SETTINGS).execute();
        const result = await play(untilClosed(executeOn(tx)));
        committing();
        return result;
      }),
  };
}

/**
 * When its connection closes, `begin` rejects by itself. If it learned that from the script, it would
 * send a rollback, which throws where nobody can catch it, or meets the next one's transaction.
 */
const untilClosed =
  (execute: Execute): Execute =>
  async (statement) => {
    try {
      return await execute(statement);
    } catch (error) {
      if (isClosed(error)) await new Promise<never>(() => {});
      throw error;
    }
  };

/** Not if the server said so: then the connection is still there. */
const isClosed = (error: unknown): boolean =>
  failureOf(error) === "lost" && !("severity" in Object(error));
