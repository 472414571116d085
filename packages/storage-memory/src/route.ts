import {
  type Candidate,
  type Claim,
  type Plan,
  putOffMs,
  type RoutePlan,
  type RouteRequest,
  type RouteResult,
  type StoredEvent,
  type Unrouted,
} from "@posthorn/core";
import { mark, unmark } from "./append.ts";
import { gatesOf, type Lane, type Occurrence, type State } from "./state.ts";
import { end, fly, owe, waitInTurn } from "./traffic.ts";

export function route(state: State, request: RouteRequest, plan: Plan): RouteResult {
  let batch = dueOf(state, request);
  for (;;) {
    const [first] = batch;
    let planned: RoutePlan;
    try {
      planned = plan({ request, events: batch, candidates: candidatesIn(state) });
    } catch (error) {
      if (first === undefined) throw error;
      if (batch.length === 1) return putOff(state, first, request.now, error);
      batch = batch.slice(0, Math.floor(batch.length / 2));
      continue;
    }
    return carryOut(state, request, batch, planned);
  }
}

/**
 * One event of each organization, beginning with those of which none was routed for longest; then a
 * second one of each, and so on.
 */
function dueOf({ unrouted, putOff, routed }: State, request: RouteRequest): Unrouted[] {
  const { now, maxEvents } = request;
  function* dueIn(own: ReadonlyMap<string, Unrouted>): Generator<Unrouted, void> {
    for (const marker of own.values()) {
      if ((putOff.get(marker.event.id)?.until ?? now) <= now) yield marker;
    }
  }
  const turnOf = ([organization]: readonly [string, unknown]): number =>
    routed.get(organization) ?? 0;
  const due: Unrouted[] = [];
  let left = [...unrouted].toSorted((a, b) => turnOf(a) - turnOf(b)).map(([, own]) => dueIn(own));
  while (left.length > 0) {
    const inRound = left;
    left = [];
    for (const own of inRound) {
      if (due.length === maxEvents) return due;
      const { value, done } = own.next();
      if (done) continue;
      due.push(value);
      left.push(own);
    }
  }
  return due;
}

function putOff(
  state: State,
  { event: { id } }: Unrouted,
  now: number,
  error: unknown,
): RouteResult {
  const tries = state.putOff.get(id)?.tries ?? 0;
  state.putOff.set(id, { tries: tries + 1, until: now + putOffMs(tries) });
  const unroutable = { eventId: id, error };
  return { claims: [], unannounced: [], unroutable, events: 1, left: 0, deliveries: 0 };
}

function carryOut(
  state: State,
  request: RouteRequest,
  batch: readonly Unrouted[],
  { deliveries, cursors }: RoutePlan,
): RouteResult {
  const { events, lanes } = state;
  const claims: Claim[] = [];
  for (const { state: begin, queue, ...fresh } of deliveries) {
    const occurrence = events.get(fresh.eventId) as Occurrence;
    const lane = lanes.get(fresh.subscriptionId) as Lane;
    const owed = owe(state, { occurrence, lane }, fresh);
    if (begin === "start") claims.push(fly(state, owed, request));
    else if (begin === "wait") waitInTurn(state, owed, queue, occurrence.position);
    else end(state, owed, { status: "dead", reason: begin.deadReason, now: request.now });
  }

  const unannounced: StoredEvent[] = [];
  state.routes += 1;
  for (const { event, after: before } of batch) {
    const after = cursors.get(event.id);
    if (after !== (before ?? "")) state.routed.set(event.organization, state.routes);
    if (after !== undefined) {
      mark(state, { event, after });
      continue;
    }
    unmark(state, event);
    if (events.get(event.id)?.announced === false) unannounced.push(event);
  }
  const { length } = deliveries;
  const done = { unroutable: null, events: batch.length, left: 0, deliveries: length };
  return { claims, unannounced, ...done };
}

/** Who may be owed an event; each organization is looked up once. */
function candidatesIn(state: State): (organization: string) => readonly Candidate[] {
  const known = new Map<string, readonly Candidate[]>();
  return (organization) => {
    const found = known.get(organization) ?? (state.rosters.get(organization) ?? []).map(candidate);
    known.set(organization, found);
    return found;
  };

  function candidate(lane: Lane): Candidate {
    const { record, keyId, order, parked, gateIds, waiting } = lane;
    return {
      subscription: record,
      lane: {
        subscriptionId: record.id,
        organization: record.organization,
        handlerType: record.type,
        keyId,
        order,
        parked,
        gateIds,
        nextDueAt: waiting.first()?.at ?? null,
      },
      gates: gatesOf(state, lane),
    };
  }
}
