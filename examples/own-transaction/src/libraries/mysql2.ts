import { mysqlTransaction } from "@posthorn/storage-sql/transaction";
import type { Pool } from "mysql2/promise";
import type { Bus } from "../bus.ts";

export async function createProject(pool: Pool, bus: Bus<"mysql">, name: string): Promise<void> {
  // #region mysql2
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const tx = mysqlTransaction(connection);
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    await connection.execute("insert into projects (name) values (?)", [name]);
    await connection.commit();
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    connection.release();
  }
  // #endregion mysql2
}
