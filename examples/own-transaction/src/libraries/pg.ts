import { pgTransaction } from "@posthorn/storage-sql/transaction";
import type { Pool } from "pg";
import type { Bus } from "../bus.ts";

export async function createProject(pool: Pool, bus: Bus<"postgres">, name: string): Promise<void> {
  // #region pg
  const client = await pool.connect();
  try {
    await client.query("begin");
    const tx = pgTransaction(client);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await client.query("insert into projects (name) values ($1)", [name]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
  // #endregion pg
}
