import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { nodeSystem } from "@posthorn/core";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { sqliteTransaction } from "@posthorn/storage-sql/transaction";
import type { Ground } from "./ground.ts";

/** How long a host waits for a lock: longer than a stopped process may hold it. */
const TIMEOUT_MS = 15_000;

export const sqlite: Ground = {
  prepare: async (folder) => ({
    database: join(folder, "database.sqlite"),
    remove: async () => {},
  }),
  openStorage: (database, { onCommit = () => {}, system = nodeSystem() } = {}) => {
    const db = new DatabaseSync(database);
    const storage = sqliteStorage({
      system,
      connection: {
        exec: (sql) => {
          if (sql === "commit") onCommit();
          db.exec(sql);
        },
        prepare: (sql) => db.prepare(sql),
        close: () => {},
      },
    });
    return {
      storage,
      close: async () => {
        await storage.close();
        db.close();
      },
    };
  },
  connectHost: async (database) => {
    const db = new DatabaseSync(database, { timeout: TIMEOUT_MS });
    return {
      begin: async () => {
        db.exec("begin immediate");
        return sqliteTransaction(db);
      },
      say: async (statement, values = []) => db.prepare(statement).all(...values),
      end: async () => db.close(),
    };
  },
};
