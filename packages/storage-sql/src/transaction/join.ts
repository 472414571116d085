import { PosthornError } from "@posthorn/core";
import type { DialectName } from "../dialect.ts";
import type { Naming } from "../schema/naming.ts";
import { play, playAsync, type Reply, type Script, type Statement } from "../script.ts";
import { isBusy } from "../sqlite-database.ts";
import { notWrapped } from "./adapter.ts";
import { isSqlTransaction, type SqlTransaction, unknownTransaction } from "./transaction.ts";

export interface Joining {
  /** Plays a script in the host's transaction; one that answers at once has then been played. */
  play<Result>(tx: unknown, script: () => Script<Result>): Promise<Result>;
  playSync<Result>(tx: unknown, script: () => Script<Result>): Result;
}

/**
 * How a storage writes in transactions of the host: never beginning, ending or repeating one.
 *
 * @param guard What is asked of a transaction before anything is written in it.
 */
export function joining(dialect: DialectName, naming: Naming, guard: () => Script<void>): Joining {
  const guarded = function* <Result>(script: () => Script<Result>): Script<Result> {
    yield* guard();
    return yield* script();
  };

  function known(tx: unknown): SqlTransaction {
    if (!isSqlTransaction(tx)) throw notWrapped(tx);
    if (tx.dialect !== dialect) {
      throw unknownTransaction(
        `\`tx\` is ${tx.source} of ${tx.dialect}, and this storage is on ${dialect}. Publish in a transaction on the storage's own database.`,
      );
    }
    return tx;
  }

  function playSync<Result>(tx: unknown, script: () => Script<Result>): Result {
    const transaction = known(tx);
    if (!transaction.isSync) {
      throw unknownTransaction(
        `\`tx\` is ${transaction.source}, which cannot be written to synchronously. Use \`publish\` instead of \`publishSync\`.`,
      );
    }
    void transaction.assertOpen();
    try {
      return play(guarded(script), (statement) => transaction.execute(statement) as Reply);
    } catch (error) {
      throw explained(error, transaction, naming);
    }
  }

  async function playLater<Result>(
    tx: SqlTransaction,
    script: () => Script<Result>,
  ): Promise<Result> {
    await tx.assertOpen();
    try {
      return await playAsync(guarded(script), (statement: Statement) => tx.execute(statement));
    } catch (error) {
      throw explained(error, tx, naming);
    }
  }

  return {
    playSync,
    play: async (tx, script) => {
      const transaction = known(tx);
      return transaction.isSync ? playSync(tx, script) : playLater(transaction, script);
    },
  };
}

/** What people can do about it, where there is something; otherwise the error itself. */
function explained(
  error: unknown,
  { source, dialect }: SqlTransaction,
  { place, option }: Naming,
): unknown {
  if (isOrComesOf(error, isMissingTable)) {
    return unknownTransaction(
      `\`tx\` is ${source} in a database that lacks Posthorn's tables ${place}. Publish in a transaction on the storage's own database; if this one is, run \`await storage.migrate()\` there before, or give the storage the ${option} that they were made with.`,
    );
  }
  if (dialect === "sqlite" && isOrComesOf(error, isBusy)) {
    return new PosthornError(
      "storage_unavailable",
      "SQLite lets `tx` write nothing: another connection is writing, or has written since `tx` began to read. Begin transactions that write with BEGIN IMMEDIATE, and this one again.",
      { cause: error },
    );
  }
  return error;
}

/** Undefined table: SQLSTATE 42P01 (PostgreSQL), error 1146 (MySQL), or SQLite's words. */
const isMissingTable = ({ code, errno, message }: Record<string, unknown>): boolean =>
  code === "42P01" ||
  errno === 1146 ||
  (typeof message === "string" && message.startsWith("no such table"));

/** Libraries wrap what their drivers throw. */
function isOrComesOf(thrown: unknown, isIt: (error: Record<string, unknown>) => boolean): boolean {
  for (let error = thrown; typeof error === "object" && error !== null; ) {
    const known = error as Record<string, unknown>;
    if (isIt(known)) return true;
    error = known["cause"];
  }
  return false;
}
