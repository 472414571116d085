import { type Outcome, play } from "./cluster.ts";
import { type Fault, faultsIn, type Plan, upTo, without } from "./plan.ts";

/** The least of a plan that still breaks the same promise. */
export interface Shrunk {
  readonly plan: Plan;
  readonly faults: readonly Fault[];
  readonly outcome: Outcome;
}

/** Leaves out one kind of fault after the other, and then shortens the time in which they strike. */
export async function shrink(
  plan: Plan,
  outcome: Outcome,
  replay: (plan: Plan) => Promise<Outcome> = play,
): Promise<Shrunk> {
  let least = { plan, outcome };
  const keepIfBroken = async (smaller: Plan): Promise<void> => {
    const next = await replay(smaller);
    if (next.broken?.rule === outcome.broken?.rule) least = { plan: smaller, outcome: next };
  };
  for (const fault of faultsIn(plan)) await keepIfBroken(without(least.plan, fault));
  for (let stepMs = least.plan.chaosMs / 2; stepMs >= 500; stepMs /= 2) {
    await keepIfBroken(upTo(least.plan, Math.round(least.plan.chaosMs - stepMs)));
  }
  return { ...least, faults: faultsIn(least.plan) };
}
