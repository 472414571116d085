import {
  type PoolConnection as CallbackConnection,
  createPool as createCallbackPool,
} from "mysql2";
import { createConnection, createPool, type Pool, type PoolConnection } from "mysql2/promise";
import { describe, expect, it } from "vitest";
import { anEventNamed } from "../../test/events.ts";
import { hostDatabases } from "../../test/host.ts";
import { type Library, transactionSuite } from "../../test/transaction-suite.ts";
import { mysqlStorage } from "../mysql.ts";
import { mysqlTransaction } from "./mysql.ts";

const drivenBy = (pool: Pool): Library<PoolConnection> => ({
  transaction: async (work) => {
    const connection = await pool.getConnection();
    try {
      await connection.beginTransaction();
      await work(connection);
      await connection.commit();
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  },
  savepoint: async (connection, work) => {
    await connection.query("savepoint inner_one");
    try {
      await work(connection);
    } catch (error) {
      await connection.query("rollback to savepoint inner_one");
      throw error;
    }
  },
  wrap: mysqlTransaction,
  end: () => pool.end(),
});

transactionSuite<PoolConnection>("mysqlTransaction", {
  dialect: "mysql",
  open: ({ url }) => drivenBy(createPool(url)),
});

transactionSuite<PoolConnection>("mysqlTransaction of a connection that answers rows as arrays", {
  dialect: "mysql",
  open: ({ url }) => drivenBy(createPool({ uri: url, rowsAsArray: true })),
});

transactionSuite<PoolConnection>("mysqlTransaction of a connection with callbacks", {
  dialect: "mysql",
  open: ({ url }) => ({
    ...drivenBy(createCallbackPool(url).promise()),
    wrap: ({ connection }) => mysqlTransaction(connection as unknown as CallbackConnection),
  }),
});

describe.skipIf(hostDatabases.mysql === null)("mysqlTransaction", () => {
  it("of a connection that knows Latin alone: events are stored to the byte", async () => {
    const host = await hostDatabases.mysql?.();
    const pool = createPool(host?.url as string);
    const storage = mysqlStorage({ pool });
    await storage.migrate();
    const latin = await createConnection({
      uri: host?.url as string,
      charset: "LATIN1_SWEDISH_CI",
    });
    await latin.beginTransaction();
    const organization = "Škoda 🚗";
    const event = anEventNamed("e-1", { organization, payload: '"Ŕé 😀 \\ud800 \\u0000"' });
    await storage.append([event], mysqlTransaction(latin));
    await latin.commit();
    const stored = await storage.history.event({ organization, id: "e-1" });
    expect(stored?.payload).toBe(event.payload);
    await Promise.all([latin.end(), pool.end()]);
    await host?.drop();
  });

  it("refuses a connection in autocommit, and takes one without it", async () => {
    const host = await hostDatabases.mysql?.();
    const connection = await createConnection(host?.url as string);
    const tx = mysqlTransaction(connection);
    await expect(tx.assertOpen()).rejects.toThrow("is not open");
    await connection.query("set autocommit = 0");
    await tx.assertOpen();
    await connection.query("set autocommit = 1");
    await expect(tx.assertOpen()).rejects.toThrow("is not open");
    await connection.end();
    await host?.drop();
  });

  it("sees that a change of tables has committed the transaction", async () => {
    const host = await hostDatabases.mysql?.();
    const connection = await createConnection(host?.url as string);
    await connection.beginTransaction();
    await connection.query("create table others (id int)");
    await expect(mysqlTransaction(connection).assertOpen()).rejects.toThrow("is not open");
    await connection.end();
    await host?.drop();
  });
});
