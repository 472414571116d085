import type { PGlite, Transaction } from "@electric-sql/pglite";
import { pgliteHost } from "../../test/host.ts";
import { transactionSuite } from "../../test/transaction-suite.ts";
import { pgliteTransaction } from "./pglite.ts";

transactionSuite<Transaction>("pgliteTransaction", {
  dialect: "postgres",
  host: pgliteHost,
  open: ({ pglite }) => ({
    transaction: (work) => (pglite as PGlite).transaction(async (tx) => work(tx)),
    savepoint: async (tx, work) => {
      await tx.query("savepoint inner_one");
      try {
        await work(tx);
      } catch (error) {
        await tx.query("rollback to savepoint inner_one");
        throw error;
      }
    },
    wrap: pgliteTransaction,
    end: () => {},
  }),
});
