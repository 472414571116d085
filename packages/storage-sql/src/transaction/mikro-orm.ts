import {
  type Adapter,
  assertGiven,
  type Carrier,
  detectedTransaction,
  refused,
} from "./adapter.ts";
import { kindOf } from "./kind.ts";
import { onKnex } from "./knex.ts";
import { onKysely } from "./kysely.ts";
import type { DetectedTransaction } from "./transaction.ts";

const MIKRO_ORM: Adapter = {
  call: "mikroOrmTransaction(em)",
  takes: "the em of em.transactional(async (em) => …)",
  source: "a MikroORM transaction",
};

/** What Posthorn needs of an `EntityManager` of MikroORM. */
interface MikroOrmManager {
  isInTransaction(): boolean;
  getTransactionContext(): unknown;
}

/**
 * Wraps the entity manager of a transaction of MikroORM, nested ones too, on PostgreSQL, MySQL,
 * MariaDB or SQLite. Tried with version 7; version 6, which builds on Knex, goes through
 * `knexTransaction`.
 *
 * @example
 * ```ts
 * await em.transactional(async (em) => {
 *   em.create(Project, { name: "web" });
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: mikroOrmTransaction(em) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not an entity manager in a transaction.
 */
export function mikroOrmTransaction(em: MikroOrmManager): DetectedTransaction {
  assertGiven(em, MIKRO_ORM);
  return detectedTransaction(MIKRO_ORM, onContext(em.getTransactionContext()));
}

/** Of Kysely in version 7, of Knex in version 6. */
function onContext(context: unknown): Carrier {
  switch (kindOf(context)?.adapter) {
    case "kyselyTransaction(trx)":
      return onKysely(context as never);
    case "knexTransaction(trx)":
      return onKnex(context as never);
    default:
      throw refused(MIKRO_ORM, "an entity manager that is not in a transaction on a SQL database");
  }
}
