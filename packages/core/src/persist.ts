import pRetry from "p-retry";
import { isPosthornError } from "./errors.ts";
import type { System } from "./system.ts";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 5_000;

/**
 * A wait before try number `attempt` (from 1) is repeated, in milliseconds: full jitter under an
 * exponential cap (AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export const backoff = (attempt: number, random: number): number =>
  random * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);

/**
 * Repeats an operation on storage that failed for reasons of infrastructure, until `signal`
 * aborts. The operation must be safe to repeat.
 *
 * @throws what the operation threw: at once if it is a PosthornError (repeating cannot help), at
 * last when `tries` are spent or the signal aborts.
 */
export function persist<Result>(
  operation: () => Promise<Result>,
  options: {
    readonly system: Pick<System, "sleep" | "random">;
    readonly tries: number;
    readonly signal: AbortSignal;
    readonly onFailure?: (error: Error) => void;
  },
): Promise<Result> {
  const { system, tries, signal, onFailure } = options;
  return pRetry(operation, {
    retries: tries - 1,
    minTimeout: 0,
    onFailedAttempt: ({ error }) => onFailure?.(error),
    shouldRetry: async ({ error, attemptNumber, retriesLeft }) => {
      if (retriesLeft === 0 || signal.aborted || isPosthornError(error)) return false;
      await system.sleep(backoff(attemptNumber, system.random()), signal);
      return !signal.aborted;
    },
  });
}
