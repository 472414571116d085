import { EntitySchema, type SqlEntityManager } from "@mikro-orm/postgresql";
import { mikroOrmTransaction } from "@posthorn/storage-sql/transaction";
import type { Bus } from "../bus.ts";

export const Project = new EntitySchema<{ name: string }>({
  name: "Project",
  tableName: "projects",
  properties: { name: { type: "text", primary: true } },
});

export async function createProject(
  em: SqlEntityManager,
  bus: Bus<"postgres">,
  name: string,
): Promise<void> {
  // #region mikro-orm
  await em.transactional(async (em) => {
    const tx = mikroOrmTransaction(em);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    em.create(Project, { name });
  });
  // #endregion mikro-orm
}
