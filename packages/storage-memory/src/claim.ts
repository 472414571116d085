import {
  type Admission,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type ClaimRules,
  canServe,
  type Delivery,
  type FlightTerms,
  type GateState,
  inCalls,
  isSuspect,
  learned,
  type Ruling,
  roomIn,
  type SubscriptionRecord,
  shareOut,
} from "@posthorn/core";
import { append } from "./append.ts";
import type { DueQueue } from "./due-queue.ts";
import { gatesOf, keepGates, type Lane, type Owed, type State } from "./state.ts";
import { learn } from "./subscriptions.ts";
import { fly, land, orderOf, schedule, unschedule } from "./traffic.ts";

export function claim(state: State, request: ClaimRequest, rules: ClaimRules): ClaimResult {
  const lapsed = endLapses(state, request.now, rules);
  const claims = request.alone
    ? claimSuspect(state, request, rules)
    : claimSound(state, request, rules);
  return { claims, lapsed, ...whatIsNext(state, request) };
}

function endLapses(state: State, now: number, { lapse }: ClaimRules): readonly Delivery[] {
  const over = [...until(state.flights, now)];
  const rulings = rulingsOn(over, now, lapse);
  for (const [owed, { disabledReason, event, ...next }] of rulings) {
    land(state, owed, next, now);
    if (disabledReason !== undefined && !owed.lane.deleted)
      learn(state, owed.lane, { disabledReason });
    if (event !== undefined) append(state, [event]);
  }
  return over.map(({ delivery }) => delivery);
}

/** Asks the rule about all of them before anything changes: it may throw. */
function rulingsOn(
  over: readonly Owed[],
  now: number,
  lapse: ClaimRules["lapse"],
): ReadonlyMap<Owed, Ruling> {
  const records = new Map<Lane, SubscriptionRecord>();
  const rulings = new Map<Owed, Ruling>();
  for (const owed of over) {
    const { lane, delivery } = owed;
    const subscription = lane.deleted ? null : (records.get(lane) ?? lane.record);
    const ruling = lapse(delivery, now, { order: orderOf(owed), subscription });
    const { disabledReason } = ruling;
    if (subscription !== null && disabledReason !== undefined)
      records.set(lane, learned(subscription, { disabledReason }));
    rulings.set(owed, ruling);
  }
  return rulings;
}

/** What a lane is granted, before anything happens. */
interface Grant {
  readonly lane: Lane;
  /** What is due in it, earliest first. */
  readonly owed: readonly Owed[];
  /** How many deliveries a call of it may take. */
  readonly max: number;
  /** How many calls may go. */
  count: number;
  againAt: number;
  startBy: number | null;
}

function claimSound(state: State, terms: FlightTerms, rules: ClaimRules): readonly Claim[] {
  const { grants, passed } = grantsOf(state, terms, rules);
  keepGates(state, passed);
  const claims = grants.flatMap(({ lane, owed, count: calls, max, startBy }) => {
    const salt = `${terms.token} ${lane.record.id}`;
    return inCalls(owed, { calls, max, salt }, ({ delivery }) => delivery).flatMap((together) => {
      const call = together.length > 1 ? (together[0]?.delivery.id ?? null) : null;
      return together.map((each) => fly(state, each, terms, { startBy, call }));
    });
  });
  state.claims += 1;
  for (const { lane, count } of grants) {
    if (count > 0) state.turns.set(lane.record.organization, state.claims);
  }
  // Those that got nothing go first when they can be asked again.
  for (const { lane, againAt } of grants.toSorted((a, b) => +(a.count > 0) - +(b.count > 0))) {
    unschedule(state, lane);
    schedule(state, lane, againAt);
  }
  return claims;
}

/** Asks the gates of due lanes: first for one call of each, then for what else has room. */
function grantsOf(
  state: State,
  terms: FlightTerms,
  { admit }: ClaimRules,
): { grants: readonly Grant[]; passed: Iterable<GateState> } {
  const { now, slots } = terms;
  const perLane = Math.min(terms.perLane, slots);
  const passed = new Map<string, GateState>();
  const grants: Grant[] = [];
  const room = roomIn(terms);
  let free = slots;
  const ask = (grant: Grant, wanted: number): void => {
    const gates = gatesOf(state, grant.lane).map((gate) => passed.get(gate.id) ?? gate);
    const { count, gates: after, againAt, startBy } = admit(gates, now, wanted);
    for (const gate of after) passed.set(gate.id, gate);
    free -= count;
    room.take(placeOf(grant.lane), count);
    grant.count += count;
    grant.againAt = againAt;
    grant.startBy = startBy;
  };

  const hasRoom = (organization: string): boolean => room.ofOrganization(organization) > 0;
  for (const lane of lanesInTurn(state, terms, hasRoom)) {
    if (free === 0) break;
    const max = terms.perCall?.get(lane.record.type) ?? 1;
    const owed = dueOf(lane, now, perLane * max);
    if (owed.length === 0) continue;
    const grant: Grant = { lane, owed, max, count: 0, againAt: now, startBy: null };
    if (room.of(placeOf(lane)) > 0) ask(grant, 1);
    grants.push(grant);
  }
  const wishes = grants
    .filter(({ count }) => count === 1)
    .map((grant) => ({
      grant,
      lane: grant.lane.record.id,
      organization: grant.lane.record.organization,
      more: Math.min(grant.owed.length, perLane) - 1,
    }));
  for (const [{ grant }, share] of shareOut(wishes, free)) {
    const wanted = Math.min(share, room.of(placeOf(grant.lane)));
    if (wanted > 0) ask(grant, wanted);
  }
  return { grants, passed: passed.values() };
}

const placeOf = ({ record }: Lane): { subscriptionId: string; organization: string } => ({
  subscriptionId: record.id,
  organization: record.organization,
});

/**
 * Lanes that are due, of organizations that have room: one of each, beginning with who had no turn
 * for longest; and so on.
 */
function* lanesInTurn(
  { due, turns }: State,
  terms: FlightTerms,
  hasRoom: (organization: string) => boolean,
): Generator<Lane> {
  const turnOf = ([organization]: readonly [string, unknown]): number =>
    turns.get(organization) ?? 0;
  let left = [...due]
    .toSorted((a, b) => turnOf(a) - turnOf(b))
    .map(([organization, own]) => ({ organization, lanes: servable(own, terms) }));
  while (left.length > 0) {
    const inRound = left;
    left = [];
    for (const one of inRound) {
      if (!hasRoom(one.organization)) continue;
      const { value, done } = one.lanes.next();
      if (done) continue;
      yield value;
      left.push(one);
    }
  }
}

function* servable(lanes: DueQueue<Lane>, terms: FlightTerms): Generator<Lane, void> {
  for (const lane of until(lanes, terms.now)) if (canServe(servedBy(lane), terms)) yield lane;
}

function claimSuspect(state: State, terms: FlightTerms, { admit }: ClaimRules): readonly Claim[] {
  const asked: { owed: Owed; admission: Admission }[] = [];
  for (const owed of until(state.suspects, terms.now)) {
    if (!isClaimable(owed.lane, terms) || terms.slots === 0) continue;
    const admission = admit(gatesOf(state, owed.lane), terms.now, 1);
    asked.push({ owed, admission });
    if (admission.count === 1) break;
  }
  return asked.flatMap(({ owed, admission: { count, gates, againAt, startBy } }) => {
    keepGates(state, gates);
    if (count === 1) return [fly(state, owed, terms, { startBy, call: null })];
    state.suspects.remove(owed.suspect);
    owed.suspect = state.suspects.add(owed, againAt);
    return [];
  });
}

/** What a process can find later: in a lane, among suspects, at the end of a lease. */
function whatIsNext(
  { due, suspects, flights }: State,
  terms: FlightTerms,
): Pick<ClaimResult, "nextDueAt" | "suspects"> {
  const lanes = [...due.values()].map((own) => first(own, ({ item }) => isClaimable(item, terms)));
  const suspect = first(suspects, ({ item }) => isClaimable(item.lane, terms));
  const instants = [...lanes, suspect, flights.first()].flatMap((entry) =>
    entry ? [entry.at] : [],
  );
  return {
    nextDueAt: instants.length === 0 ? null : Math.max(terms.now, Math.min(...instants)),
    suspects: suspect !== undefined && suspect.at <= terms.now,
  };
}

export const servedBy = ({
  record,
  keyId,
}: Lane): { handlerType: string; keyId: string | null } => ({
  handlerType: record.type,
  keyId,
});

const isClaimable = (lane: Lane, terms: FlightTerms): boolean =>
  !lane.parked && canServe(servedBy(lane), terms);

/** What is due in a lane, earliest first: as much as can go, whether it was tried or not. */
function dueOf(lane: Lane, now: number, most: number): readonly Owed[] {
  return [...new Set([...sound(lane.waiting, now, most), ...sound(lane.firsts, now, most)])];
}

/** The first in a queue that are no suspects. */
function sound(queue: DueQueue<Owed>, now: number, most: number): readonly Owed[] {
  const found: Owed[] = [];
  for (const owed of until(queue, now)) {
    if (found.length === most) break;
    if (!isSuspect(owed.delivery)) found.push(owed);
  }
  return found;
}

function* until<Item>(
  queue: Iterable<{ readonly item: Item; readonly at: number }>,
  now: number,
): Generator<Item> {
  for (const { item, at } of queue) {
    if (at > now) return;
    yield item;
  }
}

function first<Item>(items: Iterable<Item>, isSo: (item: Item) => boolean): Item | undefined {
  for (const item of items) if (isSo(item)) return item;
  return undefined;
}
