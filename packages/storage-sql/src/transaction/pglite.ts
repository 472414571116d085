import type { Row } from "../script.ts";
import { type Adapter, assertGiven, type Carrier, transactionOf } from "./adapter.ts";
import { numbered, type SqlTransaction } from "./transaction.ts";

const PGLITE: Adapter = {
  call: "pgliteTransaction(tx)",
  takes: "the tx of db.transaction(async (tx) => …)",
  source: "a PGlite transaction",
};

/** What Posthorn needs of a `Transaction` of PGlite. */
interface PgliteTransaction {
  query(
    text: string,
    params: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly affectedRows?: number }>;
  rollback(): Promise<void>;
  readonly closed: boolean;
}

/**
 * Wraps a transaction of PGlite.
 *
 * @example
 * ```ts
 * await db.transaction(async (tx) => {
 *   await tx.query("insert into projects (name) values ($1)", ["web"]);
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: pgliteTransaction(tx) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a transaction of PGlite.
 */
export function pgliteTransaction(tx: PgliteTransaction): SqlTransaction<"postgres"> {
  assertGiven(tx, PGLITE);
  return transactionOf(PGLITE, onPglite(tx));
}

export const onPglite = (tx: PgliteTransaction): Carrier<"postgres"> => ({
  dialect: "postgres",
  isSync: false,
  isOpen: () => !tx.closed,
  execute: async ({ text, params }) => {
    const { rows, affectedRows } = await tx.query(numbered(text), [...params]);
    return { rows: rows as readonly Row[], affected: affectedRows ?? 0 };
  },
});
