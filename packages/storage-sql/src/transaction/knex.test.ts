import makeKnex, { type Knex } from "knex";
import { transactionSuite } from "../../test/transaction-suite.ts";
import { knexTransaction } from "./knex.ts";

const CLIENTS = { postgres: "pg", mysql: "mysql2", sqlite: "better-sqlite3" } as const;

/** As hosts that want camelCase do it: for what builders answer, and blind to other shapes. */
const camelCased = (answer: unknown): unknown => {
  if (Array.isArray(answer)) return answer.map(camelCased);
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [
      name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      camelCased(value),
    ]),
  );
};

for (const dialect of ["postgres", "mysql", "sqlite"] as const) {
  transactionSuite<Knex.Transaction>(`knexTransaction on ${dialect}`, {
    dialect,
    open: ({ url }) => {
      const knex = makeKnex({
        client: CLIENTS[dialect],
        connection: dialect === "sqlite" ? { filename: url } : url,
        useNullAsDefault: true,
        postProcessResponse: camelCased,
      });
      return {
        transaction: (work) => knex.transaction(async (trx) => work(trx)),
        savepoint: (trx, work) => trx.transaction(async (inner) => work(inner)),
        wrap: knexTransaction,
        end: () => knex.destroy(),
      };
    },
  });
}
