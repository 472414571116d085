import { afterAll, beforeAll, describe } from "vitest";
import type { DialectName } from "../src/dialect.ts";
import type { Target } from "../src/schema/migrate.ts";
import type { Schema } from "../src/schema/migration.ts";
import { type Connection, schemaServers, unused } from "./schema-servers.ts";

/** What the tests of one kind of database share: an empty database, and a connection to it. */
export interface Place {
  readonly dialect: DialectName;
  readonly schema: Schema;
  url(): string;
  /** The connection that `target` uses. */
  connection(): Connection;
  /** Another one. */
  connect(): Promise<Connection>;
  /** Tables of their own, not made yet. */
  target(rest?: Partial<Target> & { readonly scope?: string }): Target;
}

/** Runs tests on each kind of database; for want of which server some are left out is told elsewhere. */
export function onEachDatabase(title: string, define: (place: Place) => void): void {
  for (const dialect of ["sqlite", "postgres", "mysql"] as const) {
    const server = schemaServers[dialect];
    describe.skipIf(server === null)(`${title} on ${dialect}`, () => {
      if (server === null) return;
      const { schema } = server;
      const connections: Connection[] = [];
      let database: Awaited<ReturnType<typeof server.fresh>>;
      let connection: Connection;

      const connect = async (): Promise<Connection> => {
        const opened = await server.connect(database.url);
        connections.push(opened);
        return opened;
      };
      beforeAll(async () => {
        database = await server.fresh();
        connection = await connect();
      });
      afterAll(async () => {
        for (const opened of connections) await opened.end().catch(() => {});
        await database.drop();
      });
      define({
        dialect,
        schema,
        url: () => database.url,
        connection: () => connection,
        connect,
        target: ({ scope = unused(), ...rest } = {}) => ({
          database: connection.database,
          schema,
          naming: server.naming(scope),
          ...rest,
        }),
      });
    });
  }
}
