import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

/** Throws unless both say the same as JSON; a field that is undefined is a field that is absent. */
export function agree(what: string, actual: unknown, expected: unknown): void {
  if (isSame(actual, expected)) return;
  try {
    assert.deepEqual(plain(actual), plain(expected));
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other) || isDeepStrictEqual(plain(one), plain(other));

/** Throws unless it is so; `what` is the rule that it breaks. */
export function demand(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what);
}

/**
 * Looks on while a storage calls a rule. What is wrong is told after the call: thrown within a
 * rule, the storage could take it for something to try again.
 */
export interface Witness {
  watch(look: () => void): void;
  tell(): void;
}

export function aWitness(): Witness {
  const complaints: unknown[] = [];
  return {
    watch: (look) => {
      try {
        look();
      } catch (complaint) {
        complaints.push(complaint);
      }
    },
    tell: () => {
      if (complaints.length > 0) throw complaints[0];
    },
  };
}

const plain = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
