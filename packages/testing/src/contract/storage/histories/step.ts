import fc from "fast-check";
import { claim, work } from "./claim.ts";
import { prune, sweep } from "./housekeeping.ts";
import { cancel, cancelAll, redeliver, send } from "./operator.ts";
import { publish } from "./publish.ts";
import { one, page, sealed } from "./read.ts";
import { release } from "./release.ts";
import { route } from "./route.ts";
import { settle } from "./settle.ts";
import { report, subscribe, unsubscribe, update } from "./subscriptions.ts";
import { type Verb, verb } from "./world.ts";

const pass: Verb = verb<{ readonly ms: number }>(
  6,
  { ms: fc.constantFrom(1, 500, 1_000, 45_000, 45_001, 120_000) },
  async ({ model }, { ms }) => {
    model.now += ms;
  },
);

/** All that can happen. */
export const VERBS: { readonly [name: string]: Verb } = {
  publish,
  subscribe,
  update,
  unsubscribe,
  report,
  route,
  claim,
  work,
  settle,
  release,
  send,
  redeliver,
  cancel,
  cancelAll,
  sweep,
  prune,
  page,
  one,
  sealed,
  pass,
};

/** What happens, with what it is given, and through which of two handles on the storage. */
export type Step = readonly [name: string, given: object, handle?: "other"];

const stepOf = (name: string, { draw }: Verb): fc.Arbitrary<Step> =>
  fc
    .tuple(draw, fc.boolean())
    .map(([given, isOther]): Step => (isOther ? [name, given, "other"] : [name, given]));

/** Histories of at most so many steps; each begins with subscriptions. */
export const historiesOf = (most: number): fc.Arbitrary<readonly Step[]> =>
  fc
    .noBias(
      fc.tuple(
        fc.array(stepOf("subscribe", subscribe), { minLength: 1, maxLength: 3 }),
        fc.array(
          fc.oneof(
            ...Object.entries(VERBS).map(([name, verb]) => ({
              weight: verb.weight,
              arbitrary: stepOf(name, verb),
            })),
          ),
          { maxLength: most, size: "max" },
        ),
      ),
    )
    .map(([first, others]) => [...first, ...others]);
