import postgres from "postgres";
import { expect, it } from "vitest";
import { postgresServer } from "../../../../test/servers.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import { postgresJsTransaction } from "./postgres-js.ts";

for (const [title, options] of [
  ["postgresJsTransaction", {}],
  ["postgresJsTransaction with transform: postgres.camel", { transform: postgres.camel }],
] as const) {
  transactionSuite<postgres.TransactionSql>(title, {
    dialect: "postgres",
    open: ({ url }) => {
      const sql = postgres(url, options);
      return {
        transaction: (work) => sql.begin(work),
        savepoint: (tx, work) => tx.savepoint(work),
        wrap: postgresJsTransaction,
        end: () => sql.end(),
      };
    },
  });
}

it.each([
  ["no transform", undefined],
  ["postgres.camel", postgres.camel],
  ["postgres.pascal", postgres.pascal],
  ["postgres.kebab", postgres.kebab],
])("columns keep their names with %s", async (_, transform) => {
  const sql = postgres(postgresServer(), { ...(transform && { transform }) });
  const { rows } = await sql.begin(async (inner) =>
    postgresJsTransaction(inner).execute({
      text: "select 1 as id, 2 as idempotency_key, 3 as next_due_at",
      params: [],
    }),
  );
  expect(rows).toEqual([{ id: 1, idempotency_key: 2, next_due_at: 3 }]);
  await sql.end();
});
