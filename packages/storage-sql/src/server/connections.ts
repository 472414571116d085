import type { Reply, Statement } from "../script.ts";

export type Execute = (statement: Statement) => Promise<Reply>;

/**
 * What each driver does in its own way. What is played again, and what errors mean, is the same for
 * all of them: `serverDatabase`.
 */
export interface Connections {
  /** Plays outside any transaction. */
  plain<Result>(play: (execute: Execute) => Promise<Result>): Promise<Result>;

  /**
   * Plays in a READ COMMITTED transaction, with the two timeouts below and no other: one of the host's
   * for statements would end a wait for a lock before ours, and look like a statement that is wrong. Commits when `play`
   * resolves, rolls back when it rejects. A connection that may not be in its first state
   * afterwards is ended, so that the next one who gets it is not surprised.
   *
   * @param committing is called at the last moment at which a lost connection surely means that
   * nothing was committed.
   */
  transaction<Result>(
    play: (execute: Execute) => Promise<Result>,
    committing: () => void,
  ): Promise<Result>;
}

/** For how long a process that stopped within a transaction holds its locks. */
export const IDLE_SECONDS = 5;

/** For how long one statement waits for others' locks; then its transaction is played again. */
export const LOCK_SECONDS = 1;

/**
 * What our transactions on PostgreSQL are played with. To compile a statement takes a quarter of a
 * second where much waits, and each of ours looks at few rows.
 */
export const POSTGRES_SETTINGS: string = `set local idle_in_transaction_session_timeout = '${IDLE_SECONDS}s'; set local lock_timeout = '${LOCK_SECONDS}s'; set local statement_timeout = 0; set local jit = off`;
