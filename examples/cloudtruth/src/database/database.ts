import type { Storage } from "@posthorn/core";
import type { DetectedTransaction } from "@posthorn/storage-sql/transaction";
import { type Dialect, Kysely } from "kysely";
import { Mistake } from "../mistake.ts";
import type { DatabaseAddress } from "./address.ts";
import { createTables, type Tables } from "./tables.ts";

/** One database, for what the app keeps and for what Posthorn does. */
export interface Database {
  /** The app's own tables. */
  readonly db: Kysely<Tables>;
  /** Posthorn's. */
  readonly storage: Storage<DetectedTransaction>;
  close(): Promise<void>;
}

/** What each kind of database has for both. */
export interface Connected {
  readonly dialect: Dialect;
  readonly storage: Database["storage"] & { migrate(): Promise<unknown> };
  /** Ends the app's own connections. */
  close(): Promise<void>;
}

/**
 * Opens a database, and makes the tables that it lacks.
 *
 * @throws Mistake if it cannot be used
 */
export async function openDatabase({ name, connect }: DatabaseAddress): Promise<Database> {
  try {
    return await open(connect());
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    throw new Mistake(`The database ${name} cannot be used: ${message || code}`, { cause: error });
  }
}

async function open({ dialect, storage, close }: Connected): Promise<Database> {
  const database: Database = {
    db: new Kysely<Tables>({ dialect }),
    storage,
    close: async () => {
      await storage.close();
      await close();
    },
  };
  try {
    await storage.migrate();
    await createTables(database.db);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
