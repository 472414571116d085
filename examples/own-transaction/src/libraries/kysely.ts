import { kyselyTransaction } from "@posthorn/storage-sql/transaction";
import type { Kysely } from "kysely";
import type { Bus } from "../bus.ts";

export async function createProject(
  db: Kysely<{ projects: { name: string } }>,
  bus: Bus<"postgres">,
  name: string,
): Promise<void> {
  // #region kysely
  await db.transaction().execute(async (trx) => {
    const tx = kyselyTransaction(trx);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await trx.insertInto("projects").values({ name }).execute();
  });
  // #endregion kysely
}
