import type { Settlement, SettleResult, Storage } from "@posthorn/core";
import { add, append } from "./append.ts";
import { claim } from "./claim.ts";
import { frozen } from "./frozen.ts";
import { historyIn } from "./history.ts";
import { housekeepingIn } from "./housekeeping.ts";
import { replaysIn } from "./replays.ts";
import { route } from "./route.ts";
import { emptyState, findLane, findOwed, gatesOf, keepGates, type Owed, ready } from "./state.ts";
import { learn, subscriptionsIn } from "./subscriptions.ts";
import { end, land, orderOf, owe, wait, waitInTurn } from "./traffic.ts";

/** A storage that lives as long as its process: for tests and demos, and the port in code. */
export function memoryStorage(): Storage {
  const state = emptyState();
  const { events, deliveries } = state;

  return {
    append: async (given, tx) => {
      ready(state, tx);
      return append(state, given);
    },

    route: async (request, plan) => {
      ready(state);
      return route(state, request, plan);
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
            order: plain ? "none" : orderOf(owed),
          });
          owed.attempts.push(frozen({ ...attempt, counted: change.counted, late: false }));
          land(state, owed, change.next, attempt.startedAt + attempt.durationMs);
          keepGates(state, change.gates ?? []);
          if (change.subscription && !lane.deleted) learn(state, lane, change.subscription);
          if (change.event) append(state, [change.event]);
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
      const owed = owe(state, ended, fresh, ended.delivery.id);
      waitInTurn(state, owed, owed.occurrence.queue);
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

    cancelAll: async ({ organization, subscriptionId, from, until, reason, now, max }) => {
      ready(state);
      const pending = [...deliveries.values()].filter(
        ({ delivery }) =>
          delivery.organization === organization &&
          delivery.subscriptionId === subscriptionId &&
          delivery.status === "pending" &&
          delivery.createdAt >= from &&
          delivery.createdAt < until,
      );
      // Those that are queued first: none comes due because another ends.
      const canceled = pending
        .toSorted((a, b) => +(a.queued === undefined) - +(b.queued === undefined))
        .slice(0, max);
      for (const owed of canceled) end(state, owed, { status: "canceled", reason, now });
      return canceled.length;
    },

    replays: replaysIn(state),

    ...housekeepingIn(state),

    close: async () => {
      state.closed = true;
    },
  };
}

/** The attempt of a flight that was over is kept once, if there is something to keep it with. */
function settleLate({ attempt, token }: Settlement, owed: Owed | undefined): SettleResult {
  const earlier = owed?.attempts.find((known) => known.token === token);
  if (earlier?.late === false) return "repeated";
  if (earlier === undefined)
    owed?.attempts.push(frozen({ ...attempt, counted: false, late: true }));
  return "late";
}
