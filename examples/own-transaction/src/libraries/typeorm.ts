import "reflect-metadata";
import { typeormTransaction } from "@posthorn/storage-sql/transaction";
import { type DataSource, EntitySchema } from "typeorm";
import type { Bus } from "../bus.ts";

export const Project = new EntitySchema<{ name: string }>({
  name: "Project",
  tableName: "projects",
  columns: { name: { type: String, primary: true } },
});

export async function createProject(
  dataSource: DataSource,
  bus: Bus<"postgres">,
  name: string,
): Promise<void> {
  // #region typeorm
  await dataSource.transaction(async (manager) => {
    const tx = typeormTransaction(manager);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await manager.insert(Project, { name });
  });
  // #endregion typeorm
}
