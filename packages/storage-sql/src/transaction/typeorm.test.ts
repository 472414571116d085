import "reflect-metadata";
import { DataSource, type DataSourceOptions, type EntityManager, type QueryRunner } from "typeorm";
import { expect, it } from "vitest";
import { hostDatabases } from "../../test/host.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import type { DialectName } from "../dialect.ts";
import { typeormTransaction } from "./typeorm.ts";

const OPTIONS: { readonly [name in DialectName]: (url: string) => DataSourceOptions } = {
  postgres: (url) => ({ type: "postgres", url }),
  mysql: (url) => ({ type: "mysql", url }),
  sqlite: (database) => ({ type: "better-sqlite3", database }),
};

for (const dialect of ["postgres", "mysql", "sqlite"] as const) {
  transactionSuite<EntityManager>(`typeormTransaction on ${dialect}`, {
    dialect,
    open: async ({ url }) => {
      const dataSource = await new DataSource(OPTIONS[dialect](url)).initialize();
      return {
        transaction: (work) => dataSource.transaction(async (manager) => work(manager)),
        savepoint: (manager, work) => manager.transaction(async (inner) => work(inner)),
        wrap: typeormTransaction,
        end: () => dataSource.destroy(),
      };
    },
  });
}

transactionSuite<QueryRunner>("typeormTransaction of a query runner", {
  dialect: "postgres",
  open: async ({ url }) => {
    const dataSource = await new DataSource(OPTIONS.postgres(url)).initialize();
    const within = async (runner: QueryRunner, work: (runner: QueryRunner) => unknown) => {
      await runner.startTransaction();
      try {
        await work(runner);
        await runner.commitTransaction();
      } catch (error) {
        await runner.rollbackTransaction();
        throw error;
      }
    };
    return {
      transaction: async (work) => {
        const runner = dataSource.createQueryRunner();
        try {
          await within(runner, work);
        } finally {
          await runner.release();
        }
      },
      savepoint: within,
      wrap: typeormTransaction,
      end: () => dataSource.destroy(),
    };
  },
});

it("a manager that is in no transaction is refused, and so is a runner before it began one", async () => {
  const host = await hostDatabases.postgres?.();
  const dataSource = await new DataSource(OPTIONS.postgres(host?.url as string)).initialize();
  expect(() => typeormTransaction(dataSource.manager)).toThrow(
    "it was given a manager that is not in a transaction",
  );
  const runner = dataSource.createQueryRunner();
  await expect(async () => typeormTransaction(runner).assertOpen()).rejects.toThrow("is not open");
  await expect(async () => typeormTransaction(runner.manager).assertOpen()).rejects.toThrow(
    "is not open",
  );
  await runner.release();
  await dataSource.destroy();
  await host?.drop();
});
