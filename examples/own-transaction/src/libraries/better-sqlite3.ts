import { sqliteTransaction } from "@posthorn/storage-sql/transaction";
import type { Database } from "better-sqlite3";
import type { Bus } from "../bus.ts";

export function createProject(db: Database, bus: Bus<"sqlite">, name: string): void {
  // #region better-sqlite3
  const create = db.transaction(() => {
    const tx = sqliteTransaction(db);
    bus.publishSync("project_created", { name }, { organization: "acme", tx });
    db.prepare("insert into projects (name) values (?)").run(name);
  });
  create.immediate();
  // #endregion better-sqlite3
}
