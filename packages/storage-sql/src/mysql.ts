import { nodeSystem, type System } from "@posthorn/core";
import { mysqlDialect } from "./dialects/mysql.ts";
import { assertOptions } from "./options.ts";
import { mysqlSchema } from "./schema/mysql.ts";
import { prefixNaming } from "./schema/naming.ts";
import { type MysqlPool, mysqlDatabase } from "./server/mysql.ts";
import { type SqlStorage, sqlStorage } from "./storage.ts";

export type { MysqlPool } from "./server/mysql.ts";
export type { SqlStorage } from "./storage.ts";

export interface MysqlStorageOptions {
  /** What `createPool()` of mysql2 answered: the host's own, which it goes on using, and ends. */
  readonly pool: MysqlPool;
  /** What the names of Posthorn's tables begin with. Default `posthorn_`. */
  readonly prefix?: string | undefined;
  /** Waits and chance, for tests. */
  readonly system?: Pick<System, "mono" | "sleep" | "random"> | undefined;
}

/**
 * A storage in MySQL 8 or MariaDB 10.6 and newer, beside the host's own tables. Any number of
 * processes may share it.
 *
 * @throws PosthornError `invalid_options` if an option is wrong, or there is none of its
 * name: the prefix is no identifier, or `pool` is no pool of mysql2.
 */
export function mysqlStorage(options: MysqlStorageOptions): SqlStorage<"mysql"> {
  assertOptions("mysqlStorage", options, { pool: true, prefix: true, system: true });
  const { pool, prefix, system = nodeSystem() } = options;
  const naming = prefixNaming({ ...(prefix !== undefined && { prefix }) }, "`");
  const database = mysqlDatabase(pool, mysqlDialect(naming.table, naming.index), { system });
  return sqlStorage({ database, naming, schema: mysqlSchema });
}
