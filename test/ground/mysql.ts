import { nodeSystem } from "@posthorn/core";
import { mysqlStorage } from "@posthorn/storage-sql/mysql";
import { mysqlTransaction } from "@posthorn/storage-sql/transaction";
import { createConnection, createPool } from "mysql2/promise";
import { freshDatabase, MARIADB } from "../servers.ts";
import type { Ground } from "./ground.ts";

export const mysql: Ground = {
  prepare: async () => {
    const server = process.env[MARIADB] ?? "mysql://root@127.0.0.1:3306/mysql";
    if (server === "none") return `${MARIADB} is "none"`;
    try {
      const { url, drop } = await freshDatabase(server);
      return { database: url, remove: drop };
    } catch (error) {
      return `no database on ${new URL(server).host}: ${error}`;
    }
  },
  openStorage: (database, { onCommit = () => {}, system = nodeSystem() } = {}) => {
    const pool = createPool({ uri: database, connectTimeout: 5_000 });
    pool.pool.on("connection", (connection) => {
      const query = connection.query.bind(connection) as (...args: unknown[]) => unknown;
      const queryAfter = (...args: unknown[]): unknown => {
        if ((args[0] as { readonly sql?: string }).sql === "commit") onCommit();
        return query(...args);
      };
      Object.assign(connection, { query: queryAfter });
    });
    const storage = mysqlStorage({ pool, system });
    return {
      storage,
      close: async () => {
        await storage.close();
        await pool.end();
      },
    };
  },
  connectHost: async (database) => {
    const connection = await createConnection({ uri: database, connectTimeout: 5_000 });
    connection.on("error", () => {});
    return {
      begin: async () => {
        await connection.beginTransaction();
        return mysqlTransaction(connection);
      },
      say: async (statement, values = []) => {
        const [rows] = await connection.query(statement, [...values]);
        return Array.isArray(rows) ? (rows as object[]) : [];
      },
      end: async () => connection.destroy(),
    };
  },
};
