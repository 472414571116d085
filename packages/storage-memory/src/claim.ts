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
  isSuspect,
} from "@posthorn/core";
import { gatesOf, keepGates, type Lane, type Owed, type State } from "./state.ts";
import { fly, land, schedule } from "./traffic.ts";

export function claim(state: State, request: ClaimRequest, rules: ClaimRules): ClaimResult {
  const lapsed = endLapses(state, request.now, rules);
  const claims = request.alone
    ? claimSuspect(state, request, rules)
    : claimSound(state, request, rules);
  return { claims, lapsed, ...whatIsNext(state, request) };
}

function endLapses(state: State, now: number, { lapse }: ClaimRules): readonly Delivery[] {
  const over = [...until(state.flights, now)];
  const nexts = over.map(({ delivery }) => lapse(delivery, now));
  for (const [index, next] of nexts.entries()) land(state, over[index] as Owed, next, now);
  return over.map(({ delivery }) => delivery);
}

/** What a lane is granted, before anything happens. */
interface Grant {
  readonly lane: Lane;
  readonly owed: readonly Owed[];
  count: number;
  againAt: number;
  startBy: number | null;
}

function claimSound(state: State, terms: FlightTerms, rules: ClaimRules): readonly Claim[] {
  const { grants, passed } = grantsOf(state, terms, rules);
  keepGates(state, passed);
  const claims = grants.flatMap(({ owed, count, startBy }) =>
    owed.slice(0, count).map((each) => fly(state, each, terms, startBy)),
  );
  // Those that got nothing go first when they can be asked again.
  for (const { lane, againAt } of grants.toSorted((a, b) => +(a.count > 0) - +(b.count > 0))) {
    state.due.remove(lane.asked);
    lane.asked = undefined;
    schedule(state, lane, againAt);
  }
  return claims;
}

/** Asks the gates of due lanes: first for one delivery of each, then for what else has room. */
function grantsOf(
  state: State,
  terms: FlightTerms,
  { admit }: ClaimRules,
): { grants: readonly Grant[]; passed: Iterable<GateState> } {
  const { now, slots, perLane } = terms;
  const passed = new Map<string, GateState>();
  const grants: Grant[] = [];
  let free = slots;
  const ask = (grant: Grant, wanted: number): void => {
    const gates = gatesOf(state, grant.lane).map((gate) => passed.get(gate.id) ?? gate);
    const { count, gates: after, againAt, startBy } = admit(gates, now, wanted);
    for (const gate of after) passed.set(gate.id, gate);
    free -= count;
    grant.count += count;
    grant.againAt = againAt;
    grant.startBy = startBy;
  };

  for (const lane of until(state.due, now)) {
    if (free === 0) break;
    if (!canServe(servedBy(lane), terms)) continue;
    const owed = dueOf(lane, now, perLane);
    if (owed.length === 0) continue;
    const grant: Grant = { lane, owed, count: 0, againAt: now, startBy: null };
    ask(grant, 1);
    grants.push(grant);
  }
  for (const grant of grants) {
    const wanted = Math.min(free, grant.owed.length - 1);
    if (grant.count === 1 && wanted > 0) ask(grant, wanted);
  }
  return { grants, passed: passed.values() };
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
    if (count === 1) return [fly(state, owed, terms, startBy)];
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
  const lane = first(due, ({ item }) => isClaimable(item, terms));
  const suspect = first(suspects, ({ item }) => isClaimable(item.lane, terms));
  const instants = [lane, suspect, flights.first()].flatMap((entry) => (entry ? [entry.at] : []));
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

function dueOf(lane: Lane, now: number, most: number): readonly Owed[] {
  const found: Owed[] = [];
  for (const owed of until(lane.waiting, now)) {
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
