import type { Script } from "../script.ts";
import type { Naming } from "./naming.ts";

/** One step of the tables' history. Once published, its text never changes. */
export interface Migration {
  /** 1, 2, 3, … without a gap. */
  readonly version: number;
  /** What it is for, in a few words. */
  readonly name: string;
  /**
   * The oldest code, by the newest version that it knows, that works with the tables as they are
   * after this step. An additive step repeats its predecessor's, so that old and new processes
   * work side by side; one that old code cannot live with names its own version.
   */
  readonly compatible: number;
  /** Statements without parameters, in order. */
  statements(naming: Naming): readonly string[];
}

/** The tables of one kind of database, and how to change them there. */
export interface Schema {
  /** In the order of their versions. */
  readonly migrations: readonly Migration[];
  /**
   * Whether the database rolls back a change of tables. Where it does not, each statement leaves
   * what is already there as it is, so that a migration that stopped half-way can be run again.
   */
  readonly isTransactional: boolean;
  /** The instant of a statement, in epoch milliseconds. */
  readonly now: string;
  /** Waits until no other process migrates these tables, and keeps others from it. */
  lock(naming: Naming): Script<void>;
  /** Ends what `lock` began, where the end of the transaction does not. */
  unlock(naming: Naming): Script<void>;
  /** The columns of our tables that are there: rows of `table_name` and `column_name`. */
  columns(naming: Naming): Script<readonly { readonly [column: string]: unknown }[]>;
}
