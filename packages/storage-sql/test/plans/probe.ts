import type { Database } from "../../src/database.ts";
import type { Dialect, TableName } from "../../src/dialect.ts";
import type { Schema } from "../../src/schema/migration.ts";
import type { Naming } from "../../src/schema/naming.ts";
import {
  type MaybePromise,
  playAsync,
  type Reply,
  type Script,
  type Statement,
} from "../../src/script.ts";
import type { Crowd } from "./crowd.ts";

/** One connection to a new database, that tells what statements cost it. */
export interface Probe {
  readonly dialect: Dialect;
  readonly naming: Naming;
  readonly schema: Schema;
  execute(statement: Statement): MaybePromise<Reply>;
  /** Runs SQL as it is, without parameters. */
  run(text: string): MaybePromise<unknown>;
  /** Fills the tables. */
  fill(crowd: Crowd): MaybePromise<void>;
  /** What else the planner can know of the tables than after `fill`: by name, how to get there. */
  readonly otherwise: { readonly [name: string]: () => MaybePromise<unknown> };
  /** Carries a statement out and undoes it, once for each way in which it may be planned. */
  costsOf(statement: Statement): MaybePromise<readonly Cost[]>;
  dropIndex(table: TableName, suffix: string): MaybePromise<unknown>;
  end(): Promise<void>;
}

/** What a statement made the database do. */
export interface Cost {
  /** How many rows of tables and entries of indexes were looked at, or compared with others in vain; null where nobody counts. */
  readonly rows: number | null;
  /** How many pages, each time that one was needed; null where nobody counts. */
  readonly pages: number | null;
  /** The indexes, as the plan calls them. */
  readonly indexes: readonly string[];
  /** The tables, as the plan calls them, that are read without a place in an index to begin at. */
  readonly scans: readonly string[];
}

export interface Observation {
  readonly statement: Statement;
  readonly costs: readonly Cost[];
}

/** A database for a storage that is being observed. */
export interface Observed {
  readonly database: Database;
  /** The statements of what is done meanwhile, with what they cost. */
  during(work: () => Promise<unknown>): Promise<readonly Observation[]>;
}

export function observe(probe: Probe): Observed {
  let seen: Observation[] | null = null;

  async function execute(statement: Statement): Promise<Reply> {
    seen?.push({ statement, costs: await probe.costsOf(statement) });
    return probe.execute(statement);
  }

  async function transact<Result>(script: () => Script<Result>): Promise<Result> {
    await probe.run("begin");
    try {
      const result = await playAsync(script(), execute);
      await probe.run("commit");
      return result;
    } catch (error) {
      await probe.run("rollback");
      throw error;
    }
  }

  return {
    database: {
      dialect: probe.dialect,
      mayPass: () => false,
      transact,
      query: transact,
      close: () => probe.end(),
    },
    during: async (work) => {
      seen = [];
      try {
        await work();
        return seen;
      } finally {
        seen = null;
      }
    },
  };
}
