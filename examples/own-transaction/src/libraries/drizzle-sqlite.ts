import { drizzleTransaction } from "@posthorn/storage-sql/transaction";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Bus } from "../bus.ts";

const projects = sqliteTable("projects", { name: text().primaryKey() });

export function createProject(db: BetterSQLite3Database, bus: Bus<"sqlite">, name: string): void {
  // #region drizzle-sqlite
  db.transaction(
    (tx) => {
      const options = { organization: "acme", tx: drizzleTransaction(tx) };
      bus.publishSync("project_created", { name }, options);
      tx.insert(projects).values({ name }).run();
    },
    { behavior: "immediate" },
  );
  // #endregion drizzle-sqlite
}
