import { knexTransaction } from "@posthorn/storage-sql/transaction";
import type { Knex } from "knex";
import type { Bus } from "../bus.ts";

export async function createProject(knex: Knex, bus: Bus<"mysql">, name: string): Promise<void> {
  // #region knex
  await knex.transaction(async (trx) => {
    const tx = knexTransaction(trx);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await trx("projects").insert({ name });
  });
  // #endregion knex
}
