import { EntitySchema, MikroORM, type SqlEntityManager } from "@mikro-orm/postgresql";
import { expect, it } from "vitest";
import { hostDatabases } from "../../test/host.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import { mikroOrmTransaction } from "./mikro-orm.ts";

const Note = new EntitySchema<{ id: string }>({
  name: "Note",
  tableName: "notes",
  properties: { id: { type: "text", primary: true } },
});

const connected = (url: string): Promise<MikroORM> =>
  MikroORM.init({ clientUrl: url, entities: [Note] });

transactionSuite<SqlEntityManager>("mikroOrmTransaction", {
  dialect: "postgres",
  open: async ({ url }) => {
    const orm = await connected(url);
    return {
      transaction: (work) => orm.em.fork().transactional(async (em) => work(em)),
      savepoint: (em, work) => em.transactional(async (inner) => work(inner)),
      wrap: mikroOrmTransaction,
      end: () => orm.close(),
    };
  },
});

it("an entity manager that is in no transaction is refused", async () => {
  const host = await hostDatabases.postgres?.();
  const orm = await connected(host?.url as string);
  const em = orm.em.fork();
  const refusal =
    "mikroOrmTransaction(em) takes the em of em.transactional(async (em) => …); it was given an entity manager that is not in a transaction on a SQL database.";
  expect(() => mikroOrmTransaction(em)).toThrow(refusal);
  await em.transactional(async () => {});
  expect(() => mikroOrmTransaction(em)).toThrow(refusal);
  await orm.close();
  await host?.drop();
});
