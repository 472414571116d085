import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { HostTransaction, StorageHarness } from "@posthorn/testing/contract";
import BetterSqlite3 from "better-sqlite3";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { freshDatabase } from "../../../test/servers.ts";
import type { DialectName } from "../src/dialect.ts";
import { mysqlStorage } from "../src/mysql.ts";
import { postgresStorage } from "../src/postgres.ts";
import { sqliteStorage } from "../src/sqlite.ts";
import type { SqlStorage } from "../src/storage.ts";
import type { SqlTransaction } from "../src/transaction/transaction.ts";
import { mysqlTransaction, pgTransaction, sqliteTransaction } from "../src/transaction.ts";

/** What the published suites need, on a real database, and how to be rid of it. */
export interface DatabaseHarness extends StorageHarness {
  open(): Promise<SqlStorage<never>>;
  reopen(): SqlStorage<never>;
  readonly transaction: HostTransaction;
  end(): Promise<void>;
}

/** A file of its own for each storage that is opened. */
export function sqliteHarness(driver: "node:sqlite" | "better-sqlite3"): DatabaseHarness {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-"));
  let opened = 0;
  const file = (): string => join(folder, `${opened}.db`);
  const open = (): SqlStorage<"sqlite"> =>
    driver === "node:sqlite"
      ? sqliteStorage({ file: file(), synchronous: "normal" })
      : sqliteStorage({ connection: new BetterSqlite3(file()), synchronous: "normal" });
  return {
    ...opening(open, () => {
      opened += 1;
    }),
    transaction: hostTransactions(
      async () => {
        const db = driver === "node:sqlite" ? new DatabaseSync(file()) : new BetterSqlite3(file());
        db.exec("begin immediate");
        return { host: db, tx: sqliteTransaction(db) };
      },
      async (db, end) => {
        db.exec(end);
        db.close();
      },
    ),
    end: async () => rmSync(folder, { recursive: true }),
  };
}

/** A schema of its own for each storage that is opened. */
export async function postgresHarness(server: string): Promise<DatabaseHarness> {
  const { url, drop } = await freshDatabase(server);
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {});
  let opened = 0;
  const schema = (): string => `posthorn_${opened}`;
  return {
    ...opening(
      () => postgresStorage({ pool, schema: schema() }),
      () => {
        opened += 1;
      },
    ),
    transaction: hostTransactions(
      async () => {
        const client = await pool.connect();
        await client.query("begin");
        return { host: client, tx: pgTransaction(client) };
      },
      async (client, end) => {
        await client.query(end);
        client.release();
      },
    ),
    concurrentWrites: true,
    end: async () => {
      await pool.end();
      await drop();
    },
  };
}

/**
 * A prefix of its own for each storage that is opened, in a database with the character set that
 * servers had for decades unless told otherwise.
 */
export async function mysqlHarness(server: string): Promise<DatabaseHarness> {
  const { url, drop } = await freshDatabase(server);
  // Each prefix has statements of its own, and a server keeps 16,382 for all that it is connected with.
  const pool = createPool({ uri: url, connectionLimit: 10, maxPreparedStatements: 500 });
  await pool.query("alter database character set latin1");
  let opened = 0;
  return {
    ...opening(
      () => mysqlStorage({ pool, prefix: `posthorn_${opened}_` }),
      () => {
        opened += 1;
      },
    ),
    transaction: hostTransactions(
      async () => {
        const connection = await pool.getConnection();
        await connection.beginTransaction();
        return { host: connection, tx: mysqlTransaction(connection) };
      },
      async (connection, end) => {
        await connection.query(end);
        connection.release();
      },
    ),
    concurrentWrites: true,
    end: async () => {
      await pool.end();
      await drop();
    },
  };
}

const opening = (
  make: () => SqlStorage<DialectName>,
  next: () => void,
): Pick<DatabaseHarness, "open" | "reopen"> => ({
  open: async () => {
    next();
    const storage = make();
    await storage.migrate();
    return storage as SqlStorage<never>;
  },
  reopen: () => make() as SqlStorage<never>,
});

/** Remembers, for each wrapped transaction, what it is of. */
function hostTransactions<Host>(
  begin: () => Promise<{ host: Host; tx: SqlTransaction }>,
  end: (host: Host, statement: "commit" | "rollback") => Promise<void>,
): HostTransaction {
  const hosts = new Map<unknown, Host>();
  const ending = (statement: "commit" | "rollback") => async (tx: unknown) => {
    await end(hosts.get(tx) as Host, statement);
    hosts.delete(tx);
  };
  return {
    begin: async () => {
      const { host, tx } = await begin();
      hosts.set(tx, host);
      return tx;
    },
    commit: ending("commit"),
    rollback: ending("rollback"),
  };
}
