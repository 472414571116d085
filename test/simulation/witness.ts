import type {
  Claim,
  ClaimRules,
  Delivery,
  GateState,
  NewEvent,
  Plan,
  RouteInput,
  RoutePlan,
  SettleChange,
  Settlement,
  SettleState,
  Storage,
  SubscriptionRecord,
} from "@posthorn/core";
import type { TransactionalStorage } from "@posthorn/testing";
import { type Entry, type Flown, type GateSeen, labelOf, type SettledFlight } from "./log.ts";

/** Who calls a storage, and when it sent the call. */
interface Caller {
  readonly process: string;
  readonly sentAt: number;
}

/** A storage of which everything that happens in it is written down, at the instant it happens. */
export interface Witness {
  /** The storage, for one call of somebody. */
  heard(caller: Caller): Storage<object>;
  commit(tx: object): Promise<void>;
  rollback(tx: object): void;
  /** What is left of all deliveries. */
  recall(): Promise<void>;
}

type Reference = { readonly organization: string; readonly id: string };

export function createWitness(
  { storage, commit, rollback }: TransactionalStorage<object>,
  options: { readonly clock: () => number; readonly write: (entry: Entry) => void },
): Witness {
  const { clock, write } = options;
  /** What may still change without being named. */
  const pending = new Map<string, Reference>();
  const ended = new Map<string, Reference>();
  const events = new Map<string, Reference>();
  const written = new Map<object, NewEvent[]>();

  async function keepStored(given: readonly NewEvent[]): Promise<void> {
    for (const event of given) {
      if (events.has(event.id)) continue;
      const { id, organization, type, orderingKey, idempotencyKey, publishedAt, payload } = event;
      if ((await storage.history.event({ organization, id })) === null) continue;
      events.set(id, { organization, id });
      write({
        type: "stored",
        at: clock(),
        event: {
          id,
          label: labelOf(id, payload),
          about: (JSON.parse(payload) as { readonly webhook_id?: string }).webhook_id ?? null,
          organization,
          type,
          orderingKey,
          idempotencyKey,
          publishedAt,
        },
      });
    }
  }

  /** What follows from a settlement or a lapse is stored with it. */
  async function keepTold(told: readonly NewEvent[]): Promise<void> {
    await keepStored(told);
    for (const { id, payload } of told) {
      write({ type: "acknowledged", at: clock(), label: labelOf(id, payload) });
    }
  }

  /** Looks for what ended by a call that named none of it. */
  async function look(by: string, now: number): Promise<void> {
    const deliveries: { id: string; status: Delivery["status"] }[] = [];
    for (const [id, reference] of pending) {
      const found = await storage.history.delivery(reference);
      if (found === null || found.status === "pending") continue;
      deliveries.push({ id, status: found.status });
    }
    if (deliveries.length > 0) write({ type: "found", at: clock(), by, now, deliveries });
    for (const { id } of deliveries) close(id);
  }

  async function lookForgotten(before: number): Promise<void> {
    const gone = async (known: Map<string, Reference>, kind: "event" | "delivery") => {
      const ids: string[] = [];
      for (const [id, reference] of known) {
        if ((await storage.history[kind](reference)) === null) ids.push(id);
      }
      for (const id of ids) known.delete(id);
      return ids;
    };
    write({
      type: "pruned",
      at: clock(),
      before,
      events: await gone(events, "event"),
      deliveries: [...(await gone(pending, "delivery")), ...(await gone(ended, "delivery"))],
    });
  }

  function open({ id, organization }: Reference): void {
    pending.set(id, { id, organization });
  }

  function close(id: string): void {
    const reference = pending.get(id);
    if (reference !== undefined) ended.set(id, reference);
    pending.delete(id);
  }

  async function made(ids: readonly Reference[]): Promise<void> {
    const deliveries: Delivery[] = [];
    for (const reference of ids) {
      if (pending.has(reference.id) || ended.has(reference.id)) continue;
      const found = await storage.history.delivery(reference);
      if (found !== null) deliveries.push(found);
    }
    for (const delivery of deliveries) open(delivery);
    if (deliveries.length > 0) write({ type: "made", at: clock(), deliveries });
  }

  function subscribed(record: SubscriptionRecord, gates: readonly GateState[]): void {
    const { id, organization, type, eventTypes, order, enabled, version, configuration } = record;
    const [sealed] = Object.values(record.secrets);
    write({
      type: "subscribed",
      at: clock(),
      id,
      organization,
      handlerType: type,
      keyId: sealed?.split(".")[1] ?? null,
      eventTypes,
      order,
      enabled,
      version,
      tag: String(configuration["tag"]),
      failures: record.failing?.attempts ?? 0,
      gates: gates.map(({ id: gate, name, limit }) => ({
        id: gate,
        name,
        limit: limit && { ...limit, burst: limit.burst ?? 1 },
      })),
    });
  }

  const heard = ({ process, sentAt }: Caller): Storage<object> => ({
    ...storage,

    append: async (given, tx) => {
      const appended = await storage.append(given, tx);
      if (tx === undefined) await keepStored(given);
      else written.set(tx, [...(written.get(tx) ?? []), ...given]);
      return appended;
    },

    route: async (request, plan) => {
      let input: RouteInput | null = null;
      let planned: RoutePlan | null = null;
      const watched: Plan = (given) => {
        input = given;
        planned = plan(given);
        return planned;
      };
      const result = await storage.route(request, watched);
      const done = result.unroutable === null ? (planned as RoutePlan | null) : null;
      const given = (input as RouteInput | null)?.events ?? [];
      if (given.length === 0) return result;
      for (const delivery of done?.deliveries ?? []) {
        open(delivery);
        if (typeof delivery.state === "object") close(delivery.id);
      }
      const { now, token, slots, handlerTypes, keyIds } = request;
      write({
        type: "routed",
        at: clock(),
        process,
        sentAt,
        now,
        token,
        slots,
        handlerTypes,
        keyIds,
        claims: result.claims.map(flown),
        events:
          done === null
            ? []
            : given.map(({ event: { id }, after }) => ({
                id,
                after,
                cursor: done.cursors.get(id) ?? null,
              })),
        deliveries: (done?.deliveries ?? []).map(({ id, eventId, subscriptionId, state }) => ({
          id,
          eventId,
          subscriptionId,
          state: typeof state === "string" ? state : "dead",
        })),
      });
      return result;
    },

    claim: async (request, rules) => {
      const disabled = new Set<string>();
      const told: NewEvent[] = [];
      const tats = new Map<string, number>();
      const watched: ClaimRules = {
        admit: (gates, now, wanted) => {
          for (const { id, tat } of gates) if (!tats.has(id)) tats.set(id, tat);
          return rules.admit(gates, now, wanted);
        },
        lapse: (delivery, now, state) => {
          const ruling = rules.lapse(delivery, now, state);
          if (ruling.disabledReason !== undefined) disabled.add(delivery.id);
          if (ruling.event !== undefined) told.push(ruling.event);
          return ruling;
        },
      };
      const result = await storage.claim(request, watched);
      const { now, token, slots, handlerTypes, keyIds, alone, perLane, inFlight, perCall } =
        request;
      write({
        type: "claimed",
        at: clock(),
        process,
        sentAt,
        now,
        token,
        slots,
        handlerTypes,
        keyIds,
        alone,
        perLane,
        perCall: new Map(perCall),
        tats,
        inFlight: new Map(inFlight?.byLane),
        claims: result.claims.map(flown),
        lapsed: result.lapsed.map(({ id, status, lapses }) => ({
          id,
          status,
          lapses,
          disabled: disabled.has(id),
        })),
        nextDueAt: result.nextDueAt,
      });
      for (const { id, status } of result.lapsed) if (status !== "pending") close(id);
      await keepTold(told);
      return result;
    },

    settle: async (settlements, apply) => {
      const seen = new Map<string, { state: SettleState; change: SettleChange }>();
      const watched = (settlement: Settlement, state: SettleState): SettleChange => {
        const change = apply(settlement, state);
        seen.set(flight(settlement), { state, change });
        return change;
      };
      const results = await storage.settle(settlements, watched);
      const told: NewEvent[] = [];
      const flights = settlements.map((settlement, index): SettledFlight => {
        const { deliveryId, token, attempt } = settlement;
        const result = results[index] ?? "late";
        const known = result === "settled" ? seen.get(flight(settlement)) : undefined;
        if (known?.change.event !== undefined) told.push(known.change.event);
        seen.delete(flight(settlement));
        return {
          deliveryId,
          token,
          result,
          outcome: attempt.outcome,
          plain: settlement.plain,
          endedAt: attempt.startedAt + attempt.durationMs,
          change: known === undefined ? null : changed(known.state, known.change),
        };
      });
      write({ type: "settled", at: clock(), process, flights });
      for (const { deliveryId, change } of flights) {
        if (change !== null && change.status !== "pending") close(deliveryId);
      }
      await keepTold(told);
      return results;
    },

    release: async (flights, dueAt) => {
      await storage.release(flights, dueAt);
      write({ type: "released", at: clock(), process, flights, dueAt });
    },

    subscriptions: {
      ...storage.subscriptions,
      create: async (record, lane, tx) => {
        const earlier = await storage.subscriptions.create(record, lane, tx);
        if (earlier === null) subscribed(record, lane.gates as readonly GateState[]);
        return earlier;
      },
      update: async (record, lane, tx) => {
        const isDone = await storage.subscriptions.update(record, lane, tx);
        if (isDone) subscribed(record, lane.gates as readonly GateState[]);
        return isDone;
      },
      delete: async (reference, now, tx) => {
        const isDone = await storage.subscriptions.delete(reference, now, tx);
        if (isDone) write({ type: "unsubscribed", at: clock(), id: reference.id });
        await look("delete", now);
        return isDone;
      },
    },

    send: async (event, delivery) => {
      const isSent = await storage.send(event, delivery);
      await keepStored([{ ...event, idempotencyKey: null, announced: true }]);
      await made([delivery]);
      return isSent;
    },

    redeliver: async (request) => {
      const result = await storage.redeliver(request);
      const { organization, newId: id } = request;
      if (result === "created") await made([{ organization, id }]);
      return result;
    },

    cancel: async (request) => {
      const result = await storage.cancel(request);
      await look("cancel", request.now);
      return result;
    },

    cancelAll: async (request) => {
      const count = await storage.cancelAll(request);
      await look("cancel", request.now);
      return count;
    },

    replays: {
      ...storage.replays,
      step: async (request) => {
        const ids: string[] = [];
        const newId = (): string => {
          const id = request.newId();
          ids.push(id);
          return id;
        };
        const result = await storage.replays.step({ ...request, newId });
        const organizations = new Set([...events.values()].map(({ organization }) => organization));
        for (const organization of ids.length === 0 ? [] : organizations) {
          await made(ids.map((id) => ({ organization, id })));
        }
        return result;
      },
    },

    sweep: async (request) => {
      const count = await storage.sweep(request);
      if (count > 0) await look("sweep", request.now);
      return count;
    },

    prune: async (request) => {
      const count = await storage.prune(request);
      if (count > 0) await lookForgotten(request.before);
      return count;
    },
  });

  return {
    heard,
    recall: async () => {
      for (const reference of [...pending.values(), ...ended.values()]) {
        const delivery = await storage.history.delivery(reference);
        if (delivery === null) continue;
        const attemptLog = await storage.history.attempts(reference);
        write({ type: "recalled", at: clock(), delivery: { ...delivery, attemptLog } });
      }
    },
    commit: async (tx) => {
      await commit(tx);
      await keepStored(written.get(tx) ?? []);
      written.delete(tx);
    },
    rollback: (tx) => {
      rollback(tx);
      written.delete(tx);
    },
  };
}

const flown = (claim: Claim): Flown => {
  const { deliveryId, subscriptionId, leaseUntil, startBy, gates, delivery, subscription, call } =
    claim;
  const { attempts, throttles, lapses } = delivery;
  return {
    deliveryId,
    subscriptionId,
    leaseUntil,
    startBy,
    version: subscription.version,
    failures: subscription.failing?.attempts ?? 0,
    attempts,
    throttles,
    lapses,
    gates,
    call,
  };
};

const flight = ({ deliveryId, token }: Settlement): string => `${deliveryId} ${token}`;

function changed(
  { delivery, gates }: SettleState,
  change: SettleChange,
): NonNullable<SettledFlight["change"]> {
  const { next, counted, subscription } = change;
  return {
    status: next.status === "waiting" ? "pending" : next.status,
    dueAt: next.status === "waiting" ? next.dueAt : null,
    counted,
    throttles: next.throttles ?? delivery.throttles,
    lapses: next.lapses ?? delivery.lapses,
    disabled: subscription?.disabledReason !== undefined,
    gates: gates.map((before) => ({
      id: before.id,
      before: seenOf(before),
      after: seenOf(change.gates?.find(({ id }) => id === before.id) ?? before),
    })),
  };
}

const seenOf = ({ epoch, breaker }: GateState): GateSeen => ({
  epoch,
  openUntil: breaker?.state === "open" ? breaker.until : null,
  breaker: JSON.stringify(breaker),
});
