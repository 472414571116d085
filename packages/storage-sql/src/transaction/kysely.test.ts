import Better from "better-sqlite3";
import {
  CamelCasePlugin,
  type Dialect,
  Kysely,
  MysqlDialect,
  PostgresDialect,
  SqliteDialect,
  sql,
  type Transaction,
} from "kysely";
import { createPool } from "mysql2";
import pg from "pg";
import { type Library, transactionSuite } from "../../test/transaction-suite.ts";
import type { DialectName } from "../dialect.ts";
import { kyselyTransaction } from "./kysely.ts";

type Trx = Transaction<object>;

const DIALECTS: { readonly [name in DialectName]: (url: string) => Dialect } = {
  postgres: (url) => new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  mysql: (url) => new MysqlDialect({ pool: createPool(url) }),
  sqlite: (url) => new SqliteDialect({ database: new Better(url) }),
};

const savepoint: Library<Trx>["savepoint"] = async (trx, work) => {
  await sql`savepoint inner_one`.execute(trx);
  try {
    await work(trx);
  } catch (error) {
    await sql`rollback to savepoint inner_one`.execute(trx);
    throw error;
  }
};

for (const dialect of ["postgres", "mysql", "sqlite"] as const) {
  transactionSuite<Trx>(`kyselyTransaction on ${dialect}`, {
    dialect,
    open: ({ url }) => {
      const db = new Kysely<object>({
        dialect: DIALECTS[dialect](url),
        plugins: [new CamelCasePlugin()],
      });
      return {
        transaction: (work) => db.transaction().execute(async (trx) => work(trx)),
        savepoint,
        wrap: kyselyTransaction,
        end: () => db.destroy(),
      };
    },
  });
}

transactionSuite<Trx>("kyselyTransaction of a controlled transaction", {
  dialect: "postgres",
  open: ({ url }) => {
    const db = new Kysely<object>({ dialect: DIALECTS.postgres(url) });
    return {
      transaction: async (work) => {
        const trx = await db.startTransaction().execute();
        try {
          await work(trx);
          await trx.commit().execute();
        } catch (error) {
          await trx.rollback().execute();
          throw error;
        }
      },
      savepoint,
      wrap: kyselyTransaction,
      end: () => db.destroy(),
    };
  },
});
