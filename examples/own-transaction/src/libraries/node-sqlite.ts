import type { DatabaseSync } from "node:sqlite";
import { sqliteTransaction } from "@posthorn/storage-sql/transaction";
import type { Bus } from "../bus.ts";

export function createProject(db: DatabaseSync, bus: Bus<"sqlite">, name: string): void {
  // #region node-sqlite
  db.exec("begin immediate");
  try {
    const tx = sqliteTransaction(db);
    bus.publishSync("project_created", { name }, { organization: "acme", tx });
    db.prepare("insert into projects (name) values (?)").run(name);
    db.exec("commit");
  } catch (error) {
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
  // #endregion node-sqlite
}
