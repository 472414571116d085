import { PGlite } from "@electric-sql/pglite";
import { nodeSystem, type System } from "@posthorn/core";
import { createPool } from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import type { Database } from "../src/database.ts";
import type { Dialect } from "../src/dialect.ts";
import type { Row } from "../src/script.ts";
import { mysqlDatabase } from "../src/server/mysql.ts";
import { postgresDatabase } from "../src/server/postgres.ts";
import { startProxy, type TcpProxy } from "./proxy.ts";

/** What the tests of one driver share: an empty database, where tables named `notes` and `others` are. */
export interface Scene extends Pick<Driver, "name" | "server" | "isRemote"> {
  /** Posthorn's view, over a pool of its own; ended after the test. */
  open(options?: Partial<OpenOptions>): Opened;
  place(): Place;
  /** Says something in a transaction, and keeps its locks until the answer is called, or the test ends. */
  hold(sql: string): Promise<() => Promise<void>>;
  /** Before the server; closed after the test. */
  proxy(): Promise<TcpProxy>;
  /** What is awaited before each repetition, instead of time; of this test alone. */
  beforeAgain(wait: () => Promise<unknown>): void;
  /** The words of all notes, by their ids. */
  words(): Promise<readonly unknown[]>;
}

/**
 * Runs tests over each driver, or says why not over some; for want of which server some are left
 * out is told elsewhere.
 */
export function onEachDriver(
  title: string,
  define: (scene: Scene) => void,
  without: { readonly [name in Driver["name"]]?: string } = {},
): void {
  for (const { fresh, ...driver } of drivers) {
    describe.skipIf(fresh === null)(`${title} over ${driver.name}`, () => {
      if (fresh === null) return;
      const reason = without[driver.name];
      if (reason !== undefined) return it("is left out", (test) => test.skip(reason));
      const opened: Opened[] = [];
      const proxies: TcpProxy[] = [];
      const held: (() => Promise<void>)[] = [];
      let place: Place;
      let wait: (() => Promise<unknown>) | undefined;
      const system: System = {
        ...nodeSystem(),
        sleep: async () => {
          await wait?.();
        },
      };

      beforeAll(async () => {
        place = await fresh();
        for (const table of ["notes", "others"]) {
          await place.say(`create table ${table} (id int primary key, word varchar(20) not null)`);
        }
      }, START_MS);
      afterEach(async () => {
        wait = undefined;
        for (const release of held.splice(0)) await release();
        for (const { end } of opened.splice(0)) await end();
        for (const { close } of proxies.splice(0)) await close();
        await place.say("delete from notes");
      });
      afterAll(() => place.drop());

      define({
        ...driver,
        open: (options = {}) => {
          const one = place.open({ system, ...options });
          opened.push(one);
          return one;
        },
        place: () => place,
        hold: async (sql) => {
          const release = once(await place.hold(sql));
          held.push(release);
          return release;
        },
        proxy: async () => {
          const proxy = await startProxy(place.port);
          proxies.push(proxy);
          return proxy;
        },
        beforeAgain: (given) => {
          wait = given;
        },
        words: async () =>
          (await place.say("select word from notes order by id")).map(({ word }) => word),
      });
    });
  }
}

/** A function that does its work when it is first called. */
function once(work: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined;
  return () => {
    working ??= work();
    return working;
  };
}

/** PGlite needs some seconds where many tests run at once. */
const START_MS = 60_000;

/** A driver, and the server behind it. */
interface Driver {
  readonly name: "pg" | "postgres-js" | "PGlite" | "mysql2";
  readonly server: "postgres" | "mysql";
  /** Whether there is more than one connection, and a network. */
  readonly isRemote: boolean;
  /** An empty database; null if there is no server, which is told elsewhere. */
  readonly fresh: (() => Promise<Place>) | null;
}

interface Place {
  /** Where the server listens; -1 if it does not. */
  readonly port: number;
  /** Posthorn's view, over a pool of its own. */
  open(options: OpenOptions): Opened;
  /** Says something on another connection, as somebody else. */
  say(sql: string): Promise<readonly Row[]>;
  /** Says something in a transaction, which the answer commits. */
  hold(sql: string): Promise<() => Promise<void>>;
  /** Makes a stricter isolation than READ COMMITTED the default of connections to come. */
  isolate(): Promise<void>;
  drop(): Promise<void>;
}

interface OpenOptions {
  readonly system: Pick<System, "mono" | "sleep" | "random">;
  readonly connections?: number;
  readonly prepare?: boolean;
  /** Of a proxy, or of nobody. */
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

interface Opened {
  readonly database: Database;
  /** Says something on a connection of the same pool. */
  say(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

const drivers: readonly Driver[] = [
  {
    name: "pg",
    server: "postgres",
    isRemote: true,
    fresh: () =>
      postgresPlace((url, { system, connections = 4, prepare }) => {
        const pool = new pg.Pool({ connectionString: url, max: connections });
        pool.on("error", () => {});
        return {
          database: postgresDatabase(pool, noDialect, preparing(system, prepare)),
          say: (sql) => pool.query(sql),
          end: () => pool.end(),
        };
      }),
  },
  {
    name: "postgres-js",
    server: "postgres",
    isRemote: true,
    fresh: () =>
      postgresPlace((url, { system, connections = 4, prepare }) => {
        const sql = postgres(url, { max: connections, backoff: () => 0, onnotice: () => {} });
        return {
          database: postgresDatabase(sql, noDialect, preparing(system, prepare)),
          say: async (text) => sql.unsafe(text),
          end: () => sql.end({ timeout: 1 }),
        };
      }),
  },
  {
    name: "PGlite",
    server: "postgres",
    isRemote: false,
    fresh: async () => {
      const pglite = new PGlite();
      const say: Place["say"] = async (sql) => (await pglite.query<Row>(sql)).rows;
      return {
        port: -1,
        open: ({ system }) => ({
          database: postgresDatabase(pglite, noDialect, { system }),
          say,
          end: async () => {},
        }),
        say,
        hold: () => Promise.reject(new Error("PGlite is one connection.")),
        isolate: async () => {},
        drop: () => pglite.close(),
      };
    },
  },
  { name: "mysql2", server: "mysql", isRemote: true, fresh: mysqlPlace(mariadbServer()) },
];

/** What drivers do not ask. */
const noDialect = {} as Dialect;

const preparing = (
  system: OpenOptions["system"],
  prepare: boolean | undefined,
): Parameters<typeof postgresDatabase>[2] => ({
  system,
  ...(prepare !== undefined && { prepare }),
});

async function postgresPlace(open: (url: string, options: OpenOptions) => Opened): Promise<Place> {
  const { url, drop } = await freshDatabase(postgresServer());
  const others = new pg.Pool({ connectionString: url, max: 4 });
  others.on("error", () => {});
  return {
    port: Number(new URL(url).port || 5432),
    open: (options) => open(elsewhere(url, options), options),
    say: async (sql) => (await others.query<Row>(sql)).rows,
    hold: async (sql) => {
      const client = await others.connect();
      await client.query(`begin; ${sql}`);
      return async () => {
        await client.query("commit");
        client.release();
      };
    },
    isolate: async () => {
      await others.query(
        `alter database ${new URL(url).pathname.slice(1)} set default_transaction_isolation = 'serializable'`,
      );
    },
    drop: async () => {
      await others.end();
      await drop();
    },
  };
}

function mysqlPlace(server: string | null): Driver["fresh"] {
  if (server === null) return null;
  return async () => {
    const { url, drop } = await freshDatabase(server);
    const others = createPool({ uri: url, connectionLimit: 4 });
    return {
      port: Number(new URL(url).port || 3306),
      open: (options) => {
        const pool = createPool({
          uri: elsewhere(url, options),
          connectionLimit: options.connections ?? 4,
        });
        return {
          database: mysqlDatabase(pool, noDialect, options),
          say: (sql) => pool.query(sql),
          end: () => pool.end(),
        };
      },
      say: async (sql) => (await others.query(sql))[0] as Row[],
      hold: async (sql) => {
        const connection = await others.getConnection();
        await connection.query("begin");
        await connection.query(sql);
        return async () => {
          await connection.query("commit");
          connection.release();
        };
      },
      // It is the default of the server.
      isolate: async () => {},
      drop: async () => {
        await others.end();
        await drop();
      },
    };
  };
}

function elsewhere(given: string, { port, user, password, database }: OpenOptions): string {
  const url = new URL(given);
  if (port !== undefined) {
    url.hostname = "127.0.0.1";
    url.port = String(port);
  }
  if (user !== undefined) url.username = user;
  if (password !== undefined) url.password = password;
  if (database !== undefined) url.pathname = database;
  return url.href;
}
