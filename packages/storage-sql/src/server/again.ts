import type { System } from "@posthorn/core";
import pRetry from "p-retry";

const TRIES = 5;
const FIRST_WAIT_MS = 50;
const GROWTH = 3;
/** Tries go on for longer than a process that stopped can hold its locks (`IDLE_SECONDS`). */
const LONGEST_MS = 6_000;

/**
 * Does it again, a few times and within a few seconds, while what it threw may be repeated.
 *
 * @throws what it threw last.
 */
export async function again<Result>(
  operation: () => Promise<Result>,
  mayRepeat: (thrown: unknown) => boolean,
  system: Pick<System, "mono" | "sleep" | "random">,
): Promise<Result> {
  const begun = system.mono();
  // Nearly all is done at once, and does without p-retry.
  let first: { readonly thrown: unknown } | null = null;
  try {
    return await operation();
  } catch (error) {
    first = { thrown: error };
  }
  let thrown: unknown;
  /** p-retry would take a TypeError for a bug; drivers throw them for broken connections. */
  const attempt = async (): Promise<Result> => {
    try {
      if (first !== null) throw first.thrown;
      return await operation();
    } catch (error) {
      first = null;
      thrown = error;
      throw new Error("The operation failed.");
    }
  };
  try {
    return await pRetry(attempt, {
      retries: TRIES - 1,
      minTimeout: 0,
      shouldRetry: async ({ attemptNumber }) => {
        if (!mayRepeat(thrown) || system.mono() - begun >= LONGEST_MS) return false;
        await system.sleep(wait(attemptNumber, system.random()));
        return true;
      },
    });
  } catch {
    throw thrown;
  }
}

/** Half of it is chance, so that those who met do not meet again. */
const wait = (attempt: number, random: number): number =>
  FIRST_WAIT_MS * GROWTH ** (attempt - 1) * (0.5 + random / 2);
