import type { Entry } from "../log.ts";
import type { Ledger } from "./ledger.ts";

/** Something that Posthorn promises, and how to see that it was broken. */
export interface Rule {
  /** What is promised, in a few words. */
  readonly name: string;
  /** The invariants and laws that it enforces. */
  readonly laws: string;
  /** What is wrong with an entry, given all that came before it; null if nothing. */
  see?(entry: Entry, ledger: Ledger, terms: Terms): string | null;
  /** What is wrong at the end, when nothing is owed any more. */
  end?(ledger: Ledger, terms: Terms): string | null;
}

/** What was agreed for a run: options of the bus, and what the documentation says beside them. */
export interface Terms {
  /** Attempts of one delivery that count: one more than there are delays. */
  readonly maxAttempts: number;
  /** How long after which attempt the next one comes, at least. */
  readonly delaysMs: readonly number[];
  readonly longestDelayMs: number;
  readonly maxAgeMs: number;
  readonly autoDisable: { readonly attempts: number; readonly ms: number };
  readonly timeouts: Readonly<Record<string, number>>;
  /** So far apart may what two processes take for now be. */
  readonly clockErrorMs: number;
  /** May one organization have everything that a process does? */
  readonly perOrganization: number | null;
  /** Does doubt end a delivery? */
  readonly abandons: boolean;
}

/** At so many flights without an outcome, a delivery is dead. */
export const MAX_LAPSES = 5;
/** From so many on it flies alone. */
export const SUSPECT_LAPSES = 2;
/** So many throttles cost no attempt. */
export const FREE_THROTTLES = 20;
/** What a limit let through starts within so many milliseconds. */
export const START_WITHIN_MS = 250;
/** A handler has so long to end after its time is over. */
export const GRACE_MS = 500;

/** Whether it is the word of a destination, which counts though its process was stopping. */
export const isAnswered = (outcome: string): boolean =>
  outcome === "delivered" || outcome === "throttled";

/** The first complaint about any of these. */
export function firstOf<Item>(
  items: Iterable<Item>,
  complain: (item: Item) => string | null,
): string | null {
  for (const item of items) {
    const complaint = complain(item);
    if (complaint !== null) return complaint;
  }
  return null;
}
