import type { Storage, System } from "@posthorn/core";
import type { SqlTransaction } from "@posthorn/storage-sql/transaction";

/** How one kind of database is reached: by Posthorn, and by the host beside it. */
export interface Ground {
  /** @returns why not, if there is none here. */
  prepare(folder: string): Promise<Site | string>;
  openStorage(database: string, options?: OpenOptions): OpenStorage;
  connectHost(database: string): Promise<Host>;
}

/** An empty database to play on. */
export interface Site {
  /** Its URL; the file's path for SQLite. */
  readonly database: string;
  /** Stops its server at once, and starts it again; only of a server of our own. */
  restart?(): Promise<void>;
  remove(): Promise<void>;
}

interface OpenOptions {
  /** Called within transactions of the storage, before they are committed. */
  readonly onCommit?: () => void;
  readonly system?: System;
}

export interface OpenStorage {
  readonly storage: Storage<SqlTransaction> & { migrate(): Promise<unknown> };
  close(): Promise<void>;
}

type Values = readonly (string | number)[];

/** One connection of the host's own, as its code would use it. */
export interface Host {
  begin(): Promise<SqlTransaction>;
  say(statement: string, values?: Values): Promise<readonly object[]>;
  end(): Promise<void>;
}
