import type { BreakerState, ClaimRules, GateState, Storage } from "@posthorn/core";
import type { Bug } from "./part.ts";

/** A storage whose claims make a mistake about gates, so that it can be seen that it is found. */
export function withMistake<Tx>(storage: Storage<Tx>, bug: Bug | null): Storage<Tx> {
  const admit = bug === null ? undefined : mistakes[bug]?.();
  if (admit === undefined) return storage;
  return {
    ...storage,
    claim: (request, rules) =>
      storage.claim(request, { ...rules, admit: (...args) => admit(rules.admit, ...args) }),
  };
}

type Admit = ClaimRules["admit"];

/** Each process has mistakes, and a memory, of its own. */
const mistakes: Readonly<
  Partial<Record<Bug, () => (right: Admit, ...args: Parameters<Admit>) => ReturnType<Admit>>>
> = {
  "gate-per-process": () => {
    const own = new Map<string, GateState>();
    return (right, gates, now, wanted) => {
      const admission = right(
        gates.map((gate) => ({ ...gate, tat: own.get(gate.id)?.tat ?? 0 })),
        now,
        wanted,
      );
      for (const gate of admission.gates) own.set(gate.id, gate);
      return admission;
    };
  },
  "pause-is-ignored": () => (right, gates, now, wanted) =>
    right(
      gates.map((gate) => ({ ...gate, pausedUntil: 0 })),
      now,
      wanted,
    ),
  "no-breaker": () => (right, gates, now, wanted) =>
    right(
      gates.map((gate) => ({ ...gate, breaker: null })),
      now,
      wanted,
    ),
  "no-ramp": () => (right, gates, now, wanted) =>
    right(
      gates.map((gate) => ({ ...gate, breaker: wide(gate.breaker) })),
      now,
      wanted,
    ),
};

const wide = (breaker: BreakerState | null): BreakerState | null =>
  breaker?.state === "open" ? { ...breaker, width: 64 } : breaker;
