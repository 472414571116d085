import pRetry from "p-retry";
import { isPosthornError } from "./errors.ts";
import type { System } from "./system.ts";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 5_000;

/**
 * The wait before try number `attempt` (from 1) is repeated, in milliseconds: full jitter under an
 * exponential cap (AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export const backoff = (attempt: number, random: number): number =>
  random * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);

/**
 * Repeats an operation on storage that failed for reasons of infrastructure, until `signal`
 * aborts. The operation must be safe to repeat.
 *
 * @throws what the operation threw: at once if it is a PosthornError that repeating cannot help
 * (a storage that is full or away can come back), at last when `tries` are spent or the signal aborts.
 */
export async function persist<Result>(
  operation: () => Promise<Result>,
  options: {
    readonly system: Pick<System, "sleep" | "random">;
    readonly tries: number;
    readonly signal: AbortSignal;
    /** Called with what was thrown, before each repetition. */
    readonly onFailure?: (thrown: unknown) => void;
  },
): Promise<Result> {
  const { system, tries, signal, onFailure } = options;
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
      retries: tries - 1,
      minTimeout: 0,
      shouldRetry: async ({ attemptNumber }) => {
        if (signal.aborted || isFinal(thrown)) return false;
        onFailure?.(thrown);
        await system.sleep(backoff(attemptNumber, system.random()), signal);
        return !signal.aborted;
      },
    });
  } catch {
    throw thrown;
  }
}

const isFinal = (thrown: unknown): boolean =>
  isPosthornError(thrown) &&
  thrown.code !== "storage_full" &&
  thrown.code !== "storage_unavailable";
