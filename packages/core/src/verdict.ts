import type { Verdict } from "./breaker.ts";
import type { Landing } from "./deliver.ts";
import type { Claim } from "./delivery.ts";
import { type GateState, heard, type PassedGate, throttle } from "./gate.ts";
import type { Decision } from "./retry.ts";

type Attempted = Extract<Landing, { type: "attempted" }>;

/** A gate that opened, until then, or closed. */
export interface GateMove {
  /** Its name. */
  readonly gate: string;
  /** Epoch milliseconds; null if it closed. */
  readonly openUntil: number | null;
}

/** The gate that a failure counts against: the one it names, or the narrowest. Null if none. */
export function blamed(
  { gates }: Pick<Claim, "gates">,
  { outcome, interrupted }: Attempted,
): PassedGate | null {
  if (interrupted || (outcome.type !== "failed" && outcome.type !== "unknown")) return null;
  return gates.find(({ name }) => name === outcome.gate) ?? gates[0] ?? null;
}

/**
 * What an attempt leaves of the gates that it passed, as they stand now. Gates that the lane has
 * only since, or no longer, learn nothing from it. Only those that changed are answered.
 */
export function gatesAfter(
  claim: Pick<Claim, "gates">,
  landing: Attempted,
  pause: Decision["pause"],
  standing: { readonly gates: readonly GateState[]; readonly now: number; readonly random: number },
): { readonly states: readonly GateState[]; readonly moves: readonly GateMove[] } {
  const { now, random } = standing;
  const { startedAt, outcome, interrupted } = landing;
  const toBlame = blamed(claim, landing);
  const verdictOn = (gate: PassedGate): Verdict => {
    if (gate === toBlame) return "failure";
    return outcome.type === "delivered" && !interrupted ? "success" : "neutral";
  };

  const states: GateState[] = [];
  const moves: GateMove[] = [];
  for (const before of standing.gates) {
    const gate = claim.gates.find(({ id }) => id === before.id);
    if (gate === undefined) continue;
    const report = { verdict: verdictOn(gate), epoch: gate.epoch, startedAt };
    let after = heard(before, report, now, random);
    if (pause?.gate === gate.name) after = throttle(after, { ...pause, startedAt }, now);
    if (after === before) continue;
    states.push(after);
    const openUntil = after.breaker?.state === "open" ? after.breaker.until : null;
    if (after.epoch !== before.epoch) moves.push({ gate: gate.name, openUntil });
  }
  return { states, moves };
}
