import { drizzleTransaction } from "@posthorn/storage-sql/transaction";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import { pgTable, text } from "drizzle-orm/pg-core";
import type { Bus } from "../bus.ts";

const projects = pgTable("projects", { name: text().primaryKey() });

export async function createProject(
  db: NodePgDatabase,
  bus: Bus<"postgres">,
  name: string,
): Promise<void> {
  // #region drizzle
  await db.transaction(async (tx) => {
    const options = { organization: "acme", tx: drizzleTransaction(tx) };
    await bus.publish("project_created", { name }, options);
    await tx.insert(projects).values({ name });
  });
  // #endregion drizzle
}
