import type { Row } from "../script.ts";
import type { Connections, Execute } from "./connections.ts";
import type { PreparedStatements } from "./prepared.ts";

/** The part of a PGlite that Posthorn uses. */
export interface PGlite extends PGliteQueries {
  transaction<Result>(play: (tx: PGliteQueries) => Promise<Result>): Promise<Result>;
  runExclusive<Result>(work: () => Promise<Result>): Promise<Result>;
}

interface PGliteQueries {
  query(text: string, params?: unknown[]): Promise<PGliteResult>;
  exec(text: string): Promise<unknown>;
}

interface PGliteResult {
  readonly rows: Row[];
  readonly affectedRows?: number;
}

export const isPGlite = (given: unknown): given is PGlite => {
  const { query, exec, transaction, runExclusive } = Object(given) as Partial<PGlite>;
  return [query, exec, transaction, runExclusive].every((method) => typeof method === "function");
};

/** One connection, in this process: nobody else can hold a lock, and it cannot be lost. */
export const pgliteConnections = (pglite: PGlite, statements: PreparedStatements): Connections => {
  const executeOn =
    (queries: PGliteQueries): Execute =>
    async ({ text, params }) => {
      const { rows, affectedRows = 0 } = await queries.query(statements.of(text).text, [...params]);
      return { rows, affected: affectedRows };
    };
  return {
    plain: (play) => play(executeOn(pglite)),
    transaction: (play, committing) =>
      pglite.transaction(async (tx) => {
        await tx.exec("set transaction isolation level read committed");
        const result = await play(executeOn(tx));
        committing();
        return result;
      }),
  };
};
