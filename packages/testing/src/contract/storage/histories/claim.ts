import {
  admit,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type ClaimRules,
  type Delivery,
  lapse,
  type Ruling,
  type SubscriptionRecord,
} from "@posthorn/core";
import fc from "fast-check";
import { follow } from "./follow.ts";
import { agree, aWitness, demand } from "./judge.ts";
import { land, learn, learned, type Model, type Owed } from "./model.ts";
import { judgeProspect } from "./prospect.ts";
import { sightOf } from "./sight.ts";
import { heard, tell } from "./tell.ts";
import { type Ask, takeSound, takeSuspect } from "./turn.ts";
import { type Asked, asked, seldom, termsOf, type Verb, verb, type World } from "./world.ts";

interface Claiming extends Asked {
  readonly isAlone: true | undefined;
  /** Its lease. */
  readonly isShort: true | undefined;
  /** The rule that is asked of gates throws. */
  readonly isBroken: true | undefined;
}

export const claim: Verb = verb<Claiming>(
  10,
  {
    ...asked,
    isAlone: seldom(fc.constant(true)),
    isShort: seldom(fc.constant(true)),
    isBroken: seldom(fc.constant(true)),
  },
  async (world, { isAlone, isShort, isBroken, ...given }) => {
    const terms = termsOf(world.model, given, isShort ? 1_000 : undefined);
    const request = { ...terms, alone: isAlone === true };
    await (isBroken ? claimInVain(world, request) : claimOnce(world, request));
  },
);

/** What a dispatcher does: it claims until nothing is left that it could start now. */
export const work: Verb = verb<Asked>(4, asked, async (world, given) => {
  await claimAll(world, { ...given, slots: Math.max(1, given.slots) });
});

/** Answers the claims, and when to come again. */
export async function claimAll(
  world: World,
  given: Asked,
): Promise<Pick<ClaimResult, "claims" | "nextDueAt">> {
  const { model } = world;
  const claims: Claim[] = [];
  let alone = false;
  for (let turns = 3 * model.owed.size + 20; turns > 0; turns -= 1) {
    const result = await claimOnce(world, { ...termsOf(model, given), alone });
    const { nextDueAt } = result;
    claims.push(...result.claims);
    alone = result.suspects && !alone;
    if (result.claims.length > 0 || alone) continue;
    if (nextDueAt === null || nextDueAt > model.now) return { claims, nextDueAt };
  }
  throw new Error("Claims do not come to an end: nextDueAt stays in the past.");
}

async function claimOnce({ storage, model }: World, request: ClaimRequest): Promise<ClaimResult> {
  const { rules, asks, rulings, tell } = watched(model, request);
  const result = await storage.claim(request, rules);
  tell();
  judge(model, request, result, { asks, rulings });
  return result;
}

/** Nothing is taken if the rule throws; what has lapsed may have been recorded. */
async function claimInVain(world: World, request: ClaimRequest): Promise<void> {
  const { storage, model } = world;
  const { rules, asks, rulings, tell } = watched(model, request);
  const admit: ClaimRules["admit"] = (...asked) => {
    rules.admit(...asked);
    throw new Error("the rule failed");
  };
  const answer = await storage.claim(request, { ...rules, admit }).catch(String);
  tell();
  if (typeof answer !== "string") {
    demand(asks.length === 0, "A rule failed, and the claim answers all the same.");
    judge(model, request, answer, { asks, rulings });
    return;
  }
  agree("what claim throws if its rule does", answer, "Error: the rule failed");
  const ended = new Set<string>();
  for (const owed of overdueIn(model)) {
    const { id } = owed.delivery;
    if ((await storage.history.delivery(owed.delivery))?.inFlight !== false) continue;
    endLapse(model, owed, rulings);
    ended.add(id);
  }
  for (const [id, { event }] of rulings) if (ended.has(id)) heard(model, event);
}

/** The rules of a claim, with what they were asked, and whether they were asked rightly. */
function watched(
  model: Model,
  { now }: ClaimRequest,
): Answers & { readonly rules: ClaimRules; readonly tell: () => void } {
  const { watch, tell } = aWitness();
  const rulings = new Map<string, Ruling>();
  const switchedOff = new Map<string, SubscriptionRecord>();
  const sight = sightOf(model);
  const asks: Ask[] = [];
  const rules: ClaimRules = {
    admit: (gates, at, wanted) => {
      watch(() => {
        sight.look(gates);
        agree("the instant of which gates are asked", at, now);
        demand(wanted > 0, "A gate is asked for nothing.");
      });
      const answer = admit(gates, at, wanted);
      sight.leave(answer.gates);
      asks.push({ ...answer, wanted, gateIds: gates.map(({ id }) => id).toSorted() });
      return answer;
    },
    lapse: (delivery, at, { subscription }) => {
      const owed = model.owed.get(delivery.id);
      watch(() => {
        agree("the delivery that lapses", delivery, owed?.delivery);
        agree("the instant of a lapse", at, now);
        if (rulings.has(delivery.id)) return;
        const known = owed?.lane.deleted ? null : owed?.lane.record;
        const expected = switchedOff.get(delivery.subscriptionId) ?? known;
        agree("the subscription of a lapse", subscription, expected);
      });
      const ruling = lapseOf(model, delivery, subscription);
      if (subscription !== null && ruling.disabledReason !== undefined) {
        const { disabledReason } = ruling;
        switchedOff.set(subscription.id, learned(subscription, { disabledReason }));
      }
      rulings.delete(delivery.id);
      rulings.set(delivery.id, ruling);
      return ruling;
    },
  };
  return { rules, asks, rulings, tell };
}

/** What the rules of a claim have answered. */
interface Answers {
  readonly asks: readonly Ask[];
  /** By delivery, in the order in which they were asked for. */
  readonly rulings: ReadonlyMap<string, Ruling>;
}

/** A lapse seldom switches its subscription off, which the others of its organization hear. */
function lapseOf(
  model: Model,
  delivery: Delivery,
  subscription: SubscriptionRecord | null,
): Ruling {
  const ruling = lapse(delivery, model.now);
  if (!/[0-3]$/.test(delivery.id)) return ruling;
  return { ...ruling, disabledReason: "it lapses", ...tell(model, subscription) };
}

/** Ends a flight as the rule said. */
function endLapse(model: Model, owed: Owed, rulings: Answers["rulings"]): void {
  const ruling = rulings.get(owed.delivery.id);
  demand(ruling !== undefined, `Delivery ${owed.delivery.id} lapsed, and no rule was asked.`);
  const { disabledReason } = ruling;
  land(owed, ruling, model.now);
  if (disabledReason !== undefined && !owed.lane.deleted) learn(owed.lane, { disabledReason });
}

function judge(
  model: Model,
  request: ClaimRequest,
  result: ClaimResult,
  { asks, rulings }: Answers,
): void {
  endLapses(model, result.lapsed, rulings);
  const take = request.alone ? takeSuspect : takeSound;
  take(model, request, result.claims, asks);
  judgeProspect(model, request, result);
}

/** Flights whose lease is over must lapse; one that is over at this very instant may. */
function endLapses(model: Model, lapsed: ClaimResult["lapsed"], rulings: Answers["rulings"]): void {
  const { now } = model;
  const overdue = overdueIn(model);
  for (const seen of lapsed) {
    const owed = overdue.find(({ delivery }) => delivery.id === seen.id);
    demand(
      owed !== undefined && owed.flight !== null,
      `Delivery ${seen.id} lapsed without a flight whose lease is over.`,
    );
    endLapse(model, owed, rulings);
    follow(model, owed, seen);
  }
  const ended = new Set(lapsed.map(({ id }) => id));
  for (const [id, { event }] of rulings) if (ended.has(id)) heard(model, event);
  for (const { flight, delivery } of overdue) {
    const isLeft = flight !== null && flight.leaseUntil < now;
    demand(!isLeft, `The lease of delivery ${delivery.id} is over, but it did not lapse.`);
  }
}

const overdueIn = ({ owed, now }: Model): readonly Owed[] =>
  [...owed.values()].filter(({ flight }) => flight !== null && flight.leaseUntil <= now);
