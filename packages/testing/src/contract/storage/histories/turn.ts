import {
  type Admission,
  admit,
  type Claim,
  type ClaimRequest,
  callsOf,
  canServe,
  isRetry,
} from "@posthorn/core";
import { judgeCalls } from "./call.ts";
import { agree, demand, isSame } from "./judge.ts";
import { inOrder } from "./lists.ts";
import {
  dueAtOf,
  fly,
  gateIdsOf,
  gatesOf,
  isWaiting,
  type Lane,
  type Model,
  type Owed,
  soundIn,
  suspectsIn,
} from "./model.ts";

/** What a claim asked the rule for, of which gates, and what the rule answered. */
export interface Ask extends Pick<Admission, "count" | "againAt"> {
  readonly wanted: number;
  readonly gateIds: readonly string[];
}

/** What was due in a lane that the claim could serve, and what it took; earliest first. */
export interface Turn {
  readonly lane: Lane;
  readonly due: ReadonlyMap<Owed, number>;
  readonly taken: Owed[];
}

export function takeSuspect(
  model: Model,
  request: ClaimRequest,
  claims: readonly Claim[],
  asks: readonly Ask[],
): void {
  const turns = turnsOf(model, request, suspectsIn);
  const mayGo = turns.flatMap(({ lane, due }) =>
    [...due.keys()].filter(({ restsUntil }) => isOpen(model, lane, restsUntil)),
  );
  take(model, request, turns, claims);
  const wanted = Math.min(1, request.slots, mayGo.length);
  demand(claims.length <= 1, "A suspect was claimed, but not alone.");
  demand(claims.length >= wanted, "A suspect is due and may go, but was not claimed.");
  passGates(model, claims, asks);
  for (const { lane, due } of turns) {
    const againAt = latest(refusalsOf(lane, asks));
    for (const owed of due.keys()) {
      if (isWaiting(owed)) owed.restsUntil = Math.max(owed.restsUntil, againAt);
    }
  }
}

export function takeSound(
  model: Model,
  request: ClaimRequest,
  claims: readonly Claim[],
  asks: readonly Ask[],
): void {
  const turns = turnsOf(model, request, soundIn);
  take(model, request, turns, claims);
  const calls = callsOf(claims);
  demand(calls.length <= request.slots, `${calls.length} calls for ${request.slots} slots.`);
  for (const { lane, due, taken } of turns) {
    const { id } = lane.record;
    const most = request.perCall?.get(lane.record.type) ?? 1;
    for (const isOne of most > 1 ? [isTried, isHeldUp, isFirst] : [isTriedAgain, isFirst]) {
      const given = taken.filter(isOne).map((owed) => due.get(owed) ?? 0);
      agree(
        `when what the lane ${id} gave was due`,
        given.toSorted((a, b) => a - b),
        [...due].flatMap(([owed, dueAt]) => (isOne(owed) ? [dueAt] : [])).slice(0, given.length),
      );
    }
    judgeRetries(id, { due, taken }, most > 1 ? isTried : isTriedAgain);
  }
  passGates(model, claims, asks);
  judgeCalls(model, request, { turns, claims, asks });
  judgeOrder(model, request, turns, asks);
  for (const { lane, taken } of turns) {
    const refusals = refusalsOf(lane, asks);
    if (taken.length > 0) lane.restsUntil = latest(asksOf(lane, asks));
    else lane.restsUntil = Math.max(lane.restsUntil, latest(refusals));
    if (taken.length > 0 || refusals.length > 0) lane.askedAt = request.now;
  }
}

const isTriedAgain = ({ delivery }: Owed): boolean => isRetry(delivery);
/** It goes alone, and no longer with others. */
const isTried = ({ delivery }: Owed): boolean => delivery.attempts > 0;
const isHeldUp = (owed: Owed): boolean => isTriedAgain(owed) && !isTried(owed);
export const isFirst = (owed: Owed): boolean => !isTriedAgain(owed);

/** Retries must not crowd out first attempts, nor overtake them. */
function judgeRetries(
  id: string,
  { due, taken }: Pick<Turn, "due" | "taken">,
  isAnother: (owed: Owed) => boolean,
): void {
  const retries = taken.filter(isAnother);
  const left = [...due].filter(([owed]) => isFirst(owed) && !taken.includes(owed));
  const [next] = left;
  if (next === undefined) return;
  demand(
    retries.length <= Math.ceil(0.3 * taken.length),
    `${retries.length} of ${taken.length} claims of the lane ${id} are retries, though first attempts are due.`,
  );
  demand(
    retries.every((owed) => (due.get(owed) ?? 0) <= next[1]),
    `A retry in the lane ${id} overtook a first attempt.`,
  );
}

const turnsOf = (
  model: Model,
  { now, ...abilities }: ClaimRequest,
  waiting: (model: Model, lane: Lane) => readonly Owed[],
): readonly Turn[] =>
  [...model.lanes.values()]
    .filter((lane) => !lane.parked && canServe(servedBy(lane), abilities))
    .map((lane) => ({
      lane,
      due: new Map(
        waiting(model, lane)
          .map((owed) => [owed, dueAtOf(owed)] as const)
          .filter(([, dueAt]) => dueAt <= now),
      ),
      taken: [],
    }));

export const servedBy = ({
  record,
  definition,
}: Lane): { readonly handlerType: string; readonly keyId: string | null } => ({
  handlerType: record.type,
  keyId: definition.keyId,
});

function take(
  model: Model,
  request: ClaimRequest,
  turns: readonly Turn[],
  claims: readonly Claim[],
): void {
  const expected = claims.map(({ deliveryId, call }) => {
    const owed = model.owed.get(deliveryId);
    const turn = turns.find(({ due, taken }) => owed && due.has(owed) && !taken.includes(owed));
    demand(
      owed !== undefined && turn !== undefined,
      `A claim took delivery ${deliveryId}, which it may not take: ${JSON.stringify(owed?.delivery)}.`,
    );
    turn.taken.push(owed);
    const { startBy } = admit(gatesOf(model, turn.lane), request.now, 1);
    return fly(model, owed, request, { startBy, call });
  });
  agree("what claim answers", inOrder(claims), inOrder(expected));
}

/** What went through the gates must have had room, and the gates stand as the rule says. */
function passGates(model: Model, claims: readonly Claim[], asks: readonly Ask[]): void {
  const asked = new Set(asks.flatMap(({ gateIds }) => gateIds));
  const calls = callsOf(claims);
  for (const [id, gate] of model.gates) {
    const passed = calls.filter(([{ gates }]) => gates.some((each) => each.id === id)).length;
    if (passed === 0 && !asked.has(id)) continue;
    const { count, gates } = admit([gate], model.now, passed);
    demand(asked.has(id), `${passed} calls went through the gate ${id}, which was not asked.`);
    demand(count === passed, `${passed} calls went through ${id}, which had room for ${count}.`);
    for (const after of gates) model.gates.set(id, after);
  }
}

/** What was asked of a lane's gates, for this lane or for another one that has the same. */
const asksOf = (lane: Lane, asks: readonly Ask[]): readonly Ask[] =>
  asks.filter(({ gateIds }) => isSame(gateIds, gateIdsOf(lane).toSorted()));

const refusalsOf = (lane: Lane, asks: readonly Ask[]): readonly Ask[] =>
  asksOf(lane, asks).filter(({ count }) => count === 0);

const latest = (asks: readonly Ask[]): number => Math.max(0, ...asks.map(({ againAt }) => againAt));

/**
 * A lane that could have gone on must not be left out for one of its organization that is due
 * later, nor for long; and an organization not for what is another's second lane, unless its turn
 * went to a lane whose gates refused.
 */
function judgeOrder(
  model: Model,
  { now, slots }: ClaimRequest,
  turns: readonly Turn[],
  asks: readonly Ask[],
): void {
  const served = turns.filter(({ taken }) => taken.length > 0);
  const byOrganization = Map.groupBy(served, organizationOf);
  const mostOfOne = Math.max(...[...byOrganization.values()].map(({ length }) => length));
  const lastDue = new Map(
    [...byOrganization].map(([organization, own]) => [
      organization,
      Math.max(...own.map((turn) => Math.min(firstDue(turn), turn.lane.turnFrom))),
    ]),
  );
  const refused = new Set(
    turns.filter(({ lane }) => refusalsOf(lane, asks).length > 0).map(organizationOf),
  );
  for (const { lane } of served) lane.turnFrom = Number.POSITIVE_INFINITY;
  for (const turn of turns) {
    const { lane, due, taken } = turn;
    const { id } = lane.record;
    const own = lastDue.get(organizationOf(turn));
    const turnsAt = Math.max(firstDue(turn), lane.askedAt, lane.restsUntil);
    const isLeftOut =
      due.size > 0 && taken.length === 0 && slots > 0 && isOpen(model, lane, lane.restsUntil);
    demand(
      !isLeftOut || own === undefined || own <= turnsAt,
      `The lane ${id} was left out for one that is due later.`,
    );
    demand(
      !isLeftOut || own !== undefined || mostOfOne <= 1 || refused.has(organizationOf(turn)),
      `The lane ${id} was left out for another organization's second lane.`,
    );
    lane.leftOut = isLeftOut && turnsAt < now ? lane.leftOut + 1 : 0;
    demand(lane.leftOut <= model.lanes.size, `The lane ${id} is left out again and again.`);
  }
}

const organizationOf = ({ lane }: Turn): string => lane.record.organization;

const firstDue = ({ due }: Turn): number => Math.min(...due.values());

/** Would its gates let one go, and does it not rest? */
export const isOpen = (model: Model, lane: Lane, restsUntil: number): boolean =>
  restsUntil <= model.now && admit(gatesOf(model, lane), model.now, 1).count === 1;
