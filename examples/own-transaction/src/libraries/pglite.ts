import type { PGlite } from "@electric-sql/pglite";
import { pgliteTransaction } from "@posthorn/storage-sql/transaction";
import type { Bus } from "../bus.ts";

export async function createProject(db: PGlite, bus: Bus<"postgres">, name: string): Promise<void> {
  // #region pglite
  await db.transaction(async (transaction) => {
    const tx = pgliteTransaction(transaction);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await transaction.query("insert into projects (name) values ($1)", [name]);
  });
  // #endregion pglite
}
