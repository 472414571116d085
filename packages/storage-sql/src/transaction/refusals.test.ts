import "reflect-metadata";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
import { EntitySchema, MikroORM } from "@mikro-orm/postgresql";
import Better from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { drizzle as drizzleOnPg } from "drizzle-orm/node-postgres";
import { drizzle as drizzleOnProxy } from "drizzle-orm/sqlite-proxy";
import makeKnex from "knex";
import {
  DummyDriver,
  Kysely,
  MssqlAdapter,
  MssqlIntrospector,
  MssqlQueryCompiler,
  SqliteDialect,
} from "kysely";
import { createPool as createCallbackPool } from "mysql2";
import { createPool } from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { DataSource } from "typeorm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresServer } from "../../../../test/servers.ts";
import { postgresNaming } from "../schema/naming.ts";
import type { Script } from "../script.ts";
import * as adapters from "../transaction.ts";
import { joining } from "./join.ts";
import { isSqlTransaction } from "./transaction.ts";

/** Everything that hosts can mistake for another, made by its own library. */
interface Thing {
  readonly thing: unknown;
  /** What wraps it; or what the error advises. */
  readonly wrap?: keyof typeof adapters;
  readonly says: string;
}

const closing: (() => unknown)[] = [];
const things: { [name: string]: Thing } = {};

beforeAll(async () => {
  const ending = <Value extends { end(): unknown }>(value: Value): Value => {
    closing.push(() => value.end());
    return value;
  };
  /** Keeps a transaction open, until all have been tried. */
  const held = <Tx>(begin: (work: (tx: Tx) => Promise<void>) => Promise<unknown>): Promise<Tx> =>
    new Promise((resolve, reject) => {
      begin((tx) => {
        resolve(tx);
        return new Promise((end) => closing.unshift(end));
      }).catch(reject);
    });

  const sql = ending(postgres(postgresServer(), { onnotice: () => {} }));
  const reserved = await sql.reserve();
  closing.unshift(() => reserved.release());
  const kysely = new Kysely<object>({
    dialect: new SqliteDialect({ database: new Better(":memory:") }),
  });
  const drizzled = drizzle(new Better(":memory:"));
  const knex = makeKnex({
    client: "better-sqlite3",
    connection: { filename: ":memory:" },
    useNullAsDefault: true,
  });
  const dataSource = await new DataSource({
    type: "better-sqlite3",
    database: ":memory:",
  }).initialize();
  const pglite = await PGlite.create();
  const orm = await MikroORM.init({
    clientUrl: postgresServer(),
    entities: [
      new EntitySchema<{ id: string }>({
        name: "Note",
        properties: { id: { type: "text", primary: true } },
      }),
    ],
  });
  closing.push(
    () => kysely.destroy(),
    () => knex.destroy(),
    () => dataSource.destroy(),
    () => pglite.close(),
    () => orm.close(),
  );

  Object.assign(things, {
    "a pg Pool": {
      thing: new pg.Pool(),
      says: "a pg Pool, which may run each query on another connection, outside your transaction. Begin the transaction on a client, and pass that: const client = await pool.connect().",
    },
    "a pg client": {
      thing: new pg.Client(),
      wrap: "pgTransaction",
      says: "a pg client. Wrap that with pgTransaction(client).",
    },
    "a postgres.js sql": {
      thing: sql,
      says: "a postgres.js sql that is not in sql.begin. Pass the inner sql: sql.begin(async (sql) => …).",
    },
    "a reserved postgres.js sql": {
      thing: reserved,
      says: "a postgres.js sql that is not in sql.begin.",
    },
    "the inner sql of postgres.js": {
      thing: await held<unknown>((work) => sql.begin(work)),
      wrap: "postgresJsTransaction",
      says: "the sql of a postgres.js transaction. Wrap that with postgresJsTransaction(sql).",
    },
    "a Kysely instance": {
      thing: kysely,
      says: "a Kysely instance, which may run each query on another connection, outside your transaction. Pass the trx: db.transaction().execute(async (trx) => …).",
    },
    "a Kysely transaction": {
      thing: await held<unknown>((work) => kysely.transaction().execute(work)),
      wrap: "kyselyTransaction",
      says: "a Kysely transaction. Wrap that with kyselyTransaction(trx).",
    },
    "a Drizzle database": {
      thing: drizzled,
      says: "a Drizzle database, which may run each query on another connection, outside your transaction. Pass the tx: db.transaction(async (tx) => …).",
    },
    "another Drizzle database": {
      thing: drizzleOnPg(new pg.Pool()),
      says: "a Drizzle database, ",
    },
    "a Drizzle transaction": {
      thing: drizzled.transaction((tx) => tx),
      wrap: "drizzleTransaction",
      says: "a Drizzle transaction. Wrap that with drizzleTransaction(tx).",
    },
    "a Knex instance": {
      thing: knex,
      says: "a Knex instance, which may run each query on another connection, outside your transaction. Pass the trx: knex.transaction(async (trx) => …).",
    },
    "a Knex transaction": {
      thing: await held<unknown>((work) => knex.transaction(work)),
      wrap: "knexTransaction",
      says: "a Knex transaction. Wrap that with knexTransaction(trx).",
    },
    "a TypeORM data source": {
      thing: dataSource,
      says: "a TypeORM data source, which has no transaction of its own. Pass the manager: dataSource.transaction(async (manager) => …).",
    },
    "a TypeORM query runner": {
      thing: dataSource.createQueryRunner(),
      wrap: "typeormTransaction",
      says: "a TypeORM query runner. Wrap that with typeormTransaction(manager).",
    },
    "a TypeORM entity manager": {
      thing: dataSource.createQueryRunner().manager,
      wrap: "typeormTransaction",
      says: "a TypeORM entity manager. Wrap that with typeormTransaction(manager).",
    },
    "a MikroORM entity manager": {
      thing: await held<unknown>((work) => orm.em.fork().transactional(work)),
      wrap: "mikroOrmTransaction",
      says: "a MikroORM entity manager. Wrap that with mikroOrmTransaction(em).",
    },
    "a PGlite instance": {
      thing: pglite,
      says: "a PGlite instance, whose queries run outside your transaction. Pass the tx: db.transaction(async (tx) => …).",
    },
    "a PGlite transaction": {
      thing: await held<unknown>((work) => pglite.transaction(work)),
      wrap: "pgliteTransaction",
      says: "a PGlite transaction. Wrap that with pgliteTransaction(tx).",
    },
    "a database of node:sqlite": {
      thing: new DatabaseSync(":memory:"),
      wrap: "sqliteTransaction",
      says: "a SQLite database. Wrap that with sqliteTransaction(db).",
    },
    "a database of better-sqlite3": {
      thing: new Better(":memory:"),
      wrap: "sqliteTransaction",
      says: "a SQLite database. Wrap that with sqliteTransaction(db).",
    },
    "a mysql2 pool": {
      thing: ending(createPool({})),
      says: "a mysql2 pool, which may run each query on another connection, outside your transaction. Begin the transaction on a connection, and pass that: const connection = await pool.getConnection().",
    },
    "a mysql2 pool with callbacks": {
      thing: ending(createCallbackPool({})),
      says: "a mysql2 pool, ",
    },
    "a Prisma client": {
      thing: prisma({ $connect: () => {}, $transaction: () => {} }),
      says: "a Prisma client, which may run each query on another connection, outside your transaction. Pass the tx: prisma.$transaction(async (tx) => …).",
    },
    "a Prisma transaction": {
      thing: prisma({}),
      wrap: "prismaTransaction",
      says: "a Prisma transaction. Wrap that with prismaTransaction(tx).",
    },
    "a wrapped transaction": {
      thing: adapters.pgTransaction(new pg.Client()),
      says: "a transaction that is wrapped already. Pass it to Posthorn as it is.",
    },
    "a promise": { thing: Promise.resolve(), says: "a promise. Await it first." },
    undefined: { thing: undefined, says: "undefined." },
    null: { thing: null, says: "null." },
    "a string": { thing: "begin", says: "a string." },
    "an empty object": { thing: {}, says: "an object without properties." },
    "an array": { thing: [], says: "an array." },
    "a function": { thing: () => {}, says: "a function." },
    "an object of the host's": {
      thing: { host: "db", password: "hunter2", a: 1, b: 2, c: 3, d: 4 },
      says: "an object with host, password, a, b, c, ….",
    },
  } satisfies { [name: string]: Thing });
}, 60_000);

afterAll(async () => {
  for (const close of closing) await close();
});

const prisma = (rest: object): object => ({
  $queryRawUnsafe: async () => [],
  $executeRawUnsafe: async () => 0,
  _activeProvider: "postgresql",
  ...rest,
});

describe.each([
  ["pgTransaction", "pgTransaction(client) takes the pg client on which BEGIN ran"],
  ["postgresJsTransaction", "postgresJsTransaction(sql) takes the inner sql of sql.begin"],
  ["kyselyTransaction", "kyselyTransaction(trx) takes the trx of db.transaction().execute"],
  ["drizzleTransaction", "drizzleTransaction(tx) takes the tx of db.transaction"],
  ["knexTransaction", "knexTransaction(trx) takes the trx of knex.transaction"],
  ["typeormTransaction", "typeormTransaction(manager) takes the manager of dataSource.transaction"],
  ["prismaTransaction", "prismaTransaction(tx) takes the tx of prisma.$transaction"],
  ["mikroOrmTransaction", "mikroOrmTransaction(em) takes the em of em.transactional"],
  ["pgliteTransaction", "pgliteTransaction(tx) takes the tx of db.transaction"],
  ["sqliteTransaction", "sqliteTransaction(db) takes the node:sqlite or better-sqlite3 database"],
  ["mysqlTransaction", "mysqlTransaction(connection) takes the mysql2 connection on which begin"],
] as const)("%s", (name, takes) => {
  const adapter = Reflect.get(adapters, name) as (given: unknown) => unknown;

  it("takes its own library's", () => {
    for (const { thing, wrap } of Object.values(things)) {
      if (wrap === name) expect(() => adapter(thing)).not.toThrow();
    }
  });

  it("refuses everything else, and says what it is and what to pass", () => {
    for (const { thing, wrap, says } of Object.values(things)) {
      if (wrap === name) continue;
      expect(() => adapter(thing)).toThrow(
        expect.objectContaining({
          code: "unknown_transaction",
          message: expect.stringContaining(takes),
        }),
      );
      expect(() => adapter(thing)).toThrow(`; it was given ${says}`);
    }
  });

  it("does not repeat what it was given, which may be secret", () => {
    expect(() => adapter({ password: "hunter2" })).not.toThrow("hunter2");
  });
});

describe("a storage", () => {
  const nothing = function* (): Script<void> {};
  const join = joining("postgres", postgresNaming(), nothing);

  it("refuses what is not wrapped, and says what it is and how to wrap it", async () => {
    for (const { thing, wrap, says } of Object.values(things)) {
      if (isSqlTransaction(thing)) continue;
      const refusal = await join.play(thing, nothing).then(
        () => expect.unreachable(),
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ code: "unknown_transaction" });
      const [name] = says.split(/\. |\.$/);
      expect(String(refusal)).toContain(`\`tx\` is ${name}`);
      expect(String(refusal)).toContain(
        `Wrap your open transaction with ${wrap ?? "the function for your library"}`,
      );
    }
  });

  it("refuses a transaction on a database of another kind", async () => {
    const db = new DatabaseSync(":memory:");
    db.exec("begin");
    await expect(join.play(adapters.sqliteTransaction(db), nothing)).rejects.toMatchObject({
      code: "unknown_transaction",
      message: expect.stringContaining("of sqlite, and this storage is on postgres"),
    });
  });
});

describe("a database that Posthorn has no storage for", () => {
  it("is refused by kyselyTransaction", async () => {
    const db = new Kysely<object>({
      dialect: {
        createAdapter: () => new MssqlAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (kysely) => new MssqlIntrospector(kysely),
        createQueryCompiler: () => new MssqlQueryCompiler(),
      },
    });
    await db.transaction().execute(async (trx) => {
      expect(() => adapters.kyselyTransaction(trx)).toThrow("it was given one on SQL Server.");
    });
  });

  it("is refused by drizzleTransaction", async () => {
    const db = drizzleOnProxy(async () => ({ rows: [] }));
    await db.transaction(async (tx) => {
      expect(() => adapters.drizzleTransaction(tx)).toThrow(
        "it was given one on a driver that Posthorn does not know. Use node-postgres,",
      );
    });
  });

  it("is refused by knexTransaction, typeormTransaction and prismaTransaction", () => {
    const trx = Object.assign(() => {}, {
      raw: () => {},
      isCompleted: () => false,
      client: { dialect: "mssql" },
    });
    expect(() => adapters.knexTransaction(trx as never)).toThrow("it was given one on mssql.");
    const runner = new DataSource({
      type: "cockroachdb",
      timeTravelQueries: false,
    }).createQueryRunner();
    expect(() => adapters.typeormTransaction(runner)).toThrow(
      "it was given one on cockroachdb. Use postgres, mysql, mariadb, better-sqlite3.",
    );
    expect(() =>
      adapters.prismaTransaction(prisma({ _activeProvider: "sqlserver" }) as never),
    ).toThrow("it was given one on sqlserver. Use postgresql, mysql, sqlite.");
  });
});
