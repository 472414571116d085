import { nodeSystem, type System } from "@posthorn/core";
import { postgresDialect } from "./dialects/postgres.ts";
import { assertOptions } from "./options.ts";
import { postgresNaming } from "./schema/naming.ts";
import { postgresSchema } from "./schema/postgres.ts";
import { type PostgresDriver, postgresDatabase } from "./server/postgres.ts";
import { type SqlStorage, sqlStorage } from "./storage.ts";

export type { PostgresDriver } from "./server/postgres.ts";
export type { SqlStorage } from "./storage.ts";

export interface PostgresStorageOptions {
  /** A `Pool` of pg, a postgres-js `sql`, or a PGlite: the host's own, which it goes on using, and ends. */
  readonly pool: PostgresDriver;
  /** The schema for Posthorn's tables. Default `posthorn`. */
  readonly schema?: string | undefined;
  /**
   * Whether statements are prepared once per connection. Default true; false behind a pooler that
   * gives each transaction another connection and knows no prepared statements.
   */
  readonly prepare?: boolean | undefined;
  /** Waits and chance, for tests. */
  readonly system?: Pick<System, "mono" | "sleep" | "random"> | undefined;
}

/**
 * A storage in PostgreSQL, beside the host's own tables. Any number of processes may share it.
 *
 * @throws PosthornError `invalid_options` if an option is wrong, or there is none of its
 * name: the schema is no identifier, or `pool` is nothing that Posthorn can take connections from.
 */
export function postgresStorage(options: PostgresStorageOptions): SqlStorage<"postgres"> {
  assertOptions("postgresStorage", options, {
    pool: true,
    schema: true,
    prepare: true,
    system: true,
  });
  const { pool, schema, prepare, system = nodeSystem() } = options;
  const naming = postgresNaming({ ...(schema !== undefined && { schema }) });
  const database = postgresDatabase(pool, postgresDialect(naming.table), {
    system,
    ...(prepare !== undefined && { prepare }),
  });
  return sqlStorage({ database, naming, schema: postgresSchema });
}
