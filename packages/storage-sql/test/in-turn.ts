import type { MaybePromise } from "../src/script.ts";

/**
 * Takes steps one after the other, each knowing what the one before it answered: at once where
 * each answers at once, since some libraries' transactions cannot wait.
 */
export function inTurn(...steps: readonly ((before: unknown) => unknown)[]): MaybePromise<unknown> {
  return steps.reduce<unknown>(
    (before, step) =>
      isLater(before) ? Promise.resolve(before).then((answer) => step(answer)) : step(before),
    undefined,
  );
}

/** Also what is no Promise, but can be awaited like one. */
export const isLater = (answer: unknown): answer is PromiseLike<unknown> =>
  typeof Reflect.get(Object(answer), "then") === "function";
