import { setTimeout } from "node:timers/promises";
import { nodeSystem } from "@posthorn/core";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { pgTransaction } from "@posthorn/storage-sql/transaction";
import pg from "pg";
import { ownPostgres } from "../own-postgres.ts";
import type { Ground } from "./ground.ts";

const DOWN_MS = 500;

export const postgres: Ground = {
  prepare: async () => {
    const server = await ownPostgres();
    return {
      database: server.url,
      restart: async () => {
        server.stopImmediately();
        await setTimeout(DOWN_MS);
        server.start();
      },
      remove: async () => server.remove(),
    };
  },
  openStorage: (database, { onCommit = () => {}, system = nodeSystem() } = {}) => {
    const pool = new pg.Pool({ connectionString: database, connectionTimeoutMillis: 5_000 });
    pool.on("error", () => {});
    pool.on("connect", (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      const queryAfter = (...args: unknown[]): unknown => {
        if ((args[0] as { readonly text?: string }).text === "commit") onCommit();
        return query(...args);
      };
      Object.assign(client, { query: queryAfter });
    });
    const storage = postgresStorage({ pool, system });
    return {
      storage,
      close: async () => {
        await storage.close();
        await pool.end();
      },
    };
  },
  connectHost: async (database) => {
    const client = new pg.Client({ connectionString: database, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    await client.connect();
    return {
      begin: async () => {
        await client.query("begin");
        return pgTransaction(client);
      },
      say: async (statement, values = []) => {
        let count = 0;
        const text = statement.replaceAll("?", () => `$${++count}`);
        return (await client.query(text, [...values])).rows;
      },
      end: () => client.end(),
    };
  },
};
