import { PosthornError } from "@posthorn/core";
import type { DialectName } from "../dialect.ts";
import type { MaybePromise, Reply, Statement } from "../script.ts";

export const brand: unique symbol = Symbol.for("posthorn.transaction") as never;

/**
 * The host's open transaction, wrapped so that Posthorn can write in it: what is published with it
 * commits, or rolls back, with the host's own data. Made by `pgTransaction`, `kyselyTransaction`
 * and the others of `@posthorn/storage-sql/transaction`.
 */
export interface SqlTransaction<Name extends DialectName = DialectName> {
  readonly [brand]: true;
  readonly dialect: Name;
  /** What was wrapped, for people: "a Knex transaction". */
  readonly source: string;
  /** Whether `execute` answers at once; then publishSync works, and publish writes before it returns. */
  readonly isSync: boolean;
  /**
   * Resolves, or returns, if the transaction is open. One that has failed is open until it is rolled
   * back: what there is to say about it, the database says.
   *
   * @throws PosthornError `unknown_transaction` if it has ended, or never was one.
   */
  assertOpen(): MaybePromise<void>;
  /** `affected` means nothing after a statement that only reads. */
  execute(statement: Statement): MaybePromise<Reply>;
}

/**
 * A transaction of a library that serves several databases and whose types do not tell which: it
 * fits the type of every SQL storage, and one of another database refuses it when it runs.
 */
export type DetectedTransaction = SqlTransaction<never>;

/** Is it a wrapped transaction? Tests a brand, so that two copies of this package agree. */
export const isSqlTransaction = (tx: unknown): tx is SqlTransaction =>
  typeof tx === "object" && tx !== null && (tx as Partial<SqlTransaction>)[brand] === true;

export const unknownTransaction = (message: string): PosthornError =>
  new PosthornError("unknown_transaction", message);

/** `?` as PostgreSQL writes it: `$1`, `$2`, … */
export const numbered = (text: string): string => {
  let number = 0;
  return text.replaceAll("?", () => {
    number += 1;
    return `$${number}`;
  });
};
