import { mysqlStorage } from "@posthorn/storage-sql/mysql";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { type SqlStorage, sqliteStorage } from "@posthorn/storage-sql/sqlite";
import Database from "better-sqlite3";
import { createPool, type Pool as MysqlPool } from "mysql2/promise";
import pg from "pg";

export async function onSqlite(file: string): Promise<SqlStorage<"sqlite">> {
  // #region sqlite
  const storage = sqliteStorage({ file });
  await storage.migrate();
  // #endregion sqlite
  return storage;
}

export async function onBetterSqlite3(
  file: string,
): Promise<{ readonly connection: Database.Database; readonly storage: SqlStorage<"sqlite"> }> {
  // #region better-sqlite3
  const connection = new Database(file);
  const storage = sqliteStorage({ connection });
  await storage.migrate();
  // #endregion better-sqlite3
  return { connection, storage };
}

export async function onPostgres(
  databaseUrl: string,
): Promise<{ readonly pool: pg.Pool; readonly storage: SqlStorage<"postgres"> }> {
  // #region postgres
  const pool = new pg.Pool({ connectionString: databaseUrl });
  pool.on("error", (error) => console.error("An idle connection was lost.", error));
  const storage = postgresStorage({ pool });
  await storage.migrate();
  // #endregion postgres
  return { pool, storage };
}

export async function onMysql(
  databaseUrl: string,
): Promise<{ readonly pool: MysqlPool; readonly storage: SqlStorage<"mysql"> }> {
  // #region mysql
  const pool = createPool(databaseUrl);
  const storage = mysqlStorage({ pool });
  await storage.migrate();
  // #endregion mysql
  return { pool, storage };
}
