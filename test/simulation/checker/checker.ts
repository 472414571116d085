import type { Entry } from "../log.ts";
import { callRules } from "./calls.ts";
import { flightRules } from "./flights.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { limitRules } from "./limits.ts";
import { lossRules } from "./loss.ts";
import { outcomeRules } from "./outcomes.ts";
import type { Rule, Terms } from "./rule.ts";
import { subscriptionRules } from "./subscriptions.ts";

export const rules: readonly Rule[] = [
  ...lossRules,
  ...flightRules,
  ...callRules,
  ...limitRules,
  ...outcomeRules,
  ...subscriptionRules,
];

/** A promise that was broken, and by what. */
export interface Broken {
  readonly rule: string;
  readonly laws: string;
  readonly what: string;
}

/** Reads a log, entry by entry, and finds what breaks a promise. It knows nothing of core. */
export interface Checker {
  readonly ledger: Ledger;
  /** The first promise that was broken; null while none was. */
  readonly broken: Broken | null;
  see(entry: Entry): void;
  /** Nothing is owed any more, or time is up. */
  end(): void;
}

export function createChecker(terms: Terms): Checker {
  const ledger = createLedger();
  const watching = rules.filter(({ see }) => see !== undefined);
  let broken: Broken | null = null;
  const blame = ({ name, laws }: Rule, what: string | null | undefined): void => {
    if (broken === null && what) broken = { rule: name, laws, what };
  };
  return {
    ledger,
    get broken() {
      return broken;
    },
    see: (entry) => {
      for (const rule of watching) blame(rule, rule.see?.(entry, ledger, terms));
      ledger.enter(entry);
    },
    end: () => {
      for (const rule of rules) blame(rule, rule.end?.(ledger, terms));
    },
  };
}
