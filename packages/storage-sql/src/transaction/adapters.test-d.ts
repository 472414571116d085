import type { DatabaseSync } from "node:sqlite";
import type { PGlite, Transaction as PgliteTx } from "@electric-sql/pglite";
import type { EntityManager, MikroORM } from "@mikro-orm/core";
import type Better from "better-sqlite3";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import type { MySql2Database } from "drizzle-orm/mysql2";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { PgliteDatabase } from "drizzle-orm/pglite";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Knex } from "knex";
import type { ControlledTransaction, Kysely, Transaction } from "kysely";
import type * as callback from "mysql2";
import type * as promise from "mysql2/promise";
import type { Client, Pool, PoolClient } from "pg";
import type { ReservedSql, Sql, TransactionSql } from "postgres";
import type { DataSource, QueryRunner, EntityManager as TypeormEntityManager } from "typeorm";
import { describe, expectTypeOf, it } from "vitest";
import {
  type DetectedTransaction,
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  mikroOrmTransaction,
  mysqlTransaction,
  pgliteTransaction,
  pgTransaction,
  postgresJsTransaction,
  prismaTransaction,
  type SqlTransaction,
  sqliteTransaction,
  typeormTransaction,
} from "../transaction.ts";

/** What a library gives to the function that its `transaction` runs. */
type Tx<Database extends { transaction: (run: never) => unknown }> = Parameters<
  Database["transaction"]
>[0] extends (tx: infer Given, ...rest: never) => unknown
  ? Given
  : never;

declare function given<Value>(): Value;

describe("the adapters' types", () => {
  it("pg: clients, not a Pool", () => {
    expectTypeOf(pgTransaction(given<Client>())).toEqualTypeOf<SqlTransaction<"postgres">>();
    pgTransaction(given<PoolClient>());
    // @ts-expect-error
    pgTransaction(given<Pool>());
    // @ts-expect-error
    pgTransaction(given<Promise<PoolClient>>());
    // @ts-expect-error
    pgTransaction(undefined);
  });

  it("postgres.js: the inner sql, not the outer one nor a reserved one", () => {
    expectTypeOf(postgresJsTransaction(given<TransactionSql>())).toEqualTypeOf<
      SqlTransaction<"postgres">
    >();
    // @ts-expect-error
    postgresJsTransaction(given<Sql>());
    // @ts-expect-error
    postgresJsTransaction(given<ReservedSql>());
  });

  it("Kysely: transactions, not an instance", () => {
    expectTypeOf(
      kyselyTransaction(given<Transaction<{ projects: { name: string } }>>()),
    ).toEqualTypeOf<DetectedTransaction>();
    kyselyTransaction(given<ControlledTransaction<object>>());
    // @ts-expect-error
    kyselyTransaction(given<Kysely<object>>());
    // @ts-expect-error
    kyselyTransaction(given<Knex.Transaction>());
  });

  it("Drizzle: transactions, each with its database, not a database", () => {
    expectTypeOf(drizzleTransaction(given<Tx<NodePgDatabase>>())).toEqualTypeOf<
      SqlTransaction<"postgres">
    >();
    expectTypeOf(drizzleTransaction(given<Tx<PostgresJsDatabase>>())).toEqualTypeOf<
      SqlTransaction<"postgres">
    >();
    expectTypeOf(drizzleTransaction(given<Tx<PgliteDatabase>>())).toEqualTypeOf<
      SqlTransaction<"postgres">
    >();
    expectTypeOf(drizzleTransaction(given<Tx<BetterSQLite3Database>>())).toEqualTypeOf<
      SqlTransaction<"sqlite">
    >();
    expectTypeOf(drizzleTransaction(given<Tx<MySql2Database>>())).toEqualTypeOf<
      SqlTransaction<"mysql">
    >();
    // @ts-expect-error
    drizzleTransaction(given<NodePgDatabase>());
    // @ts-expect-error
    drizzleTransaction(given<PostgresJsDatabase>());
    // @ts-expect-error
    drizzleTransaction(given<BetterSQLite3Database>());
    // @ts-expect-error
    drizzleTransaction(given<MySql2Database>());
    // @ts-expect-error
    drizzleTransaction(given<PoolClient>());
  });

  it("Knex: transactions, not an instance", () => {
    expectTypeOf(knexTransaction(given<Knex.Transaction>())).toEqualTypeOf<DetectedTransaction>();
    // @ts-expect-error
    knexTransaction(given<Knex>());
    // @ts-expect-error
    knexTransaction(given<Transaction<object>>());
  });

  it("TypeORM: managers and query runners, not a data source", () => {
    expectTypeOf(
      typeormTransaction(given<TypeormEntityManager>()),
    ).toEqualTypeOf<DetectedTransaction>();
    typeormTransaction(given<QueryRunner>());
    // @ts-expect-error
    typeormTransaction(given<DataSource>());
  });

  it("Prisma: the client of a transaction, not the client", () => {
    interface PrismaClient {
      $connect(): Promise<void>;
      $transaction<R>(fn: (tx: Omit<PrismaClient, "$connect" | "$transaction">) => Promise<R>): R;
      $executeRawUnsafe<T = unknown>(query: string, ...values: unknown[]): Promise<number> & T;
      $queryRawUnsafe<T = unknown>(query: string, ...values: unknown[]): Promise<T>;
    }
    expectTypeOf(
      prismaTransaction(given<Tx<{ transaction: PrismaClient["$transaction"] }>>()),
    ).toEqualTypeOf<DetectedTransaction>();
    // @ts-expect-error
    prismaTransaction(given<PrismaClient>());
  });

  it("MikroORM: an entity manager, which may be in a transaction", () => {
    expectTypeOf(mikroOrmTransaction(given<EntityManager>())).toEqualTypeOf<DetectedTransaction>();
    // @ts-expect-error
    mikroOrmTransaction(given<MikroORM>());
  });

  it("PGlite: transactions, not an instance", () => {
    expectTypeOf(pgliteTransaction(given<PgliteTx>())).toEqualTypeOf<SqlTransaction<"postgres">>();
    // @ts-expect-error
    pgliteTransaction(given<PGlite>());
  });

  it("SQLite: databases of node:sqlite and better-sqlite3", () => {
    expectTypeOf(sqliteTransaction(given<DatabaseSync>())).toEqualTypeOf<
      SqlTransaction<"sqlite">
    >();
    sqliteTransaction(given<Better.Database>());
    // @ts-expect-error
    sqliteTransaction(given<Better.Statement>());
  });

  it("mysql2: connections, of promises or callbacks, not pools", () => {
    expectTypeOf(mysqlTransaction(given<promise.Connection>())).toEqualTypeOf<
      SqlTransaction<"mysql">
    >();
    mysqlTransaction(given<promise.PoolConnection>());
    mysqlTransaction(given<callback.Connection>());
    mysqlTransaction(given<callback.PoolConnection>());
    // @ts-expect-error
    mysqlTransaction(given<promise.Pool>());
    // @ts-expect-error
    mysqlTransaction(given<callback.Pool>());
  });
});

describe("a detected transaction", () => {
  it("fits every storage, for its database is seen when it runs", () => {
    expectTypeOf<DetectedTransaction>().toExtend<SqlTransaction<"postgres">>();
    expectTypeOf<DetectedTransaction>().toExtend<SqlTransaction<"sqlite">>();
    expectTypeOf<SqlTransaction<"sqlite">>().not.toExtend<SqlTransaction<"postgres">>();
  });
});
