import { setTimeout } from "node:timers/promises";
import { nodeSystem, type System } from "@posthorn/core";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import type { TableName } from "../src/dialect.ts";
import { mysqlDialect } from "../src/dialects/mysql.ts";
import { postgresDialect } from "../src/dialects/postgres.ts";
import { mysqlSchema } from "../src/schema/mysql.ts";
import { postgresNaming, prefixNaming } from "../src/schema/naming.ts";
import { postgresSchema } from "../src/schema/postgres.ts";
import type { Row } from "../src/script.ts";
import type { Connections, Execute } from "../src/server/connections.ts";
import { serverDatabase } from "../src/server/database.ts";
import { mysqlConnections } from "../src/server/mysql2.ts";
import { pgConnections } from "../src/server/pg.ts";
import { preparedStatements } from "../src/server/prepared.ts";
import { type SqlStorage, sqlStorage } from "../src/storage.ts";
import type { SqlTransaction } from "../src/transaction/transaction.ts";
import { mysqlTransaction, pgTransaction } from "../src/transaction.ts";
import { unused } from "./schema-servers.ts";
import { type Work, workOn } from "./work.ts";

/** A server on which each test has tables of its own. */
export interface Ground {
  readonly dialect: "postgres" | "mysql";
  fresh(): Promise<Tables>;
}

export interface Tables {
  /** One more process of the host's that works on them; a hasty one gives up at its first try. */
  process(temper?: "hasty"): Process;
  /** One more transaction of the host's. */
  begin(isolation?: "repeatable read" | "serializable"): Promise<Host>;
  table(name: TableName): string;
  /** Says something on somebody else's connection. */
  say(sql: string): Promise<readonly Row[]>;
  /** Resolves when as many connections wait for locks that others hold. */
  untilWaiting(count?: number): Promise<void>;
}

/** A process, and what the database hears of it. */
export interface Process extends Work {
  readonly storage: SqlStorage<never>;
  /** The statements that it has sent, and "commit". */
  readonly said: string[];
  /** The errors that the database answered to them. */
  readonly errors: unknown[];
  /** Holds it, once, before it says such a thing; resolves when it is about to. */
  holdBefore(said: RegExp): Promise<{ letGo(): void }>;
  /** Its next commit happens, and its connection is lost before it hears of that. */
  loseNextCommit(): void;
}

/** A transaction of the host's. */
interface Host {
  readonly tx: SqlTransaction;
  /** The statements that were sent in it. */
  readonly said: string[];
  say(sql: string): Promise<readonly Row[]>;
  end(how: "commit" | "rollback"): Promise<void>;
}

/** Runs tests on each server; for want of which some are left out is told elsewhere. */
export function onEachServer(title: string, define: (ground: Ground) => void): void {
  for (const { name, dialect, url, connect } of servers) {
    describe.skipIf(url === null)(`${title} on ${name}`, () => {
      if (url === null) return;
      let place: Place;
      let drop: () => Promise<void>;
      beforeAll(async () => {
        const database = await freshDatabase(url);
        place = connect(database.url);
        drop = database.drop;
      });
      afterAll(async () => {
        await place.end();
        await drop();
      });
      define({ dialect, fresh: () => tablesIn(place, unused()) });
    });
  }
}

async function tablesIn(place: Place, scope: string): Promise<Tables> {
  await place.open(place.connections(), scope, PATIENT).migrate();
  return {
    process: (temper) =>
      watched(place.connections(), (connections) =>
        place.open(connections, scope, temper === "hasty" ? hasty() : PATIENT),
      ),
    begin: (isolation) => place.begin(isolation),
    table: (name) => place.table(scope, name),
    say: place.say,
    untilWaiting: async (count = 1) => {
      while ((await place.waiting()) < count);
    },
  };
}

function watched(
  { plain, transaction }: Connections,
  open: (connections: Connections) => SqlStorage<never>,
): Process {
  const said: string[] = [];
  const errors: unknown[] = [];
  let hold: { readonly at: RegExp; readonly wait: () => Promise<void> } | null = null;
  let isCommitLost = false;

  async function saying(text: string): Promise<void> {
    if (hold?.at.test(text)) {
      const { wait } = hold;
      hold = null;
      await wait();
    }
    said.push(text);
  }
  const listening =
    (execute: Execute): Execute =>
    async (statement) => {
      await saying(statement.text);
      try {
        return await execute(statement);
      } catch (error) {
        errors.push(error);
        throw error;
      }
    };

  const connections: Connections = {
    plain: (play) => plain((execute) => play(listening(execute))),
    transaction: async (play, committing) => {
      const result = await transaction(async (execute) => {
        const played = await play(listening(execute));
        await saying("commit");
        return played;
      }, committing);
      if (!isCommitLost) return result;
      isCommitLost = false;
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    },
  };

  const storage = open(connections);
  return {
    ...workOn(storage),
    storage,
    said,
    errors,
    holdBefore: (at) =>
      new Promise((resolve) => {
        const wait = () => new Promise<void>((letGo) => resolve({ letGo }));
        hold = { at, wait };
      }),
    loseNextCommit: () => {
      isCommitLost = true;
    },
  };
}

export const isDeadlock = (error: unknown): boolean =>
  ["40P01", "ER_LOCK_DEADLOCK"].includes((error as { readonly code: string }).code);

/** What differs between servers. */
interface Place extends Pick<Tables, "begin" | "say"> {
  /** The pool of one more process. */
  connections(): Connections;
  open(connections: Connections, scope: string, system: ServerSystem): SqlStorage<never>;
  table(scope: string, name: TableName): string;
  /** How many connections to this database wait for locks. */
  waiting(): Promise<number>;
  end(): Promise<void>;
}

const servers: readonly {
  readonly name: string;
  readonly dialect: Ground["dialect"];
  readonly url: string | null;
  readonly connect: (url: string) => Place;
}[] = [
  { name: "PostgreSQL", dialect: "postgres", url: postgresServer(), connect: postgresPlace },
  { name: "MariaDB", dialect: "mysql", url: mariadbServer(), connect: mariadbPlace },
];

type ServerSystem = Pick<System, "mono" | "sleep" | "random">;

/** Nobody waits between two tries. */
const PATIENT: ServerSystem = { ...nodeSystem(), sleep: async () => {} };

/** For whom each try has taken too long for another one. */
function hasty(): ServerSystem {
  let now = 0;
  return {
    ...PATIENT,
    mono: () => {
      now += 10_000;
      return now;
    },
  };
}

function postgresPlace(url: string): Place {
  const pools: pg.Pool[] = [];
  const connect = (): pg.Pool => {
    const pool = new pg.Pool({ connectionString: url, options: "-c deadlock_timeout=50ms" });
    pool.on("error", () => {});
    pools.push(pool);
    return pool;
  };
  const others = connect();
  const naming = (schema: string) => postgresNaming({ schema });
  return {
    connections: () => pgConnections(connect(), preparedStatements(), true),
    open: (connections, schema, system) =>
      sqlStorage<"postgres">({
        database: serverDatabase(connections, postgresDialect(naming(schema).table), system),
        naming: naming(schema),
        schema: postgresSchema,
      }) as SqlStorage<never>,
    table: (schema, name) => naming(schema).table(name),
    say: async (sql) => (await others.query<Row>(sql)).rows,
    waiting: async () => {
      const text =
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return (await others.query(text)).rows.length;
    },
    begin: async (isolation = undefined) => {
      const client = await others.connect();
      await client.query(`begin isolation level ${isolation ?? "read committed"}`);
      const said: string[] = [];
      const query = client.query.bind(client) as (...given: unknown[]) => unknown;
      client.query = ((...given: unknown[]) => {
        said.push((given[0] as { readonly text?: string }).text ?? String(given[0]));
        return query(...given);
      }) as typeof client.query;
      return {
        tx: pgTransaction(client),
        said,
        say: async (sql) => (await client.query<Row>(sql)).rows,
        end: async (how) => {
          await query(how);
          Reflect.deleteProperty(client, "query");
          client.release();
        },
      };
    },
    end: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

function mariadbPlace(url: string): Place {
  const pools: ReturnType<typeof createPool>[] = [];
  const connect = () => {
    const pool = createPool({ uri: url, connectionLimit: 10 });
    pools.push(pool);
    return pool;
  };
  const others = connect();
  const naming = (prefix: string) => prefixNaming({ prefix }, "`");
  return {
    connections: () => mysqlConnections(connect()),
    open: (connections, prefix, system) =>
      sqlStorage<"mysql">({
        database: serverDatabase(
          connections,
          mysqlDialect(naming(prefix).table, naming(prefix).index),
          system,
        ),
        naming: naming(prefix),
        schema: mysqlSchema,
      }) as SqlStorage<never>,
    table: (prefix, name) => naming(prefix).table(name),
    say: async (sql) => (await others.query(sql))[0] as Row[],
    waiting: async () => {
      await setTimeout(120); // What it tells of transactions is old until nobody asked for 100 ms.
      const [rows] = await others.query(
        "select 1 from information_schema.innodb_trx t join information_schema.processlist p on p.id = t.trx_mysql_thread_id where t.trx_state = 'LOCK WAIT' and p.db = database()",
      );
      return (rows as Row[]).length;
    },
    begin: async (isolation = undefined) => {
      const connection = await others.getConnection();
      await connection.query(`set transaction isolation level ${isolation ?? "repeatable read"}`);
      await connection.query("begin");
      const said: string[] = [];
      const execute = connection.execute.bind(connection) as (...given: unknown[]) => unknown;
      connection.execute = ((...given: unknown[]) => {
        said.push((given[0] as { readonly sql?: string }).sql ?? String(given[0]));
        return execute(...given);
      }) as typeof connection.execute;
      return {
        tx: mysqlTransaction(connection),
        said,
        say: async (sql) => (await connection.query(sql))[0] as Row[],
        end: async (how) => {
          await connection.query(how);
          Reflect.deleteProperty(connection, "execute");
          connection.release();
        },
      };
    },
    end: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}
