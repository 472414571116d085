import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { PostgresDialect } from "kysely";
import pg from "pg";
import type { Connected } from "./database.ts";

/** The app and Posthorn share one pool. */
export function postgres(url: string): Connected {
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // Of an idle connection that was lost: the pool makes another; unheard, it would end the process.
  pool.on("error", () => {});
  return {
    dialect: new PostgresDialect({ pool }),
    storage: postgresStorage({ pool }),
    close: () => pool.end(),
  };
}
