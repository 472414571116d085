import type { Dialect } from "./dialect.ts";
import type { Script } from "./script.ts";

/**
 * Posthorn's own connections to one database; the host's transactions are `SqlTransaction`s.
 *
 * Every verb of the storage is one script. What a script throws is thrown, after a rollback.
 */
export interface Database {
  readonly dialect: Dialect;

  /**
   * Plays a script in a transaction of its own, and commits it.
   *
   * - READ COMMITTED on servers, whatever their default; BEGIN IMMEDIATE on SQLite.
   * - A transaction that the database surely rolled back for reasons that pass (deadlock,
   *   serialization failure, lock timeout, a busy database, a connection lost before the commit was
   *   sent) is played again, with a script made anew, a few times.
   * - One that may have been committed, because the connection was lost while it was, is played
   *   again only if it is `repeatable`; otherwise the error is thrown.
   * - A process that stops within a transaction does not hold its locks for more than 5 seconds.
   */
  transact<Result>(
    script: () => Script<Result>,
    options?: { readonly repeatable?: boolean },
  ): Promise<Result>;

  /**
   * Plays a script outside any transaction: for reads, and for single statements that are safe to
   * repeat. Played again after a lost connection.
   */
  query<Result>(script: () => Script<Result>): Promise<Result>;

  /**
   * Whether what a script threw is a matter of time, of others or of the connection, and not of
   * what was to be written.
   */
  mayPass(error: unknown): boolean;

  /** Ends the connections that Posthorn opened; not the ones that it was given. */
  close(): Promise<void>;
}
