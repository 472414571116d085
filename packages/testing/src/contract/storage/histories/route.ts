import {
  type Candidate,
  type Claim,
  matches,
  type Plan,
  planDeliveries,
  putOffMs,
  type RouteInput,
  type RoutePlan,
  type RouteRequest,
  type RouteResult,
} from "@posthorn/core";
import fc from "fast-check";
import { agree, aWitness, demand } from "./judge.ts";
import { byId, inOrder, pick } from "./lists.ts";
import {
  dueAtOf,
  fly,
  freshId,
  gateIdsOf,
  gatesOf,
  type Lane,
  land,
  type Marker,
  type Model,
  owe,
  type Published,
  soundIn,
} from "./model.ts";
import {
  ALL,
  type Asked,
  asked,
  seldom,
  termsOf,
  type Verb,
  verb,
  type World,
  which,
} from "./world.ts";

interface Route extends Asked {
  readonly maxEvents: number;
  readonly maxDeliveries: number;
  /** The event that makes the plan throw. */
  readonly poison: number | undefined;
  /** The plan finds that a subscription cannot be matched. */
  readonly isUnmatched: true | undefined;
}

export const route: Verb = verb<Route>(
  6,
  {
    ...asked,
    maxEvents: fc.constantFrom(10, 3, 2, 1),
    maxDeliveries: fc.constantFrom(50, 3, 2, 1),
    poison: seldom(which),
    isUnmatched: seldom(fc.constant(true)),
  },
  routeOnce,
);

/** Routes until nothing is left to route. */
export async function routeAll(world: World): Promise<void> {
  const { model } = world;
  const given = { ...ALL, maxEvents: 10, maxDeliveries: 50 };
  for (let turns = 2 * model.unrouted.size; model.unrouted.size > 0; turns -= 1) {
    demand(turns > 0, "Routing does not come to an end.");
    const soonest = Math.min(...[...model.unrouted.values()].map(({ restsUntil }) => restsUntil));
    model.now = Math.max(model.now, soonest);
    await routeOnce(world, { ...given, poison: undefined, isUnmatched: undefined });
  }
}

async function routeOnce({ storage, model }: World, given: Route): Promise<void> {
  const { maxEvents, maxDeliveries, poison, isUnmatched } = given;
  const request: RouteRequest = { ...termsOf(model, given), maxEvents, maxDeliveries };
  const due = [...model.unrouted].filter(([, { restsUntil }]) => restsUntil <= model.now);
  const [bad] = (poison !== undefined && pick(due.slice(0, maxEvents), poison)) || [];
  const witness = aWitness();
  const calls: RouteInput["events"][] = [];
  let planned: RoutePlan = { deliveries: [], cursors: new Map() };
  const plan: Plan = (input) => {
    calls.push(input.events);
    witness.watch(() => checkInput(model, request, input));
    if (input.events.some(({ event }) => event.id === bad)) throw new Error("the plan failed");
    planned = planDeliveries(input, () => freshId(model));
    if (isUnmatched) planned = withProblem(planned);
    return planned;
  };
  const result = await storage.route(request, plan);
  witness.tell();

  const tried = calls[0]?.length ?? 0;
  agree("how many events route tries at first", tried, Math.min(maxEvents, due.length));
  const batch = (calls.at(-1) ?? []).map(({ event }) => event.id);
  const [first] = batch;
  if (first !== undefined && batch.includes(bad ?? "")) {
    agree("the events of which the last one tried could not be routed", batch, [bad]);
    putOff(model, first);
    agreeOnResult(result, { ...NOTHING, unroutable: { eventId: first, error: null }, events: 1 });
  } else {
    agreeOnResult(result, carryOut(model, request, batch, planned));
  }
}

const NOTHING: RouteResult = {
  claims: [],
  unannounced: [],
  unroutable: null,
  events: 0,
  left: 0,
  deliveries: 0,
};

function agreeOnResult(result: RouteResult, expected: RouteResult): void {
  const error = result.unroutable?.error ?? new Error("the plan failed");
  agree("why an event could not be routed", String(error), "Error: the plan failed");
  const comparable = ({ claims, unannounced, unroutable, ...rest }: RouteResult): unknown => ({
    ...rest,
    claims: inOrder(claims),
    unannounced: byId(unannounced),
    unroutable: unroutable?.eventId,
  });
  agree("what route answers", comparable(result), comparable(expected));
}

function putOff({ unrouted, now }: Model, id: string): void {
  const marker = unrouted.get(id) as Marker;
  const { tries } = marker;
  unrouted.set(id, { ...marker, tries: tries + 1, restsUntil: now + putOffMs(tries) });
}

function carryOut(
  model: Model,
  request: RouteRequest,
  batch: readonly string[],
  { deliveries, cursors }: RoutePlan,
): RouteResult {
  const claims = deliveries.flatMap(({ state, queue: _queue, ...fresh }): readonly Claim[] => {
    const owed = owe(model, fresh);
    if (state === "start") return [fly(model, owed, request, { startBy: null, call: null })];
    if (state !== "wait") land(owed, { status: "dead", reason: state.deadReason }, model.now);
    return [];
  });
  const unannounced = batch.flatMap((id) => {
    const after = cursors.get(id);
    if (after !== undefined) {
      model.unrouted.set(id, { ...(model.unrouted.get(id) as Marker), after });
      return [];
    }
    model.unrouted.delete(id);
    const { event, announced } = model.events.get(id) as Published;
    return announced ? [] : [event];
  });
  const { length } = deliveries;
  const done = { unroutable: null, events: batch.length, left: 0, deliveries: length };
  return { claims, unannounced, ...done };
}

const withProblem = ({ deliveries, cursors }: RoutePlan): RoutePlan => ({
  cursors,
  deliveries: deliveries.map((planned, index) =>
    index === 0 ? { ...planned, state: { deadReason: "match_error: no" } } : planned,
  ),
});

function checkInput(model: Model, request: RouteRequest, { events, ...input }: RouteInput): void {
  const { maxEvents } = input.request;
  demand(maxEvents <= request.maxEvents, `The plan hears of ${maxEvents} events at most.`);
  agree("the plan's request", input.request, { ...request, maxEvents });
  checkEvents(model, events);
  for (const [organization, own] of Map.groupBy(events, ({ event }) => event.organization)) {
    const types = own.map(({ event }) => event.type);
    checkCandidates(model, { organization, types }, input.candidates(organization));
  }
}

/** What was put off may come in any place once it is due again. */
function checkEvents(model: Model, given: RouteInput["events"]): void {
  const isPutOff = (id: string): boolean => (model.unrouted.get(id)?.tries ?? 0) > 0;
  const ofOne = Map.groupBy(given, ({ event }) => event.organization);
  for (const [organization, own] of ofOne) {
    const fresh = [...model.unrouted.keys()].filter(
      (id) => !isPutOff(id) && model.events.get(id)?.event.organization === organization,
    );
    const ids = own.map(({ event }) => event.id).filter((id) => !isPutOff(id));
    agree(
      `the plan's events of ${organization}, in the order of their commits`,
      ids,
      fresh.slice(0, ids.length),
    );
  }
  const rounds = given.map((each) => (ofOne.get(each.event.organization) ?? []).indexOf(each));
  agree(
    "the rounds in which the plan's events have their turns",
    rounds,
    rounds.toSorted((a, b) => a - b),
  );
  const most = Math.max(0, ...[...ofOne.values()].map(({ length }) => length));
  for (const [id, { restsUntil }] of model.unrouted) {
    if (restsUntil > model.now || given.some(({ event }) => event.id === id)) continue;
    const organization = model.events.get(id)?.event.organization ?? "";
    demand(
      (ofOne.get(organization)?.length ?? 0) >= most - 1,
      `The event ${id} was left out for another organization's.`,
    );
  }
  for (const { event, after } of given) {
    const marker = model.unrouted.get(event.id);
    demand((marker?.restsUntil ?? 0) <= model.now, `The event ${event.id} was put off.`);
    agree("an event of the plan", event, model.events.get(event.id)?.event);
    agree(`the cursor of the event ${event.id}`, after, marker?.after);
  }
}

function checkCandidates(
  model: Model,
  { organization, types }: { readonly organization: string; readonly types: readonly string[] },
  candidates: readonly Candidate[],
): void {
  const told = new Set(candidates.map(({ subscription }) => subscription.id));
  const mayMatch = ({ record }: Lane): boolean =>
    record.eventTypes.some((pattern) => types.some((type) => matches(pattern, type)));
  const lanes = [...model.lanes.values()]
    .filter(({ record, deleted }) => record.organization === organization && !deleted)
    .filter((lane) => told.has(lane.record.id) || mayMatch(lane))
    .sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  agree(
    "the plan's candidates, in the order of ids",
    candidates.map(comparable),
    lanes.map((lane) => comparable(candidateOf(model, lane))),
  );
  for (const [index, lane] of lanes.entries()) {
    const dueAt = candidates[index]?.lane.nextDueAt ?? null;
    demand(
      maySayDue(model, lane, dueAt),
      `The plan hears that lane ${lane.record.id} has something due at ${dueAt}.`,
    );
  }
}

const candidateOf = (model: Model, lane: Lane): Candidate => ({
  subscription: lane.record,
  lane: {
    subscriptionId: lane.record.id,
    organization: lane.record.organization,
    handlerType: lane.record.type,
    keyId: lane.definition.keyId,
    order: lane.definition.order,
    parked: lane.parked,
    gateIds: gateIdsOf(lane),
    nextDueAt: null,
  },
  gates: gatesOf(model, lane),
});

/** A lane's gates have no order; when it is due is judged apart. */
const comparable = ({ subscription, lane, gates }: Candidate): unknown => ({
  subscription,
  lane: { ...lane, gateIds: lane.gateIds.toSorted(), nextDueAt: null },
  gates: byId(gates),
});

/**
 * May a storage say so of a lane that is open? It may say too early an instant, or one up to now of
 * what is due already, or the one up to which a rule let the lane rest. Suspects do not count.
 */
function maySayDue(model: Model, lane: Lane, told: number | null): boolean {
  if (lane.parked) return true;
  const [first] = soundIn(model, lane).map(dueAtOf);
  if (first === undefined) return true;
  return told !== null && told <= Math.max(first, model.now, lane.restsUntil);
}
