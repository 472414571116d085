import { PosthornError, type System } from "@posthorn/core";
import type { Database } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import { playAsync, type Script } from "../script.ts";
import { again } from "./again.ts";
import type { Connections, Execute } from "./connections.ts";
import { explained, failureOf } from "./failure.ts";

/**
 * A database server, over whatever driver.
 *
 * What a driver throws is thrown as it is, except for `storage_unavailable`, `storage_full`,
 * `schema_mismatch`, and `invalid_options` where prepared statements do not last; these have it as
 * their cause.
 */
export function serverDatabase(
  connections: Connections,
  dialect: Dialect,
  system: Pick<System, "mono" | "sleep" | "random">,
): Database {
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;

  async function admit<Result>(work: () => Promise<Result>): Promise<Result> {
    if (isClosed) {
      throw new PosthornError("bus_stopped", "This storage was closed. Create a new one.");
    }
    const working = work();
    underWay.add(working);
    try {
      return await working;
    } catch (error) {
      throw explained(error);
    } finally {
      underWay.delete(working);
    }
  }

  async function transact<Result>(
    script: () => Script<Result>,
    repeatable: boolean,
  ): Promise<Result> {
    let isCommitting = false;
    const once = (): Promise<Result> => {
      isCommitting = false;
      return connections.transaction(
        (execute) => playToItsEnd(script(), execute),
        () => {
          isCommitting = true;
        },
      );
    };
    const mayRepeat = (thrown: unknown): boolean =>
      failureOf(thrown) === "lost" && isCommitting ? repeatable : mayPass(thrown);
    return again(once, mayRepeat, system);
  }

  const query = <Result>(script: () => Script<Result>): Promise<Result> =>
    again(() => connections.plain((execute) => playAsync(script(), execute)), mayPass, system);

  return {
    dialect,
    transact: (script, { repeatable = false } = {}) => admit(() => transact(script, repeatable)),
    query: (script) => admit(() => query(script)),
    mayPass,
    close: async () => {
      isClosed = true;
      await Promise.allSettled(underWay);
    },
  };
}

const mayPass = (thrown: unknown): boolean =>
  ["passes", "lost", "unprepared"].includes(failureOf(thrown));

/**
 * Plays a script until a statement fails. Its transaction is over then, whatever the script makes of
 * the error: MySQL, after a deadlock, would commit each later statement by itself.
 */
async function playToItsEnd<Result>(script: Script<Result>, execute: Execute): Promise<Result> {
  let failed: { readonly error: unknown } | undefined;
  const executeOrFail: Execute = async (statement) => {
    if (failed !== undefined) throw failed.error;
    try {
      return await execute(statement);
    } catch (error) {
      failed = { error };
      throw error;
    }
  };
  const playing = playAsync(script, executeOrFail);
  await playing.catch(() => {});
  if (failed !== undefined) throw failed.error;
  return playing;
}
