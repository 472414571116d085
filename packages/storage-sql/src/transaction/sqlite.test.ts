import { DatabaseSync } from "node:sqlite";
import Better from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { nodeSqliteHost } from "../../test/host.ts";
import { type Library, transactionSuite } from "../../test/transaction-suite.ts";
import { type SqliteDatabase, sqliteTransaction } from "./sqlite.ts";

type Db = SqliteDatabase & { exec(text: string): unknown; close(): unknown };

const driven = (db: Db): Library<Db> => ({
  transaction: (work) => {
    db.exec("begin immediate");
    return ending(
      () => work(db),
      () => db.exec("commit"),
      () => db.exec("rollback"),
    );
  },
  savepoint: (_, work) => {
    db.exec("savepoint inner_one");
    return ending(
      () => work(db),
      () => db.exec("release inner_one"),
      () => db.exec("rollback to inner_one"),
    );
  },
  wrap: sqliteTransaction,
  end: () => db.close(),
});

/** At once, if the work is done at once. */
function ending(work: () => unknown, commit: () => void, rollback: () => void): unknown {
  const failed = (error: unknown): never => {
    rollback();
    throw error;
  };
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    return failed(error);
  }
  return result instanceof Promise ? result.then(commit, failed) : commit();
}

const DATABASES: { readonly [name: string]: readonly [(path: string) => Db, object] } = {
  "node:sqlite": [(path) => new DatabaseSync(path), { host: nodeSqliteHost }],
  "better-sqlite3": [(path) => new Better(path), {}],
};

for (const [name, [open, host]] of Object.entries(DATABASES)) {
  transactionSuite<Db>(`sqliteTransaction on ${name}`, {
    dialect: "sqlite",
    isSync: true,
    ...host,
    open: ({ url }) => driven(open(url)),
  });

  describe(`sqliteTransaction on ${name}`, () => {
    it("refuses, at once, a database that is not in a transaction", () => {
      const db = open(":memory:");
      const tx = sqliteTransaction(db);
      expect(() => tx.assertOpen()).toThrow("is not open");
      db.exec("begin");
      expect(tx.assertOpen()).toBe(undefined);
      db.exec("commit");
      expect(() => tx.assertOpen()).toThrow("is not open");
      db.close();
    });
  });
}

transactionSuite<Better.Database>("sqliteTransaction in a transaction function of better-sqlite3", {
  dialect: "sqlite",
  isSync: true,
  awaits: false,
  open: ({ url }) => {
    const db = new Better(url);
    return {
      transaction: (work) => db.transaction(() => work(db)).immediate(),
      savepoint: (_, work) => db.transaction(() => work(db))(),
      wrap: sqliteTransaction,
      end: () => db.close(),
    };
  },
});
