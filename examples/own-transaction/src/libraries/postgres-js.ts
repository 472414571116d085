import { postgresJsTransaction } from "@posthorn/storage-sql/transaction";
import type { Sql } from "postgres";
import type { Bus } from "../bus.ts";

export async function createProject(sql: Sql, bus: Bus<"postgres">, name: string): Promise<void> {
  // #region postgres-js
  await sql.begin(async (sql) => {
    const tx = postgresJsTransaction(sql);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await sql`insert into projects (name) values (${name})`;
  });
  // #endregion postgres-js
}
