import type { Row } from "../script.ts";
import { type Adapter, assertGiven, type Carrier, transactionOf } from "./adapter.ts";
import { acceptsSavepoint } from "./savepoint.ts";
import { numbered, type SqlTransaction } from "./transaction.ts";

const POSTGRES_JS: Adapter = {
  call: "postgresJsTransaction(sql)",
  takes: "the inner sql of sql.begin(async (sql) => …)",
  source: "a postgres.js transaction",
};

/** What Posthorn needs of the inner `sql` of `sql.begin`, of postgres.js. */
interface PostgresJsSql {
  unsafe(
    query: string,
    parameters?: never[],
  ): PromiseLike<readonly Row[] & { readonly count: number | null }>;
  typed(value: string, type: number): unknown;
  savepoint: unknown;
}

/**
 * Wraps the inner `sql` of `sql.begin` of postgres.js.
 *
 * Once `sql.begin` has ended, its connection may serve another transaction, which cannot be told
 * from the first: always await what is published.
 *
 * @example
 * ```ts
 * await sql.begin(async (sql) => {
 *   await sql`insert into projects (name) values (${"web"})`;
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: postgresJsTransaction(sql) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not such an `sql`.
 */
export function postgresJsTransaction(sql: PostgresJsSql): SqlTransaction<"postgres"> {
  assertGiven(sql, POSTGRES_JS);
  return transactionOf(POSTGRES_JS, onPostgresJs(sql));
}

export const onPostgresJs = (sql: PostgresJsSql): Carrier<"postgres"> => ({
  dialect: "postgres",
  isSync: false,
  isOpen: () => acceptsSavepoint((text) => sql.unsafe(text)),
  execute: async ({ text, params }) => {
    // Without a type of its own, text that is cast to JSON would be encoded as JSON once more.
    const typed = params.map((param) =>
      typeof param === "string" ? sql.typed(param, TEXT) : param,
    );
    const result = await sql.unsafe(numbered(text), typed as never[]);
    return { rows: result.map(asNamed), affected: result.count ?? 0 };
  },
});

const TEXT = 25;

/** Undoes `transform: postgres.camel` and the like, which rename the columns of all replies. */
const asNamed = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name.replace(/(?<=.)-?(?=[A-Z])|-/g, "_").toLowerCase(),
      value,
    ]),
  );
