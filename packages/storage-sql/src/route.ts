import {
  type Candidate,
  type Claim,
  type Delivery,
  isSerial,
  type LaneState,
  type Plan,
  type PlannedDelivery,
  passed,
  putOffMs,
  type RouteInput,
  type RouteRequest,
  type RouteResult,
  type StoredEvent,
  type SubscriptionRecord,
  type Unrouted,
} from "@posthorn/core";
import { canceled, DELETED, deliveriesIn, duesOf, inPlace } from "./deliveries.ts";
import { type Dialect, sent, sentKeys } from "./dialect.ts";
import { gatesIn } from "./gates.ts";
import { type LockedLane, lanesIn } from "./lanes.ts";
import { markersIn } from "./markers.ts";
import { queuesIn } from "./queues.ts";
import {
  deliveryRow,
  gateIdsOf,
  int,
  intOrNull,
  isSet,
  keyIdOf,
  newDelivery,
  orderIn,
  text,
  textOrNull,
  toEvent,
  toMatched,
  toSubscription,
} from "./records.ts";
import { change, type Row, rowsOf, type Script, type Statement } from "./script.ts";
import { subscriptionsById } from "./subscriptions-by-id.ts";
import { unroutedIn } from "./unrouted.ts";

export interface Route {
  /** Is there anything to route? */
  isDue(now: number): Script<boolean>;
  /**
   * Routes what is there in one statement, if it is little, and all of it can begin; null if that
   * cannot be done. Outside a transaction.
   */
  routeAtOnce(request: RouteRequest, plan: Plan): Script<RoutedAtOnce | null>;
  /** In haste, what owes something to a lane that others hold rests for a moment. */
  route(request: RouteRequest, plan: Plan, inHaste: boolean): Script<RouteResult>;
  /** Puts off the event whose turn it is: it failed alone. */
  putOff(now: number, error: unknown): Script<RouteResult>;
}

export interface RoutedAtOnce {
  readonly result: RouteResult;
  /** Others were busy with the same. */
  readonly isContended: boolean;
}

/** How long an event rests that owes something to a lane that others hold. */
const REST_MS = 1_000;
/** More subscriptions than that are not read whole, but for those that an event starts for. */
const MANY = 50;
/** Of an organization with events of more types than that, the database does not choose subscriptions. */
const FEW_TYPES = 4;

export function routing(dialect: Dialect): Route {
  const { table, rows, join, lookUp } = dialect;
  const lanes = lanesIn(dialect);
  const gates = gatesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const queues = queuesIn(dialect);
  const unrouted = unroutedIn(dialect);
  const inTurn = markersIn(dialect);
  const probe = `select 1 as due from ${table("unrouted")} where not_before <= ? order by position limit 1`;
  const read = `select e.* from ${rows("r", { id: "key" })} ${lookUp("events", "e")} on e.id = r.id`;
  // A name between quotes is found in no other's; patterns, and what cannot be read, are left to the plan.
  const mayMatch = `(r.named is null or ${dialect.has("s.event_types", "r.named")} or s.event_types like '%*%' or s.event_types not like '["%"]')`;
  const rosterOf = (columns: string): string =>
    `select ${columns}, l.key_id, l.gate_ids, l.parked, l.next_due_at from ${rows("r", { organization: "key", named: "text" })} ${join} ${table("subscriptions")} s on s.organization = r.organization and ${mayMatch} ${join} ${table("lanes")} l on l.subscription_id = s.id order by s.id`;
  const roster = rosterOf("s.*");
  const longRoster = rosterOf("s.id, s.organization, s.type, s.event_types, s.delivery_order");
  const subscriptionsOf = subscriptionsById(dialect);
  const failed = `update ${table("unrouted")} set tries = tries + 1, not_before = ? where position = ?`;
  const done = dialect.remove("unrouted", "position", "int");
  const rest = dialect.update({
    table: "unrouted",
    rows: { position: "int", until: "int" },
    set: { not_before: "r.until" },
    where: "t.position = r.position",
  });
  const goOn = dialect.update({
    table: "unrouted",
    rows: { position: "int", after_id: "key" },
    set: { after_id: "r.after_id" },
    where: "t.position = r.position",
  });

  /** Organizations of which many subscriptions were found last: to read them all takes long. */
  const large = new Set<string>();

  /** Those that the events may match, of each organization in the order of their ids. */
  function* candidatesOf(events: readonly Row[]): Script<Roster> {
    const wanted = Map.groupBy(events, (row) => text(row["organization"]));
    const asked = [...wanted].flatMap(([organization, some]) => {
      const types = new Set(some.map((row) => text(row["type"])));
      const names =
        types.size > FEW_TYPES ? [null] : [...types].map((type) => JSON.stringify(type));
      return names.map((named) => ({ organization, named }));
    });
    const [long, short] = partition(asked, ({ organization }) => large.has(organization));
    const found = new Map<string, Row>();
    for (const [select, some] of [[roster, short] as const, [longRoster, long] as const]) {
      if (some.length === 0) continue;
      for (const row of yield* rowsOf(select, sent(some))) found.set(text(row["id"]), row);
    }
    const known = yield* gates.read([...found.values()].flatMap(gateIdsOf));
    const candidates = [...found.values()].map((row): SqlCandidate => {
      const organization = text(row["organization"]);
      const record = large.has(organization) ? null : toSubscription(row);
      const subscription = record ?? toMatched(row);
      const gateIds = gateIdsOf(row);
      const lane: LaneState = {
        subscriptionId: subscription.id,
        organization,
        handlerType: subscription.type,
        keyId: keyIdOf(row),
        order: orderIn(row),
        parked: isSet(row["parked"]),
        gateIds,
        nextDueAt: intOrNull(row["next_due_at"]),
      };
      return { subscription, record, lane, gates: gateIds.flatMap((id) => known.get(id) ?? []) };
    });
    const byOrganization = Map.groupBy(candidates, ({ lane }) => lane.organization);
    for (const organization of wanted.keys()) {
      const count = byOrganization.get(organization)?.length ?? 0;
      if (count > MANY) large.add(organization);
      else large.delete(organization);
    }
    return byOrganization;
  }

  /** What may start at once, each with its lane's candidate, whose subscription is read whole by now. */
  function* startsOf(planned: readonly PlannedDelivery[], roster: Roster): Script<Starts> {
    const starting = planned.filter(({ state }) => state === "start");
    if (starting.length === 0) return [];
    const candidates = new Map(
      [...roster.values()].flat().map((candidate) => [candidate.subscription.id, candidate]),
    );
    const found = starting.flatMap((each) => {
      const candidate = candidates.get(each.subscriptionId);
      return candidate === undefined ? [] : [{ planned: each, candidate }];
    });
    const records = yield* subscriptionsOf(
      found.flatMap(({ candidate: { record, subscription } }) =>
        record === null ? [subscription.id] : [],
      ),
    );
    return found.flatMap(({ planned, candidate: { record, subscription, gates } }) => {
      const whole = record ?? records.get(subscription.id);
      return whole === undefined ? [] : [{ planned, subscription: whole, gates }];
    });
  }

  /** Those whose lane is gone by now have nobody to go to. */
  function* add(
    planned: readonly PlannedDelivery[],
    positions: ReadonlyMap<string, number>,
    locked: ReadonlyMap<string, LockedLane>,
    { now, token, leaseMs }: RouteRequest,
    also: Statement | undefined,
  ): Script<void> {
    const owed = planned
      .map((each) => begin(each, now))
      .map((delivery) =>
        delivery.dueAt === null || locked.has(delivery.subscriptionId)
          ? delivery
          : canceled(delivery, DELETED, now),
      );
    const waiting = planned.filter((_, index) => owed[index]?.dueAt !== null);
    const newcomers = waiting.map(({ id, subscriptionId, eventId, queue }) => {
      const position = positions.get(eventId);
      return { id, subscriptionId, queue, ...(position !== undefined && { position }) };
    });
    const places = yield* queues.enter(newcomers, locked);
    const placed = inPlace(owed, places);
    yield* deliveries.add(placed, places, { token, leaseUntil: now + leaseMs }, also);
    yield* lanes.expect(duesOf(placed));
  }

  return {
    isDue: function* (now) {
      return (yield* rowsOf(probe, now)).length > 0;
    },

    routeAtOnce: function* (request, plan) {
      const { routing } = dialect;
      const { now, token, leaseMs, maxEvents } = request;
      const peeked = routing === null ? null : yield* unrouted.peek(now, maxEvents);
      if (routing === null || peeked === null) return null;
      const { markers, events: found } = peeked;
      if (markers.length === 0) return { result: NOTHING_ROUTED, isContended: false };
      if (found?.length !== markers.length) return null;
      const roster = yield* candidatesOf(found);
      if (serialIn(roster).size > 0) return null;
      const events = eventsOf(markers, found);
      const { deliveries: planned, cursors } = plan({ request, events, candidates: of(roster) });
      if (cursors.size > 0 || planned.some(({ state }) => state !== "start")) return null;
      const starts = yield* startsOf(planned, roster);
      const taken = yield* routing(
        markers.map((row) => int(row["position"])),
        planned.map((each) => deliveryRow(begin(each, now))),
        { token, leaseUntil: now + leaseMs },
      );
      const own = planned.filter(({ eventId }) => taken.has(eventId));
      const isOwn = ({ planned: { eventId } }: Starts[number]): boolean => taken.has(eventId);
      const isUnannounced = isNotYet(found);
      const result: RouteResult = {
        claims: claimsOf(starts.filter(isOwn), request, events),
        unannounced: events.flatMap(({ event }) =>
          taken.has(event.id) && isUnannounced(event) ? [event] : [],
        ),
        unroutable: null,
        events: taken.size,
        left: 0,
        deliveries: own.length,
      };
      return { result, isContended: taken.size < markers.length };
    },

    route: function* (request, plan, inHaste) {
      const { now, maxEvents } = request;
      const { markers: taken, events: known, goOn: goRound } = yield* unrouted.take(now, maxEvents);
      if (taken.length === 0) return NOTHING_ROUTED;
      const found =
        known ?? (yield* rowsOf(read, sent(taken.map((row) => ({ id: text(row["event_id"]) })))));
      const roster = yield* candidatesOf(found);
      const serial = serialIn(roster);
      const { markers, left } = yield* inTurn(taken, serial, now);
      if (markers.length === 0) {
        goRound(() => false);
        return { ...NOTHING_ROUTED, left };
      }
      const events = eventsOf(markers, found);

      const { deliveries: owed, cursors } = plan({ request, events, candidates: of(roster) });
      const firsts = new Map(
        events.toReversed().map(({ event, after }) => [event.organization, { event, after }]),
      );
      goRound((organization) => {
        const first = firsts.get(organization);
        return first !== undefined && cursors.get(first.event.id) === (first.after ?? "");
      });
      const waiting = owed.filter(({ state }) => state === "wait");
      const { locked, held } = yield* lanes.take(
        waiting.map(({ subscriptionId }) => subscriptionId),
        inHaste,
      );
      const resting = withFollowers(
        new Set(waiting.flatMap((each) => (held.has(each.subscriptionId) ? [each.eventId] : []))),
        events,
        serial,
      );
      const planned = owed.filter(({ eventId }) => !resting.has(eventId));
      const positions = new Map(
        markers.map((row) => [text(row["event_id"]), int(row["position"])]),
      );
      const [rested, routed] = partition(markers, (row) => resting.has(text(row["event_id"])));
      const [unfinished, finished] = partition(routed, (row) => cursors.has(text(row["event_id"])));
      const over = sentKeys(finished.map((row) => int(row["position"])));
      const also = finished.length > 0 ? { text: done, params: [over] } : undefined;
      yield* add(planned, positions, locked, request, also);
      const starts = yield* startsOf(planned, roster);
      if (rested.length > 0) {
        const until = now + REST_MS;
        yield* change(rest, sent(rested.map((row) => ({ position: int(row["position"]), until }))));
      }
      if (unfinished.length > 0) {
        const moved = unfinished.map((row) => ({
          position: int(row["position"]),
          after_id: cursors.get(text(row["event_id"])) ?? null,
        }));
        yield* change(goOn, sent(moved));
      }

      const isUnannounced = isNotYet(found);
      return {
        claims: claimsOf(starts, request, events),
        unannounced: events.flatMap(({ event }) =>
          !resting.has(event.id) && !cursors.has(event.id) && isUnannounced(event) ? [event] : [],
        ),
        unroutable: null,
        events: routed.length,
        left,
        deliveries: planned.length,
      };
    },

    putOff: function* (now, error) {
      const {
        markers: [row],
      } = yield* unrouted.take(now, 1);
      if (row === undefined) return NOTHING_ROUTED;
      yield* change(failed, now + putOffMs(int(row["tries"])), int(row["position"]));
      const unroutable = { eventId: text(row["event_id"]), error };
      return { ...NOTHING_ROUTED, unroutable, events: 1 };
    },
  };
}

/** Where an order is kept, what follows an event that rests does so too. */
function withFollowers(
  resting: ReadonlySet<string>,
  events: readonly Unrouted[],
  serial: ReadonlySet<string>,
): ReadonlySet<string> {
  const all = new Set(resting);
  const resters = new Set<string>();
  for (const { event } of events) {
    if (resters.has(event.organization)) all.add(event.id);
    if (all.has(event.id) && serial.has(event.organization)) resters.add(event.organization);
  }
  return all;
}

/** Whose subscription was read whole, or only as far as events are matched with it. */
interface SqlCandidate extends Candidate {
  readonly record: SubscriptionRecord | null;
}

type Roster = ReadonlyMap<string, readonly SqlCandidate[]>;

const of =
  (roster: Roster): RouteInput["candidates"] =>
  (organization) =>
    roster.get(organization) ?? [];

/** Organizations that have lanes with an order. */
const serialIn = (roster: Roster): ReadonlySet<string> =>
  new Set(
    [...roster].flatMap(([organization, candidates]) =>
      candidates.some(({ lane }) => isSerial(lane.order)) ? [organization] : [],
    ),
  );

/** Whether nobody in the process of its host has heard of an event. */
function isNotYet(found: readonly Row[]): (event: StoredEvent) => boolean {
  const announced = new Map(found.map((row) => [text(row["id"]), isSet(row["announced"])]));
  return ({ id }) => announced.get(id) !== true;
}

/** What is answered where nothing is to be routed. */
export const NOTHING_ROUTED: RouteResult = {
  claims: [],
  unannounced: [],
  unroutable: null,
  events: 0,
  left: 0,
  deliveries: 0,
};

/** What is to be routed, in the order of the markers. */
function eventsOf(markers: readonly Row[], found: readonly Row[]): readonly Unrouted[] {
  const events = new Map<string, StoredEvent>(found.map((row) => [text(row["id"]), toEvent(row)]));
  return markers.map((row) => {
    const event = events.get(text(row["event_id"]));
    if (event === undefined) {
      throw new Error(`Event ${text(row["event_id"])} is to be routed, but cannot be read yet.`);
    }
    return { event, after: textOrNull(row["after_id"]) };
  });
}

function begin({ state, queue: _queue, ...given }: PlannedDelivery, now: number): Delivery {
  const delivery = newDelivery(given);
  if (state === "wait") return { ...delivery, dueAt: delivery.createdAt };
  if (state === "start") return { ...delivery, inFlight: true };
  return { ...delivery, status: "dead", reason: state.deadReason, completedAt: now };
}

type Starts = readonly (Pick<Claim, "subscription"> &
  Pick<Candidate, "gates"> & { readonly planned: PlannedDelivery })[];

function claimsOf(
  starts: Starts,
  { token, now, leaseMs }: RouteRequest,
  events: readonly Unrouted[],
): readonly Claim[] {
  const byId = new Map(events.map(({ event }) => [event.id, event]));
  return starts.flatMap(({ planned, subscription, gates }): readonly Claim[] => {
    const event = byId.get(planned.eventId);
    if (event === undefined) return [];
    return [
      {
        deliveryId: planned.id,
        subscriptionId: planned.subscriptionId,
        token,
        delivery: begin(planned, now),
        event,
        subscription,
        gates: gates.map(passed),
        leaseUntil: now + leaseMs,
        startBy: null,
        call: null,
      },
    ];
  });
}

function partition<Item>(
  items: readonly Item[],
  isFirst: (item: Item) => boolean,
): readonly [readonly Item[], readonly Item[]] {
  const { first = [], second = [] } = Object.groupBy(items, (item) =>
    isFirst(item) ? "first" : "second",
  );
  return [first, second];
}
