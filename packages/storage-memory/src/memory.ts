import type {
  Candidate,
  Claim,
  NewEvent,
  Settlement,
  SettleResult,
  Storage,
  StoredEvent,
} from "@posthorn/core";
import { claim } from "./claim.ts";
import { frozen } from "./frozen.ts";
import { historyIn } from "./history.ts";
import { housekeepingIn } from "./housekeeping.ts";
import {
  emptyState,
  findLane,
  findOwed,
  gatesOf,
  keepGates,
  type Lane,
  type Occurrence,
  type Owed,
  ready,
  type State,
} from "./state.ts";
import { learn, subscriptionsIn } from "./subscriptions.ts";
import { end, fly, land, owe, wait } from "./traffic.ts";

/** A storage that lives as long as its process: for tests and demos, and the port in code. */
export function memoryStorage(): Storage {
  const state = emptyState();
  const { events, eventsByKey, unrouted, deliveries, lanes } = state;

  return {
    append: async (given, tx) => {
      ready(state, tx);
      return given.map((event) => {
        const key = keyOf(event);
        const earlier = events.get(event.id) ?? (key === null ? undefined : eventsByKey.get(key));
        const { event: stored } = earlier ?? add(state, event);
        if (earlier === undefined)
          unrouted.set(stored.id, Object.freeze({ event: stored, after: null }));
        return { event: stored, repeated: stored.id !== event.id };
      });
    },

    route: async (request, plan) => {
      ready(state);
      const batch = [...firstOf(unrouted.values(), request.maxEvents)];
      const planned = plan({ request, events: batch, candidates: candidatesIn(state) });

      const claims: Claim[] = [];
      for (const { state: begin, ...fresh } of planned.deliveries) {
        const occurrence = events.get(fresh.eventId) as Occurrence;
        const lane = lanes.get(fresh.subscriptionId) as Lane;
        const owed = owe(state, { occurrence, lane }, fresh);
        if (begin === "start") claims.push(fly(state, owed, request));
        else if (begin === "wait") wait(state, owed, fresh.createdAt);
        else end(state, owed, { status: "dead", reason: begin.deadReason, now: request.now });
      }

      const unannounced: StoredEvent[] = [];
      for (const { event } of batch) {
        const after = planned.cursors.get(event.id);
        if (after !== undefined) {
          unrouted.set(event.id, Object.freeze({ event, after }));
          continue;
        }
        unrouted.delete(event.id);
        if (events.get(event.id)?.announced === false) unannounced.push(event);
      }
      const { length } = planned.deliveries;
      return { claims, unannounced, events: batch.length, deliveries: length };
    },

    claim: async (request, rules) => {
      ready(state);
      return claim(state, request, rules);
    },

    settle: async (settlements, apply) => {
      ready(state);
      const failures: unknown[] = [];
      const results = settlements.map((settlement): SettleResult => {
        const { token, attempt, plain } = settlement;
        const owed = deliveries.get(settlement.deliveryId);
        if (owed?.token !== token) return settleLate(settlement, owed);
        const { delivery, lane } = owed;
        try {
          const change = apply(settlement, {
            delivery,
            subscription: plain || lane.deleted ? null : lane.record,
            gates: plain ? [] : gatesOf(state, lane),
          });
          owed.attempts.push(frozen({ ...attempt, counted: change.counted, late: false }));
          land(state, owed, change.next, attempt.startedAt + attempt.durationMs);
          keepGates(state, change.gates ?? []);
          if (change.subscription && !lane.deleted) learn(state, lane, change.subscription);
        } catch (error) {
          failures.push(error);
        }
        return "settled";
      });
      if (failures.length > 0) throw failures[0];
      return results;
    },

    release: async (flights, dueAt) => {
      ready(state);
      for (const { deliveryId, token } of flights) {
        const owed = deliveries.get(deliveryId);
        if (owed?.token === token) wait(state, owed, dueAt);
      }
    },

    subscriptions: subscriptionsIn(state),

    history: historyIn(state),

    send: async (event, delivery) => {
      ready(state);
      const { organization, subscriptionId: id } = delivery;
      const lane = findLane(state, { organization, id });
      if (lane === null) return false;
      if (deliveries.has(delivery.id)) return true;
      const occurrence =
        events.get(event.id) ?? add(state, { ...event, idempotencyKey: null, announced: true });
      wait(state, owe(state, { occurrence, lane }, delivery), delivery.createdAt);
      return true;
    },

    redeliver: async ({ newId, now, ...reference }) => {
      ready(state);
      const ended = findOwed(state, reference);
      if (ended === null) return "not_found";
      if (ended.delivery.status === "pending") return "pending";
      if (ended.lane.deleted) return "subscription_deleted";
      if (deliveries.has(newId)) return "created";
      const fresh = { ...ended.delivery, id: newId, createdAt: now };
      wait(state, owe(state, ended, fresh, ended.delivery.id), now);
      return "created";
    },

    cancel: async ({ organization, deliveryId, reason, now }) => {
      ready(state);
      const owed = findOwed(state, { organization, id: deliveryId });
      if (owed === null) return "not_found";
      if (owed.delivery.status !== "pending") return "not_pending";
      end(state, owed, { status: "canceled", reason, now });
      return "canceled";
    },

    ...housekeepingIn(state),

    close: async () => {
      state.closed = true;
    },
  };
}

function add({ events, eventsByKey }: State, event: NewEvent): Occurrence {
  const { idempotencyKey: _, announced, ...stored } = event;
  const key = keyOf(event);
  const occurrence: Occurrence = { event: frozen(stored), key, announced, owed: [] };
  events.set(stored.id, occurrence);
  if (key !== null) eventsByKey.set(key, occurrence);
  return occurrence;
}

const keyOf = ({ organization, idempotencyKey }: NewEvent): string | null =>
  idempotencyKey === null ? null : JSON.stringify([organization, idempotencyKey]);

/** Who may be owed an event; each organization is looked up once. */
function candidatesIn(state: State): (organization: string) => readonly Candidate[] {
  const known = new Map<string, readonly Candidate[]>();
  return (organization) => {
    const found = known.get(organization) ?? (state.rosters.get(organization) ?? []).map(candidate);
    known.set(organization, found);
    return found;
  };

  function candidate(lane: Lane): Candidate {
    const { record, keyId, parked, gateIds, waiting } = lane;
    return {
      subscription: record,
      lane: {
        subscriptionId: record.id,
        organization: record.organization,
        handlerType: record.type,
        keyId,
        parked,
        gateIds,
        nextDueAt: waiting.first()?.at ?? null,
      },
      gates: gatesOf(state, lane),
    };
  }
}

/** The attempt of a flight that was over is kept once, if there is something to keep it with. */
function settleLate({ attempt, token }: Settlement, owed: Owed | undefined): SettleResult {
  const earlier = owed?.attempts.find((known) => known.token === token);
  if (earlier?.late === false) return "repeated";
  if (earlier === undefined)
    owed?.attempts.push(frozen({ ...attempt, counted: false, late: true }));
  return "late";
}

function* firstOf<Item>(items: Iterable<Item>, most: number): Generator<Item> {
  let left = most;
  for (const item of items) {
    if (left === 0) return;
    yield item;
    left -= 1;
  }
}
