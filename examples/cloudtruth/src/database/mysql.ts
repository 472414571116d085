import { mysqlStorage } from "@posthorn/storage-sql/mysql";
import { MysqlDialect } from "kysely";
import { createPool } from "mysql2";
import type { Connected } from "./database.ts";

/** MySQL or MariaDB. The app and Posthorn share one pool. */
export function mysql(url: string): Connected {
  const pool = createPool({ uri: url, connectTimeout: 5_000 });
  return {
    dialect: new MysqlDialect({ pool }),
    storage: mysqlStorage({ pool }),
    close: () => pool.promise().end(),
  };
}
