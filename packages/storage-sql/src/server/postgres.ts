import type { System } from "@posthorn/core";
import type { Database } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import type { Connections } from "./connections.ts";
import { serverDatabase } from "./database.ts";
import { wrongDriver } from "./given.ts";
import { isPgPool, type PgPool, pgConnections } from "./pg.ts";
import { isPGlite, type PGlite, pgliteConnections } from "./pglite.ts";
import { isPostgresJs, type PostgresJs, postgresJsConnections } from "./postgres-js.ts";
import { preparedStatements } from "./prepared.ts";

/** Through the host's pool, which stays the host's. */
export type PostgresDriver = PgPool | PGlite | PostgresJs;

export interface PostgresDatabaseOptions {
  readonly system: Pick<System, "mono" | "sleep" | "random">;
  /** Whether each connection prepares a statement once. PgBouncer in transaction mode cannot. */
  readonly prepare?: boolean;
}

/** @throws PosthornError `invalid_options` if it is none of these drivers. */
export const postgresDatabase = (
  given: PostgresDriver,
  dialect: Dialect,
  { system, prepare = true }: PostgresDatabaseOptions,
): Database => serverDatabase(connectionsOf(given, prepare), dialect, system);

function connectionsOf(given: PostgresDriver, prepare: boolean): Connections {
  const statements = preparedStatements();
  if (isPgPool(given)) return pgConnections(given, statements, prepare);
  if (isPostgresJs(given)) return postgresJsConnections(given, statements, prepare);
  if (isPGlite(given)) return pgliteConnections(given, statements);
  throw wrongDriver(
    given,
    "a Pool of pg, the sql that postgres() of postgres-js answered, or a PGlite",
  );
}
