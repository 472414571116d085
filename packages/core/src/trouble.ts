import type { PassedGate } from "./gate.ts";

/** Those that are forgotten first are those that failed longest ago. */
const MOST_REMEMBERED = 10_000;

/**
 * Which gates this process has just seen fail. A claim says how its gates were when it began, and
 * successes through calm gates touch none: without this, of fifty deliveries that begin together
 * ten failures would open a gate although forty succeed between them.
 */
export interface Trouble {
  /** An attempt that ended at `now` counts against the gate. */
  note(gate: PassedGate, now: number): void;
  /** Did one count against any of these gates since `startedAt`? */
  since(gates: readonly PassedGate[], startedAt: number): boolean;
}

export function createTrouble(): Trouble {
  const lastAt = new Map<string, number>();
  return {
    note: ({ id }, now) => {
      lastAt.delete(id);
      lastAt.set(id, now);
      if (lastAt.size > MOST_REMEMBERED) lastAt.delete(lastAt.keys().next().value as string);
    },
    since: (gates, startedAt) =>
      gates.some(({ id }) => (lastAt.get(id) ?? Number.NEGATIVE_INFINITY) >= startedAt),
  };
}
