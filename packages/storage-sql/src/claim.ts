import {
  type Abilities,
  type Admission,
  type Claim,
  type ClaimRequest,
  type ClaimRules,
  countsPasses,
  type Delivery,
  type FlightTerms,
  type GateState,
  inCalls,
  inTurns,
  isRetry,
  landed,
  learned,
  type NewEvent,
  passed,
  type Room,
  roomIn,
  shareOut,
} from "@posthorn/core";
import { appending } from "./append.ts";
import { canceled, DELETED, deliveriesIn, duesOf } from "./deliveries.ts";
import { type Dialect, sent, sentKeys } from "./dialect.ts";
import { findingsIn } from "./findings.ts";
import { gatesIn } from "./gates.ts";
import { type LockedLane, lanesIn, toLane } from "./lanes.ts";
import { queuesIn } from "./queues.ts";
import { int, intOrNull, text, textOrNull, toDelivery, toEvent } from "./records.ts";
import { change, type Row, rowsOf, type Script } from "./script.ts";
import { subscriptionsById } from "./subscriptions-by-id.ts";
import { type Ability, type Next, turnsIn } from "./turns.ts";

/** The earliest instants at which a process with some abilities can find something to do. */
export interface Prospect {
  /** In the lanes of each ability, by their order; null where nothing waits. */
  readonly lanes: readonly (number | null)[];
  readonly suspect: number | null;
  /** The end of the first lease. */
  readonly lease: number | null;
}

export interface Claiming {
  look(abilities: Abilities): Script<Prospect>;
  /**
   * The lanes whose turn it is, beside those of organizations that have as much in flight as they
   * may. Nothing is locked.
   */
  beside(
    terms: FlightTerms,
    prospect: Prospect,
    full: ReadonlySet<string>,
  ): Script<readonly Next[]>;
  /**
   * Ends flights whose lease is over, and leases that have none; in haste only flights in lanes that
   * nobody holds.
   */
  endLapses(now: number, rules: ClaimRules, inHaste: boolean): Script<readonly Delivery[]>;
  /**
   * Takes what is due in lanes, or in those of `beside` if it is not null; or one suspect if
   * `alone`. In haste only behind gates that nobody holds.
   */
  take(
    request: ClaimRequest,
    rules: ClaimRules,
    seen: { readonly prospect: Prospect; readonly beside: readonly Next[] | null },
    inHaste: boolean,
  ): Script<readonly Claim[]>;
}

/** How many flights end as lapses at once. */
const MOST_LAPSES = 500;
/** How many lanes are asked beyond those that slots are free for: gates may let nothing through. */
const SPARE_LANES = 50;
/** How many deliveries are looked at to choose from: at most, if no call takes more than one. */
const MOST_LOOKED_AT = 2_000;
/** How many suspects are asked, at most, for one that may go. */
const MOST_SUSPECTS = 20;
/** Why a delivery is canceled whose event somebody has removed by hand. */
const EVENT_GONE = "its event is gone";

export function claiming(dialect: Dialect): Claiming {
  const { table, rows, lookUp, greatest, given, lockDue, skipLocked } = dialect;
  const lanes = lanesIn(dialect);
  const gates = gatesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const turns = turnsIn(dialect);
  const queues = queuesIn(dialect);
  const findings = findingsIn(dialect);
  const append = appending(dialect);

  // The first by an index, and no `min`: that is for some planners a reason to read them all.
  const first = (column: string, source: string): string =>
    `select (select ${column} from ${source} order by ${column} limit 1) as due_at`;
  // Counted, and not joined: no planner may begin with the lanes.
  const isServed = `(select count(*) from ${table("lanes")} l join ${rows("r", { handler_type: "key", key_id: "key" })} on r.handler_type = l.handler_type and r.key_id = l.key_id where l.subscription_id = d.subscription_id and l.parked = 0) > 0`;
  const laneDue = first(
    "next_due_at",
    `${table("lanes")} where handler_type = ? and key_id = ? and next_due_at is not null`,
  );
  const suspectDue = first(
    "ask_at",
    `${table("deliveries")} d where ask_at is not null and ${isServed}`,
  );
  const leaseOver = first("lease_until", table("leases"));

  const leasesOver = `select token from ${table("leases")} where lease_until <= ? order by lease_until limit ${given("int")}`;
  const flightsOf = `select f.token, f.delivery_id, f.subscription_id from ${rows("r", { token: "key" })} ${lookUp("flights", "f")} on f.token = r.token limit ${given("int")}`;
  const endLeases = dialect.remove("leases", "token", "key");
  const dueSuspects = `select id, subscription_id from ${table("deliveries")} d where ask_at is not null and ask_at <= ? and ${isServed} order by ask_at, id limit ${given("int")}`;
  const askLater = `update ${table("deliveries")} set ask_at = ? where id = ?`;
  const lockThese = `select l.* from ${rows("r", { id: "key" })} ${lookUp("lanes", "l")} on l.subscription_id = r.id where l.next_due_at is not null and l.next_due_at <= ? order by l.subscription_id${skipLocked}`;
  const firstWaiting = (value: string): string =>
    `(select ${value} from ${table("deliveries")} d where ${dialect.waitsIn("r.id")} order by d.due_at limit 1)`;
  const turnTo = (nextDueAt: string): string =>
    dialect.update({
      table: "lanes",
      rows: { id: "key", again: "int", served: "int" },
      set: { next_due_at: nextDueAt, served_at: "coalesce(r.served, t.served_at)" },
      where: "t.subscription_id = r.id",
    });
  const turn = turnTo(firstWaiting(greatest("d.due_at", "r.again")));
  const turnToKnown = turnTo("r.again");
  const nextDue = `select r.id, ${firstWaiting("d.due_at")} as due_at from ${rows("r", { id: "key" })}`;
  const events = `select e.* from ${rows("r", { id: "key" })} ${lookUp("events", "e")} on e.id = r.id`;
  const subscriptionsOf = subscriptionsById(dialect);

  function* takeFromLanes(
    terms: FlightTerms,
    rules: ClaimRules,
    { prospect, beside }: Parameters<Claiming["take"]>[2],
    inHaste: boolean,
  ): Script<readonly Claim[]> {
    const { now, slots, perLane } = terms;
    const room = roomIn(terms);
    const locked = yield* beside === null
      ? lockDueLanes(terms, prospect)
      : lockLanesOf(beside, terms);
    const due = locked.filter(({ organization }) => room.ofOrganization(organization) > 0);
    if (due.length === 0) return [];
    const spare = Math.max(1, slots - due.length + 1);
    const inOneOfEach = due.reduce((sum, { max }) => sum + max, 0);
    const lookedAt = Math.max(1, Math.floor(MOST_LOOKED_AT / inOneOfEach));
    const most = Math.min(perLane, spare, lookedAt);
    const waiting = new Map<string, readonly Delivery[]>();
    for (const [max, lanes] of Map.groupBy(due, (lane) => lane.max)) {
      for (const [id, found] of yield* dueIn(lanes, now, most * max)) waiting.set(id, found);
    }

    const states = yield* gatesOf(due, inHaste);
    const asked = due
      .filter((lane) => lane.gateIds.every((id) => states.has(id)))
      .map((lane) => ({ lane, deliveries: waiting.get(lane.id) ?? [] }));
    const { grants, passed } = grantsOf(asked, states, terms, { rules, most, room });
    yield* gates.keep(passed);

    const granted = grants.flatMap(({ lane, deliveries, count: calls, startBy }) => {
      const salt = `${terms.token} ${lane.id}`;
      return inCalls(deliveries, { calls, max: lane.max, salt }, (each) => each).flatMap(
        (together) => {
          const call = together.length > 1 ? (together[0]?.id ?? null) : null;
          return together.map((delivery) => ({ delivery, lane, startBy, call }));
        },
      );
    });
    const claims = yield* fly(granted, states, terms);
    const served = grants.map(({ lane, count, againAt }) => ({
      id: lane.id,
      again: againAt,
      served: count > 0 ? now : null,
    }));
    yield* endTurns(served);
    return claims;
  }

  /** What is left in lanes that had their turn says when they have the next one. */
  function* endTurns(
    served: readonly { id: string; again: number; served: number | null }[],
  ): Script<void> {
    if (!dialect.locksWhatItReads) {
      yield* change(turn, sent(served));
      return;
    }
    const found = yield* rowsOf(nextDue, sentIds(served.map(({ id }) => id)));
    const dues = new Map(found.map((row) => [text(row["id"]), intOrNull(row["due_at"])]));
    const known = served.map((lane) => {
      const dueAt = dues.get(lane.id) ?? null;
      return { ...lane, again: dueAt === null ? null : Math.max(dueAt, lane.again) };
    });
    yield* change(turnToKnown, sent(known));
  }

  /** What is due in lanes, earliest first: as much as can go, whether it was tried or not. */
  function* dueIn(
    due: readonly DueLane[],
    now: number,
    most: number,
  ): Script<ReadonlyMap<string, readonly Delivery[]>> {
    const ids = due.map(({ id }) => id);
    const found = (yield* dialect.dueOfEach(ids, now, most)).map(toDelivery);
    const waiting = Map.groupBy(found, ({ subscriptionId }) => subscriptionId);
    const crowded = [...waiting].filter(([, all]) => all.length === most && all.some(isRetry));
    const rows =
      crowded.length === 0
        ? []
        : yield* dialect.firstsOfEach(
            crowded.map(([id]) => id),
            now,
            most,
          );
    const firsts = Map.groupBy(rows.map(toDelivery), ({ subscriptionId }) => subscriptionId);
    return new Map(
      [...waiting].map(([id, all]) => {
        const both = new Map([...all, ...(firsts.get(id) ?? [])].map((each) => [each.id, each]));
        const byAge = [...both.values()].sort(
          (a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || (a.id < b.id ? -1 : 1),
        );
        return [id, byAge];
      }),
    );
  }

  /**
   * The lanes that are due earliest; and if more are due than these, the earliest ones of the
   * organizations whose turn it is, lest others' lanes stand before them for long.
   */
  function* lockDueLanes(
    terms: FlightTerms,
    { lanes: dues }: Prospect,
  ): Script<readonly DueLane[]> {
    const { now, slots, perCall } = terms;
    const most = slots + SPARE_LANES;
    const found = new Map<string, DueLane>();
    const next: string[] = [];
    const add = (locked: readonly Row[]): void => {
      for (const row of locked) {
        const lane = toDueLane(row, perCall);
        found.set(lane.id, lane);
      }
    };
    for (const [index, ability] of pairsOf(terms).entries()) {
      const due = dues[index];
      if (due === null || due === undefined || due > now) continue;
      const earliest = yield* lockDue(ability.handlerType, ability.keyId, now, most);
      add(earliest);
      if (earliest.length < most) continue;
      const { organizations, lanes: ids } = yield* turns.next(ability, now, { most: slots });
      next.push(...organizations);
      const others = ids.filter((id) => !found.has(id));
      if (others.length > 0) add(yield* rowsOf(lockThese, sentIds(others), now));
    }
    const byAge = [...found.values()].sort(earliestFirst);
    return inTurns(byAge, ({ organization }) => organization, next).slice(0, most);
  }

  /** The lanes whose turn it was when nothing was locked. */
  function* lockLanesOf(
    beside: readonly Next[],
    { now, perCall }: FlightTerms,
  ): Script<readonly DueLane[]> {
    const ids = beside.flatMap(({ lanes }) => lanes);
    const locked = yield* rowsOf(lockThese, sentIds(ids), now);
    const byAge = locked.map((row) => toDueLane(row, perCall)).sort(earliestFirst);
    const next = beside.flatMap(({ organizations }) => organizations);
    return inTurns(byAge, ({ organization }) => organization, next);
  }

  /** The states of the lanes' gates; those that count what passes are locked, or absent if held. */
  function* gatesOf(
    lanes: readonly LockedLane[],
    inHaste: boolean,
  ): Script<ReadonlyMap<string, GateState>> {
    const known = yield* gates.read(lanes.flatMap(({ gateIds }) => gateIds));
    const counting = [...known.values()].filter(countsPasses);
    const free = [...known].filter(([, gate]) => !countsPasses(gate));
    const locked = yield* gates.lock(
      counting.map(({ id }) => id),
      inHaste,
    );
    return new Map([...free, ...locked]);
  }

  function* takeSuspect(
    terms: FlightTerms,
    rules: ClaimRules,
    inHaste: boolean,
  ): Script<readonly Claim[]> {
    if (terms.slots === 0) return [];
    const found = yield* rowsOf(dueSuspects, terms.now, sent(abilityRows(terms)), MOST_SUSPECTS);
    const { locked: due } = yield* lanes.take(found.map(laneOf), inHaste);
    const states = yield* gatesOf([...due.values()], inHaste);
    const locked = yield* deliveries.lock(found.map((row) => text(row["id"])));
    const suspects = locked
      .filter((row) => (intOrNull(row["ask_at"]) ?? Number.POSITIVE_INFINITY) <= terms.now)
      .sort((a, b) => int(a["ask_at"]) - int(b["ask_at"]));
    for (const row of suspects) {
      const delivery = toDelivery(row);
      const lane = due.get(delivery.subscriptionId);
      if (lane === undefined || lane.parked) continue;
      if (!lane.gateIds.every((id) => states.has(id))) continue;
      const own = lane.gateIds.flatMap((id) => states.get(id) ?? []);
      const { count, gates: after, againAt, startBy } = rules.admit(own, terms.now, 1);
      yield* gates.keep(changedOf(own, after));
      if (count === 1) return yield* fly([{ delivery, lane, startBy, call: null }], states, terms);
      yield* change(askLater, againAt, delivery.id);
    }
    return [];
  }

  /** Takes deliveries into flight, with all it takes to deliver them. */
  function* fly(
    granted: readonly Granted[],
    states: ReadonlyMap<string, GateState>,
    { now, leaseMs, token }: FlightTerms,
  ): Script<readonly Claim[]> {
    if (granted.length === 0) return [];
    const leaseUntil = now + leaseMs;
    const eventRows = yield* rowsOf(
      events,
      sentIds(granted.map(({ delivery }) => delivery.eventId)),
    );
    const recordById = yield* subscriptionsOf(granted.map(({ lane }) => lane.id));
    const eventById = new Map(eventRows.map((row) => [text(row["id"]), toEvent(row)]));
    const lost: Delivery[] = [];
    const claims = granted.flatMap(({ delivery, lane, startBy, call }): readonly Claim[] => {
      const event = eventById.get(delivery.eventId);
      const subscription = recordById.get(lane.id);
      if (event === undefined || subscription === undefined) {
        lost.push(canceled(delivery, event === undefined ? EVENT_GONE : DELETED, now));
        return [];
      }
      return [
        {
          deliveryId: delivery.id,
          subscriptionId: lane.id,
          token,
          delivery: { ...delivery, dueAt: null, inFlight: true },
          event,
          subscription,
          gates: lane.gateIds.flatMap((id) => {
            const gate = states.get(id);
            return gate === undefined ? [] : [passed(gate)];
          }),
          leaseUntil,
          startBy,
          call,
        },
      ];
    });
    yield* deliveries.fly(
      claims.map(({ delivery }) => delivery),
      { token, leaseUntil },
    );
    yield* deliveries.write([], lost);
    return claims;
  }

  return {
    look: function* (abilities) {
      const pairs = pairsOf(abilities);
      const found = yield* rowsOf(
        inOrder([...pairs.map(() => laneDue), suspectDue, leaseOver]),
        ...pairs.flatMap(({ handlerType, keyId }) => [handlerType, keyId]),
        sent(abilityRows(abilities)),
      );
      const instants = found
        .toSorted((a, b) => int(a["place"]) - int(b["place"]))
        .map((row) => intOrNull(row["due_at"]));
      return {
        lanes: instants.slice(0, pairs.length),
        suspect: instants.at(-2) ?? null,
        lease: instants.at(-1) ?? null,
      };
    },

    endLapses: function* (now, rules, inHaste) {
      const leases = (yield* rowsOf(leasesOver, now, MOST_LAPSES)).map((row) => text(row["token"]));
      if (leases.length === 0) return [];
      const over = yield* rowsOf(flightsOf, sent(leases.map((token) => ({ token }))), MOST_LAPSES);
      const { locked: known, held } = yield* lanes.take(over.map(laneOf), inHaste);
      const found = over.filter((row) => !held.has(laneOf(row)));
      const tokens = new Map(found.map((row) => [text(row["delivery_id"]), text(row["token"])]));
      const locked = yield* deliveries.lock(tokens.keys());
      const asked = yield* subscriptionsOf(locked.map(laneOf));
      const off = new Map<string, string>();
      const events: NewEvent[] = [];
      const lapsed = locked
        .filter((row) => textOrNull(row["token"]) === tokens.get(text(row["id"])))
        .map((row) => {
          const delivery = toDelivery(row);
          const lane = known.get(delivery.subscriptionId);
          const order = row["ordering_key"] === null ? "none" : (lane?.order ?? "none");
          const subscription = asked.get(delivery.subscriptionId) ?? null;
          const { disabledReason, event, ...next } = rules.lapse(delivery, now, {
            order,
            subscription,
          });
          if (event !== undefined) events.push(event);
          if (disabledReason !== undefined) {
            off.set(delivery.subscriptionId, disabledReason);
            if (subscription !== null)
              asked.set(subscription.id, learned(subscription, { disabledReason }));
          }
          const after = landed(delivery, next, now);
          const isLost = after.dueAt !== null && lane === undefined;
          return isLost ? canceled(after, DELETED, now) : after;
        });
      yield* deliveries.write(locked, lapsed);
      // What somebody has removed by hand lands nowhere.
      for (const { id } of lapsed) tokens.delete(id);
      yield* dialect.flights.forget([...tokens].map(([id, token]) => ({ id, token })));
      const flown = new Set(over.map((row) => text(row["token"])));
      const empty = over.length < MOST_LAPSES ? leases.filter((token) => !flown.has(token)) : [];
      if (empty.length > 0) yield* change(endLeases, sentKeys(empty.sort()));
      const called = yield* queues.leave(locked, lapsed);
      yield* findings.switchOff(off);
      yield* lanes.expect([...duesOf(lapsed), ...called]);
      yield* findings.park([...off.keys()]);
      if (events.length > 0) yield* append(events);
      return lapsed;
    },

    beside: function* (terms, prospect, except) {
      const found: Next[] = [];
      for (const [index, ability] of pairsOf(terms).entries()) {
        const due = prospect.lanes[index] ?? null;
        if (due === null || due > terms.now) continue;
        found.push(yield* turns.next(ability, terms.now, { most: terms.slots, except }));
      }
      return found.filter(({ lanes }) => lanes.length > 0);
    },

    take: (request, rules, seen, inHaste) =>
      request.alone
        ? takeSuspect(request, rules, inHaste)
        : takeFromLanes(request, rules, seen, inHaste),
  };
}

interface DueLane extends LockedLane {
  readonly organization: string;
  readonly nextDueAt: number;
  readonly servedAt: number;
  /** How many deliveries a call of it may take. */
  readonly max: number;
}

const toDueLane = (row: Row, perCall: FlightTerms["perCall"]): DueLane => ({
  ...toLane(row),
  max: perCall?.get(text(row["handler_type"])) ?? 1,
  organization: text(row["organization"]),
  nextDueAt: int(row["next_due_at"]),
  servedAt: int(row["served_at"]),
});

/** Earliest first; of those due at one instant, the one that has gone without for longest. */
const earliestFirst = (a: DueLane, b: DueLane): number =>
  a.nextDueAt - b.nextDueAt || a.servedAt - b.servedAt || (a.id < b.id ? -1 : 1);

/** What a lane may need, each a place of its own in the index of lanes. */
const pairsOf = ({ handlerTypes, keyIds }: Abilities): readonly Ability[] =>
  handlerTypes.flatMap((handlerType) => ["", ...keyIds].map((keyId) => ({ handlerType, keyId })));

const abilityRows = (abilities: Abilities): readonly { handler_type: string; key_id: string }[] =>
  pairsOf(abilities).map(({ handlerType, keyId }) => ({
    handler_type: handlerType,
    key_id: keyId,
  }));

const laneOf = (row: Row): string => text(row["subscription_id"]);

const sentIds = (ids: readonly string[]): string => sent([...new Set(ids)].map((id) => ({ id })));

/** Selects of one row each as one statement; `place` tells which row is whose. */
const inOrder = (selects: readonly string[]): string =>
  selects
    .map((text, place) => text.replace("select ", `select ${place} as place, `))
    .join(" union all ");

/** What a lane is granted. */
interface Grant {
  readonly lane: DueLane;
  /** What is due in it, earliest first. */
  readonly deliveries: readonly Delivery[];
  /** How many calls may go. */
  count: number;
  againAt: number;
  startBy: number | null;
}

interface Granted {
  readonly delivery: Delivery;
  readonly lane: LockedLane;
  readonly startBy: number | null;
  readonly call: string | null;
}

interface Limits {
  readonly rules: ClaimRules;
  readonly room: Room;
  /** How many calls of a lane may go. */
  readonly most: number;
}

/**
 * Asks the gates of due lanes: first for one call of each, then for what else has room. A lane that
 * is full itself has had its turn; those of an organization that is full keep theirs.
 */
function grantsOf(
  asked: readonly Pick<Grant, "lane" | "deliveries">[],
  states: ReadonlyMap<string, GateState>,
  terms: FlightTerms,
  { rules: { admit }, most, room }: Limits,
): { readonly grants: readonly Grant[]; readonly passed: readonly GateState[] } {
  const passed = new Map<string, GateState>();
  const grants: Grant[] = [];
  const { now } = terms;
  let free = terms.slots;

  const ask = (grant: Grant, wanted: number): void => {
    const before = grant.lane.gateIds.flatMap((id) => passed.get(id) ?? states.get(id) ?? []);
    const admission: Admission = admit(before, now, wanted);
    for (const gate of changedOf(before, admission.gates)) passed.set(gate.id, gate);
    free -= admission.count;
    room.take(placeOf(grant.lane), admission.count);
    grant.count += admission.count;
    grant.againAt = admission.againAt;
    grant.startBy = admission.startBy;
  };

  for (const { lane, deliveries } of asked) {
    if (free === 0) break;
    if (room.ofOrganization(lane.organization) === 0) continue;
    const grant: Grant = { lane, deliveries, count: 0, againAt: now, startBy: null };
    if (deliveries.length > 0 && room.of(placeOf(lane)) > 0) ask(grant, 1);
    grants.push(grant);
  }
  const wishes = grants
    .filter(({ count }) => count === 1)
    .map((grant) => ({
      grant,
      lane: grant.lane.id,
      organization: grant.lane.organization,
      more: Math.min(grant.deliveries.length, most) - 1,
    }));
  for (const [{ grant }, share] of shareOut(wishes, free)) {
    const wanted = Math.min(share, room.of(placeOf(grant.lane)));
    if (wanted > 0) ask(grant, wanted);
  }
  return { grants, passed: [...passed.values()] };
}

const placeOf = ({ id, organization }: DueLane): Parameters<Room["of"]>[0] => ({
  subscriptionId: id,
  organization,
});

const changedOf = (
  before: readonly GateState[],
  after: readonly GateState[],
): readonly GateState[] => after.filter((gate) => !before.includes(gate));
