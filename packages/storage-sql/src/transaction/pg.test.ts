import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HostDatabase, hostDatabases } from "../../test/host.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import { type PgClient, pgTransaction } from "./pg.ts";
import type { SqlTransaction } from "./transaction.ts";

transactionSuite<PgClient>("pgTransaction", {
  dialect: "postgres",
  open: ({ url }) => {
    const pool = new pg.Pool({ connectionString: url });
    return {
      transaction: async (work) => {
        const client = await pool.connect();
        try {
          await client.query("begin");
          await work(client);
          await client.query("commit");
        } catch (error) {
          await client.query("rollback");
          throw error;
        } finally {
          client.release();
        }
      },
      savepoint: async (client, work) => {
        const say = (text: string) => client.query({ text, values: [] });
        await say("savepoint inner_one");
        try {
          await work(client);
        } catch (error) {
          await say("rollback to savepoint inner_one");
          throw error;
        }
      },
      wrap: pgTransaction,
      end: () => pool.end(),
    };
  },
});

describe("pgTransaction", () => {
  let host: HostDatabase;
  let pool: pg.Pool;
  beforeAll(async () => {
    host = await (hostDatabases.postgres as () => Promise<HostDatabase>)();
    pool = new pg.Pool({ connectionString: host.url, max: 1 });
  });
  afterAll(async () => {
    await pool.end();
    await host.drop();
  });
  const withClient = async (work: (client: pg.PoolClient) => Promise<void>): Promise<void> => {
    const client = await pool.connect();
    try {
      await work(client);
    } finally {
      client.release();
    }
  };

  it("refuses a client on which no transaction was begun", () =>
    withClient(async (client) => {
      await expect(pgTransaction(client).assertOpen()).rejects.toThrow("is not open");
      await client.query("select 1");
      await expect(pgTransaction(client).assertOpen()).rejects.toThrow("is not open");
    }));

  it("asks the server while queries are under way, which may begin or end the transaction", () =>
    withClient(async (client) => {
      const tx = pgTransaction(client);
      const begun = client.query("begin");
      await tx.assertOpen();
      await begun;
      const committed = client.query("commit");
      await expect(tx.assertOpen()).rejects.toThrow("is not open");
      await committed;
    }));

  it("asks the server where pg is too old to know", () =>
    withClient(async (client) => {
      const old = Object.assign(client, { getTransactionStatus: undefined as never });
      await expect(pgTransaction(old).assertOpen()).rejects.toThrow("is not open");
      await client.query("begin");
      await pgTransaction(old).assertOpen();
      await client.query("rollback");
      await expect(pgTransaction(old).assertOpen()).rejects.toThrow("is not open");
      Reflect.deleteProperty(old, "getTransactionStatus");
    }));

  it("refuses a client that went back to its pool, though it is in somebody else's transaction", async () => {
    let mine: SqlTransaction | undefined;
    await withClient(async (client) => {
      mine = pgTransaction(client);
      await client.query("begin");
      await mine.assertOpen();
      await client.query("commit");
    });
    await withClient(async (client) => {
      await client.query("begin");
      await pgTransaction(client).assertOpen();
      await expect(mine?.assertOpen()).rejects.toThrow("is not open");
      await client.query("rollback");
    });
  });

  it("prepares nothing, unless it is told that connections keep what is prepared", () =>
    withClient(async (client) => {
      const prepared = async (): Promise<readonly string[]> => {
        const { rows } = await client.query("select statement from pg_prepared_statements");
        return rows.map(({ statement }) => statement);
      };
      const statement = { text: "select ?::text as said", params: ["hello"] };
      await client.query("begin");
      await pgTransaction(client).execute(statement);
      expect(await prepared()).toEqual([]);
      const tx = pgTransaction(client, { prepare: true });
      for (let time = 0; time < 2; time += 1) {
        expect(await tx.execute(statement)).toEqual({ rows: [{ said: "hello" }], affected: 1 });
      }
      expect(await prepared()).toEqual(["select $1::text as said"]);
      await client.query("rollback");
    }));

  it("refuses an option that there is none of", () =>
    withClient(async (client) => {
      expect(() => pgTransaction(client, { prepared: true } as object)).toThrow(
        'pgTransaction has no option "prepared". Its options are prepare.',
      );
    }));

  it("leaves it to the database what there is to say about a transaction that failed", () =>
    withClient(async (client) => {
      const tx = pgTransaction(client);
      await client.query("begin");
      await expect(client.query("selec")).rejects.toThrow();
      await tx.assertOpen();
      const underWay = expect(client.query("select 1")).rejects.toThrow("aborted");
      await tx.assertOpen();
      await underWay;
      await expect(tx.execute({ text: "select 1", params: [] })).rejects.toThrow("aborted");
      await client.query("rollback");
    }));
});
