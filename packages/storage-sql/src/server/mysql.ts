import type { System } from "@posthorn/core";
import type { Database } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import { serverDatabase } from "./database.ts";
import { wrongDriver } from "./given.ts";
import { isMysqlPool, type MysqlPool, mysqlConnections } from "./mysql2.ts";

export type { MysqlPool } from "./mysql2.ts";

/**
 * Through the host's pool, which stays the host's.
 *
 * @throws PosthornError `invalid_options` if it is no pool of mysql2.
 */
export function mysqlDatabase(
  pool: MysqlPool,
  dialect: Dialect,
  { system }: { readonly system: Pick<System, "mono" | "sleep" | "random"> },
): Database {
  if (!isMysqlPool(pool)) {
    throw wrongDriver(pool, "what createPool() of mysql2 or mysql2/promise answered");
  }
  return serverDatabase(mysqlConnections(pool), dialect, system);
}
