import {
  type Attempt,
  type Candidate,
  type Claim,
  type ClaimRules,
  canServe,
  type Delivery,
  type FlightTerms,
  freshGate,
  type GateState,
  isSuspect,
  type LaneDefinition,
  type LaneState,
  type NewDelivery,
  type NewEvent,
  type Next,
  PosthornError,
  type Reference,
  type Settlement,
  type SettleResult,
  type Storage,
  type StoredEvent,
  type SubscriptionFindings,
  type SubscriptionRecord,
  type Unrouted,
} from "@posthorn/core";
import { type DueQueue, dueQueue, type Entry } from "./due-queue.ts";
import { frozen } from "./frozen.ts";
import { pageOf } from "./page.ts";

/** An event with what is owed of it. */
interface Occurrence {
  readonly event: StoredEvent;
  readonly key: string | null;
  readonly announced: boolean;
  readonly owed: Owed[];
}

/** A delivery with the places in which it waits or flies. */
interface Owed {
  delivery: Delivery;
  readonly occurrence: Occurrence;
  readonly lane: Lane;
  readonly attempts: Attempt[];
  token: string | null;
  waiting?: Entry<Owed> | undefined;
  suspect?: Entry<Owed> | undefined;
  flying?: Entry<Owed> | undefined;
}

/** A subscription with its queue. */
interface Lane {
  record: SubscriptionRecord;
  keyId: string | null;
  parked: boolean;
  deleted: boolean;
  gateIds: readonly string[];
  readonly waiting: DueQueue<Owed>;
  /** Where a claim finds the lane: at its first delivery that is no suspect. */
  asked?: Entry<Lane> | undefined;
}

/** What claims of one lane are granted, before any of it happens. */
interface Grant {
  readonly lane: Lane;
  readonly due: readonly Owed[];
  count: number;
  againAt: number;
  startBy: number | null;
}

const DELETED = "the subscription was deleted";

/** A storage that lives as long as its process: for tests, demos, and as the port in code. */
export function memoryStorage(): Storage {
  const events = new Map<string, Occurrence>();
  const eventsByKey = new Map<string, Occurrence>();
  const unrouted = new Map<string, Unrouted>();
  const deliveries = new Map<string, Owed>();
  const lanes = new Map<string, Lane>();
  const lanesByOrganization = new Map<string, Lane[]>();
  const gates = new Map<string, GateState>();
  const due = dueQueue<Lane>();
  const suspects = dueQueue<Owed>();
  const flights = dueQueue<Owed>();
  let closed = false;

  function ready(tx?: unknown): void {
    if (closed) {
      throw new PosthornError(
        "bus_stopped",
        "This memory storage was closed, and what it held is gone. Create a new one with memoryStorage().",
      );
    }
    if (tx !== undefined) {
      throw new PosthornError(
        "unknown_transaction",
        "The memory storage knows no transactions. Call it without `tx`, or use a storage that knows yours; `createTestBus` of @posthorn/testing understands transactions.",
      );
    }
  }

  const find = ({ organization, id }: Reference): Lane | null => {
    const lane = lanes.get(id);
    return lane?.record.organization === organization && !lane.deleted ? lane : null;
  };
  const findOwed = ({ organization, id }: Reference): Owed | null => {
    const owed = deliveries.get(id);
    return owed?.delivery.organization === organization ? owed : null;
  };
  const gatesOf = (lane: Lane, overlay?: ReadonlyMap<string, GateState>): readonly GateState[] =>
    lane.gateIds.map((id) => (overlay?.get(id) ?? gates.get(id)) as GateState);
  const keep = (states: readonly GateState[]): void => {
    for (const gate of states) gates.set(gate.id, frozen(gate));
  };

  function add(event: NewEvent): Occurrence {
    const { idempotencyKey, announced, ...stored } = event;
    const key = idempotencyKey === null ? null : keyOf(event.organization, idempotencyKey);
    const occurrence: Occurrence = { event: frozen(stored), key, announced, owed: [] };
    events.set(event.id, occurrence);
    if (key !== null) eventsByKey.set(key, occurrence);
    return occurrence;
  }

  function owe(fresh: NewDelivery, occurrence: Occurrence, lane: Lane, more = {}): Owed {
    const delivery: Delivery = Object.freeze({
      id: fresh.id,
      organization: fresh.organization,
      eventId: fresh.eventId,
      eventType: fresh.eventType,
      subscriptionId: fresh.subscriptionId,
      handlerType: fresh.handlerType,
      status: "pending",
      inFlight: false,
      dueAt: null,
      attempts: 0,
      throttles: 0,
      lapses: 0,
      reason: null,
      redeliveryOf: null,
      createdAt: fresh.createdAt,
      completedAt: null,
      ...more,
    });
    const owed: Owed = { delivery, occurrence, lane, attempts: [], token: null };
    deliveries.set(delivery.id, owed);
    occurrence.owed.push(owed);
    return owed;
  }

  /** The one way in which a delivery changes: out of where it was, into where it belongs. */
  function move(owed: Owed, change: Partial<Delivery>, flight?: FlightTerms): void {
    const { lane, waiting } = owed;
    lane.waiting.remove(waiting);
    suspects.remove(owed.suspect);
    flights.remove(owed.flying);
    const delivery = Object.freeze({ ...owed.delivery, ...change, inFlight: flight !== undefined });
    const { dueAt } = delivery;
    owed.delivery = delivery;
    owed.token = flight?.token ?? null;
    owed.flying = flight && flights.add(owed, flight.now + flight.leaseMs);
    owed.waiting = dueAt === null ? undefined : lane.waiting.add(owed, dueAt);
    owed.suspect = dueAt === null || !isSuspect(delivery) ? undefined : suspects.add(owed, dueAt);
    if (waiting === undefined && dueAt === null) return;
    schedule(lane, Math.min(lane.asked?.at ?? 0, dueAt ?? Number.POSITIVE_INFINITY));
  }

  const wait = (owed: Owed, dueAt: number): void => move(owed, { dueAt });
  const end = (owed: Owed, status: "dead" | "canceled", reason: string, now: number): void =>
    move(owed, { status, reason, dueAt: null, completedAt: now });
  const land = (owed: Owed, next: Next, now: number): void =>
    move(owed, landed(next, owed.delivery, now));

  function fly(owed: Owed, terms: FlightTerms, startBy: number | null): Claim {
    const { lane } = owed;
    move(owed, { dueAt: null }, terms);
    return {
      deliveryId: owed.delivery.id,
      subscriptionId: lane.record.id,
      token: terms.token,
      delivery: owed.delivery,
      event: owed.occurrence.event,
      subscription: lane.record,
      gates: gatesOf(lane).map(({ id, name, epoch }) => ({ id, name, epoch })),
      leaseUntil: terms.now + terms.leaseMs,
      startBy,
    };
  }

  /** Puts the lane where claims find it: at its first delivery, but not before `at`. */
  function schedule(lane: Lane, at: number): void {
    const first = lane.parked ? null : firstSound(lane);
    const askAt = first === null ? null : Math.max(first, at);
    if (lane.asked?.at === askAt) return;
    due.remove(lane.asked);
    lane.asked = askAt === null ? undefined : due.add(lane, askAt);
  }

  function define(lane: Lane, record: SubscriptionRecord, definition: LaneDefinition): void {
    for (const gate of definition.gates) {
      keep([{ ...(gates.get(gate.id) ?? freshGate(gate)), ...gate }]);
    }
    lane.record = frozen(record);
    lane.keyId = definition.keyId;
    lane.parked = definition.parked;
    lane.gateIds = definition.gates.map(({ id }) => id);
    schedule(lane, 0);
  }

  function learn(lane: Lane, findings: SubscriptionFindings): void {
    const { disabledReason } = findings;
    const enabled = lane.record.enabled && disabledReason === undefined;
    lane.record = frozen({ ...lane.record, ...findings, enabled });
    lane.parked ||= disabledReason !== undefined;
    schedule(lane, lane.asked?.at ?? 0);
  }

  /** Who may be owed an event; each organization is looked up once. */
  function candidates(): (organization: string) => readonly Candidate[] {
    const known = new Map<string, readonly Candidate[]>();
    return (organization) => {
      const found =
        known.get(organization) ??
        (lanesByOrganization.get(organization) ?? []).map((lane) => ({
          subscription: lane.record,
          lane: stateOf(lane),
          gates: gatesOf(lane),
        }));
      known.set(organization, found);
      return found;
    };
  }

  function endLapses(now: number, lapse: ClaimRules["lapse"]): readonly Delivery[] {
    const over: { owed: Owed; next: Next }[] = [];
    for (const { item, at } of flights) {
      if (at > now) break;
      over.push({ owed: item, next: lapse(item.delivery, now) });
    }
    for (const { owed, next } of over) land(owed, next, now);
    return over.map(({ owed }) => owed.delivery);
  }

  /** Asks the gates of due lanes: first for one delivery of each, then for what else has room. */
  function grantsOf(terms: FlightTerms, { admit }: ClaimRules): readonly Grant[] {
    const { now, slots, perLane } = terms;
    const passed = new Map<string, GateState>();
    const grants: Grant[] = [];
    let free = slots;
    const ask = (grant: Grant, wanted: number): void => {
      const {
        count,
        gates: after,
        againAt,
        startBy,
      } = admit(gatesOf(grant.lane, passed), now, wanted);
      for (const gate of after) passed.set(gate.id, gate);
      free -= count;
      grant.count += count;
      grant.againAt = againAt;
      grant.startBy = startBy;
    };
    for (const { item: lane, at } of due) {
      if (free === 0 || at > now) break;
      if (!canServe(servedBy(lane), terms)) continue;
      const grant = { lane, due: dueOf(lane, now, perLane), count: 0, againAt: now, startBy: null };
      ask(grant, 1);
      grants.push(grant);
    }
    for (const grant of grants) {
      const wanted = Math.min(free, grant.due.length - 1);
      if (grant.count === 1 && wanted > 0) ask(grant, wanted);
    }
    keep([...passed.values()]);
    return grants;
  }

  /** Lanes that got nothing come before those that did, when both can be asked again. */
  function claimSound(terms: FlightTerms, rules: ClaimRules): readonly Claim[] {
    const claims: Claim[] = [];
    const grants = grantsOf(terms, rules);
    for (const { due: owed, count, startBy } of grants) {
      for (const each of owed.slice(0, count)) claims.push(fly(each, terms, startBy));
    }
    for (const { lane, againAt } of grants.toSorted(
      (a, b) => Math.sign(a.count) - Math.sign(b.count),
    )) {
      due.remove(lane.asked);
      lane.asked = undefined;
      schedule(lane, againAt);
    }
    return claims;
  }

  function claimSuspect(terms: FlightTerms, { admit }: ClaimRules): readonly Claim[] {
    const refused: { owed: Owed; againAt: number }[] = [];
    const claims: Claim[] = [];
    for (const { item: owed, at } of suspects) {
      if (at > terms.now || terms.slots === 0) break;
      if (owed.lane.parked || !canServe(servedBy(owed.lane), terms)) continue;
      const admission = admit(gatesOf(owed.lane), terms.now, 1);
      if (admission.count === 1) {
        keep(admission.gates);
        claims.push(fly(owed, terms, admission.startBy));
        break;
      }
      refused.push({ owed, againAt: admission.againAt });
    }
    for (const { owed, againAt } of refused) {
      suspects.remove(owed.suspect);
      owed.suspect = suspects.add(owed, againAt);
    }
    return claims;
  }

  /** When a process can find something: its first lane, its first suspect, the first lease. */
  function waitsFor(terms: FlightTerms): { nextDueAt: number | null; suspects: boolean } {
    const instants: number[] = [];
    let suspectDue = false;
    for (const { item: lane, at } of due) {
      if (!canServe(servedBy(lane), terms)) continue;
      instants.push(at);
      break;
    }
    for (const { item: owed, at } of suspects) {
      if (owed.lane.parked || !canServe(servedBy(owed.lane), terms)) continue;
      suspectDue = at <= terms.now;
      instants.push(at);
      break;
    }
    const lease = flights.first();
    if (lease !== undefined) instants.push(lease.at);
    const nextDueAt = instants.length === 0 ? null : Math.max(terms.now, Math.min(...instants));
    return { nextDueAt, suspects: suspectDue };
  }

  /** The attempt of a flight that was over. It is kept once, if there is something to keep it with. */
  function late({ attempt, token }: Settlement, owed: Owed | undefined): SettleResult {
    const earlier = owed?.attempts.find((known) => known.token === token);
    if (owed !== undefined && earlier === undefined) {
      owed.attempts.push(frozen({ ...attempt, counted: false, late: true }));
    }
    return earlier !== undefined && !earlier.late ? "repeated" : "late";
  }

  return {
    append: async (given, tx) => {
      ready(tx);
      return given.map((event) => {
        const { id, organization, idempotencyKey } = event;
        const earlier =
          events.get(id) ??
          (idempotencyKey === null ? null : eventsByKey.get(keyOf(organization, idempotencyKey)));
        const { event: stored } = earlier ?? add(event);
        if (!earlier) unrouted.set(id, Object.freeze({ event: stored, after: null }));
        return { event: stored, repeated: stored.id !== id };
      });
    },

    route: async (request, plan) => {
      ready();
      const batch = [...firstOf(unrouted.values(), request.maxEvents)];
      const planned = plan({ request, events: batch, candidates: candidates() });

      const claims: Claim[] = [];
      for (const { state, ...fresh } of planned.deliveries) {
        const occurrence = events.get(fresh.eventId) as Occurrence;
        const owed = owe(fresh, occurrence, lanes.get(fresh.subscriptionId) as Lane);
        if (state === "wait") wait(owed, fresh.createdAt);
        else if (state === "start") claims.push(fly(owed, request, null));
        else end(owed, "dead", state.deadReason, request.now);
      }
      const unannounced: StoredEvent[] = [];
      for (const { event } of batch) {
        const after = planned.cursors.get(event.id);
        if (after === undefined) {
          unrouted.delete(event.id);
          if (!events.get(event.id)?.announced) unannounced.push(event);
        } else {
          unrouted.set(event.id, Object.freeze({ event, after }));
        }
      }
      return {
        claims,
        unannounced,
        events: batch.length,
        deliveries: planned.deliveries.length,
      };
    },

    claim: async (request, rules) => {
      ready();
      const lapsed = endLapses(request.now, rules.lapse);
      const claims = request.alone ? claimSuspect(request, rules) : claimSound(request, rules);
      return { claims, lapsed, ...waitsFor(request) };
    },

    settle: async (settlements, apply) => {
      ready();
      const failures: unknown[] = [];
      const results = settlements.map((settlement): SettleResult => {
        const { token, attempt, plain } = settlement;
        const owed = deliveries.get(settlement.deliveryId);
        if (owed === undefined || owed.token !== token) return late(settlement, owed);
        const { delivery, lane } = owed;
        try {
          const change = apply(settlement, {
            delivery,
            subscription: plain || lane.deleted ? null : lane.record,
            gates: plain ? [] : gatesOf(lane),
          });
          owed.attempts.push(frozen({ ...attempt, counted: change.counted, late: false }));
          land(owed, change.next, attempt.startedAt + attempt.durationMs);
          keep(change.gates ?? []);
          if (change.subscription && !lane.deleted) learn(lane, change.subscription);
        } catch (error) {
          failures.push(error);
        }
        return "settled";
      });
      if (failures.length > 0) throw failures[0];
      return results;
    },

    release: async (released, dueAt) => {
      ready();
      for (const { deliveryId, token } of released) {
        const owed = deliveries.get(deliveryId);
        if (owed?.token === token) wait(owed, dueAt);
      }
    },

    subscriptions: {
      create: async (record, definition, tx) => {
        ready(tx);
        const { id, organization, idempotencyKey } = record;
        const earlier = (lanesByOrganization.get(organization) ?? []).find(
          ({ record: known }) =>
            known.id === id || (idempotencyKey !== null && known.idempotencyKey === idempotencyKey),
        );
        if (earlier !== undefined) return earlier.record;
        const lane: Lane = {
          record,
          keyId: null,
          parked: false,
          deleted: false,
          gateIds: [],
          waiting: dueQueue(),
        };
        define(lane, record, definition);
        lanes.set(record.id, lane);
        const others = lanesByOrganization.get(record.organization) ?? [];
        const sorted = [...others, lane].sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
        lanesByOrganization.set(record.organization, sorted);
        return null;
      },
      get: async (reference, tx) => {
        ready(tx);
        return find(reference)?.record ?? null;
      },
      list: async (request) => {
        ready();
        const owned = lanesByOrganization.get(request.organization) ?? [];
        return pageOf(
          owned.map(({ record }) => record),
          request,
        );
      },
      update: async (record, definition, tx) => {
        ready(tx);
        const lane = find(record);
        if (lane?.record.version !== record.version - 1) return false;
        define(lane, record, definition);
        return true;
      },
      delete: async (reference, now, tx) => {
        ready(tx);
        const lane = find(reference);
        if (lane === null) return false;
        lane.deleted = true;
        lane.parked = true;
        const others = lanesByOrganization.get(reference.organization) ?? [];
        lanesByOrganization.set(
          reference.organization,
          others.filter((other) => other !== lane),
        );
        for (const { item } of [...lane.waiting]) end(item, "canceled", DELETED, now);
        return true;
      },
      report: async ({ version, ...reference }, findings) => {
        ready();
        const lane = find(reference);
        if (lane?.record.version === version) learn(lane, findings);
      },
      sealedOtherwise: async ({ keyId, after, limit }) => {
        ready();
        return [...lanes.values()]
          .filter((lane) => !lane.deleted && lane.keyId !== null && lane.keyId !== keyId)
          .map(({ record }) => record)
          .filter(({ id }) => after === null || id > after)
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .slice(0, limit);
      },
    },

    history: {
      event: async ({ organization, id }) => {
        ready();
        const event = events.get(id)?.event;
        return event?.organization === organization ? event : null;
      },
      events: async (request) => {
        ready();
        const { organization, type } = request;
        const found = [...events.values()].map(({ event }) => event);
        return pageOf(
          found.filter((event) => event.organization === organization && isAsked(type, event.type)),
          request,
        );
      },
      delivery: async (reference) => {
        ready();
        return findOwed(reference)?.delivery ?? null;
      },
      deliveries: async (request) => {
        ready();
        const { organization, eventId, subscriptionId, status } = request;
        const owed =
          eventId === undefined ? deliveries.values() : (events.get(eventId)?.owed ?? []);
        const found = [...owed].map(({ delivery }) => delivery);
        return pageOf(
          found.filter(
            (delivery) =>
              delivery.organization === organization &&
              isAsked(subscriptionId, delivery.subscriptionId) &&
              isAsked(status, delivery.status),
          ),
          request,
        );
      },
      attempts: async (reference) => {
        ready();
        return [...(findOwed(reference)?.attempts ?? [])];
      },
    },

    send: async (event, delivery) => {
      ready();
      const lane = find({ organization: delivery.organization, id: delivery.subscriptionId });
      if (lane === null) return false;
      if (deliveries.has(delivery.id)) return true;
      const occurrence =
        events.get(event.id) ?? add({ ...event, idempotencyKey: null, announced: true });
      wait(owe(delivery, occurrence, lane), delivery.createdAt);
      return true;
    },

    redeliver: async ({ newId, now, ...reference }) => {
      ready();
      const ended = findOwed(reference);
      if (ended === null) return "not_found";
      if (ended.delivery.status === "pending") return "pending";
      if (ended.lane.deleted) return "subscription_deleted";
      if (deliveries.has(newId)) return "created";
      const fresh = { ...ended.delivery, id: newId, createdAt: now };
      const redeliveryOf = ended.delivery.id;
      wait(owe(fresh, ended.occurrence, ended.lane, { redeliveryOf }), now);
      return "created";
    },

    cancel: async ({ organization, deliveryId, reason, now }) => {
      ready();
      const owed = findOwed({ organization, id: deliveryId });
      if (owed === null) return "not_found";
      if (owed.delivery.status !== "pending") return "not_pending";
      end(owed, "canceled", reason, now);
      return "canceled";
    },

    sweep: async ({ now, expireBefore, max }) => {
      ready();
      let changed = 0;
      for (const lane of lanes.values()) {
        if (!lane.parked) continue;
        for (const { item } of [...lane.waiting]) {
          if (changed === max) return changed;
          if (lane.deleted) end(item, "canceled", DELETED, now);
          else if (item.delivery.createdAt < expireBefore)
            end(item, "dead", "expired: the subscription was switched off", now);
          else continue;
          changed += 1;
        }
        const isBusy = (): boolean => [...flights].some(({ item }) => item.lane === lane);
        if (!lane.deleted || changed === max || isBusy()) continue;
        lanes.delete(lane.record.id);
        changed += 1;
      }
      return changed;
    },

    prune: async ({ before, max }) => {
      ready();
      let pruned = 0;
      for (const { event, key, owed } of events.values()) {
        if (pruned === max) break;
        if (event.publishedAt >= before || unrouted.has(event.id)) continue;
        if (owed.some(({ delivery }) => delivery.status === "pending")) continue;
        events.delete(event.id);
        if (key !== null) eventsByKey.delete(key);
        for (const { delivery } of owed) deliveries.delete(delivery.id);
        pruned += 1;
      }
      return pruned;
    },

    backlog: async () => {
      ready();
      const kinds = Map.groupBy(
        [...lanes.values()].filter(({ parked, waiting }) => !parked && waiting.size > 0),
        ({ record, keyId }) => JSON.stringify([record.type, keyId]),
      );
      return {
        unrouted: unrouted.size,
        inFlight: flights.size,
        waiting: [...kinds.values()].map((some) => ({
          ...servedBy(some[0] as Lane),
          count: total(some),
          oldestDueAt: Math.min(...some.map(({ waiting }) => waiting.first()?.at as number)),
        })),
        parked: total([...lanes.values()].filter(({ parked }) => parked)),
      };
    },

    close: async () => {
      closed = true;
    },
  };
}

const keyOf = (organization: string, idempotencyKey: string): string =>
  JSON.stringify([organization, idempotencyKey]);

const servedBy = (lane: Lane): { handlerType: string; keyId: string | null } => ({
  handlerType: lane.record.type,
  keyId: lane.keyId,
});

const stateOf = (lane: Lane): LaneState => ({
  ...servedBy(lane),
  subscriptionId: lane.record.id,
  organization: lane.record.organization,
  parked: lane.parked,
  gateIds: lane.gateIds,
  nextDueAt: lane.waiting.first()?.at ?? null,
});

function firstSound(lane: Lane): number | null {
  for (const { item, at } of lane.waiting) if (!isSuspect(item.delivery)) return at;
  return null;
}

function dueOf(lane: Lane, now: number, most: number): readonly Owed[] {
  const found: Owed[] = [];
  for (const { item, at } of lane.waiting) {
    if (at > now || found.length === most) break;
    if (!isSuspect(item.delivery)) found.push(item);
  }
  return found;
}

/** What a landing changes of a delivery. */
function landed(next: Next, delivery: Delivery, now: number): Partial<Delivery> {
  const { attempts = delivery.attempts, throttles = delivery.throttles } = next;
  const counters = { attempts, throttles, lapses: next.lapses ?? delivery.lapses };
  if (next.status === "waiting") {
    return { ...counters, dueAt: next.dueAt, reason: next.reason ?? delivery.reason };
  }
  const reason = next.status === "delivered" ? null : next.reason;
  return { ...counters, status: next.status, dueAt: null, reason, completedAt: now };
}

function* firstOf<Item>(items: Iterable<Item>, most: number): Generator<Item> {
  let left = most;
  for (const item of items) {
    if (left === 0) return;
    yield item;
    left -= 1;
  }
}

const isAsked = (filter: string | undefined, value: string): boolean =>
  filter === undefined || filter === value;

const total = (lanes: readonly Lane[]): number =>
  lanes.reduce((sum, { waiting }) => sum + waiting.size, 0);
