import { type Delivery, isSuspect } from "@posthorn/core";
import { type Dialect, type Lease, sent } from "./dialect.ts";
import type { Place } from "./queues.ts";
import { deliveryRow, NEW_DELIVERY, statusCode, text, textOrNull, words } from "./records.ts";
import { change, type Row, rowsOf, type Script, type Statement } from "./script.ts";

export interface DeliveryRows {
  /** Locks deliveries in the order of their ids; those that are gone are left out. */
  lock(ids: Iterable<string>): Script<readonly Row[]>;
  /**
   * Adds deliveries, of which those in flight have a lease; those whose id is there already are left
   * out. Plays another change along with that.
   */
  add(
    deliveries: readonly Delivery[],
    places: ReadonlyMap<string, Place>,
    lease?: Lease,
    also?: Statement,
  ): Script<void>;
  /** Takes deliveries that wait into one flight each. */
  fly(deliveries: readonly Delivery[], lease: Lease): Script<void>;
  /** Ends flights, or waiting: each delivery, as it was locked, becomes what is given. */
  write(before: readonly Row[], after: readonly Delivery[]): Script<void>;
}

export function deliveriesIn(dialect: Dialect): DeliveryRows {
  const { rows, lookUp, forUpdate, flights } = dialect;
  const lock = `select d.* from ${rows("r", { id: "key" })} ${lookUp("deliveries", "d")} on d.id = r.id order by d.id${forUpdate}`;
  const add = dialect.insert({ table: "deliveries", ...NEW_DELIVERY });
  const fly = dialect.update({
    table: "deliveries",
    rows: { id: "key", token: "key" },
    set: { due_at: "null", ask_at: "null", token: "r.token" },
    where: "t.id = r.id",
  });
  const write = dialect.update({
    table: "deliveries",
    rows: {
      id: "key",
      token: "key",
      status: "int",
      due_at: "int",
      ask_at: "int",
      attempts: "int",
      throttles: "int",
      lapses: "int",
      reason: "text",
      completed_at: "int",
    },
    set: {
      status: "r.status",
      due_at: "r.due_at",
      ask_at: "r.ask_at",
      ordering_key: "case when r.status = 0 then t.ordering_key else null end",
      position: "null",
      token: "null",
      attempts: "coalesce(r.attempts, 0)",
      throttles: "coalesce(r.throttles, 0)",
      lapses: "coalesce(r.lapses, 0)",
      reason: "r.reason",
      completed_at: "r.completed_at",
    },
    where: "t.id = r.id",
  });

  return {
    lock: function* (ids) {
      const sorted = [...new Set(ids)].sort();
      if (sorted.length === 0) return [];
      return yield* rowsOf(lock, sent(sorted.map((id) => ({ id }))));
    },
    add: function* (deliveries, places, lease, also) {
      const fresh = sent(
        deliveries.map((delivery) => deliveryRow(delivery, places.get(delivery.id))),
      );
      const flown = deliveries.filter(({ inFlight }) => inFlight);
      if (lease !== undefined && flown.length > 0) {
        yield* flights.begin({ text: add, params: [lease.token, fresh] }, flown, lease, also);
        return;
      }
      if (deliveries.length > 0) yield* change(add, null, fresh);
      if (also !== undefined) yield* change(also.text, ...also.params);
    },
    fly: function* (deliveries, lease) {
      if (deliveries.length === 0) return;
      const { token } = lease;
      const params = [sent(deliveries.map(({ id }) => ({ id, token })))];
      yield* flights.begin({ text: fly, params }, deliveries, lease);
    },
    write: function* (before, after) {
      if (after.length === 0) return;
      const tokens = new Map(before.map((row) => [text(row["id"]), textOrNull(row["token"])]));
      const changed = after.map((delivery) => ({
        id: delivery.id,
        token: tokens.get(delivery.id) ?? undefined,
        status: statusCode(delivery.status),
        due_at: delivery.dueAt ?? undefined,
        ask_at: isSuspect(delivery) ? (delivery.dueAt ?? undefined) : undefined,
        attempts: delivery.attempts || undefined,
        throttles: delivery.throttles || undefined,
        lapses: delivery.lapses || undefined,
        reason: delivery.reason === null ? undefined : words(delivery.reason),
        completed_at: delivery.completedAt ?? undefined,
      }));
      yield* flights.end(write, changed);
    },
  };
}

/** Why what waits for a webhook that is gone is canceled. */
export const DELETED = "the webhook was deleted";

/** Where its turn has not come, nothing is due of a delivery. */
export const inPlace = (
  deliveries: readonly Delivery[],
  places: ReadonlyMap<string, Place>,
): readonly Delivery[] =>
  deliveries.map((delivery) =>
    (places.get(delivery.id)?.position ?? null) === null ? delivery : { ...delivery, dueAt: null },
  );

export const canceled = (delivery: Delivery, reason: string, now: number): Delivery => ({
  ...delivery,
  status: "canceled",
  inFlight: false,
  dueAt: null,
  reason,
  completedAt: now,
});

/** What waits, and when its lane has to look; suspects are looked for elsewhere. */
export const duesOf = (
  deliveries: readonly Delivery[],
): readonly { subscriptionId: string; dueAt: number }[] =>
  deliveries.flatMap((delivery) =>
    delivery.dueAt === null || isSuspect(delivery)
      ? []
      : [{ subscriptionId: delivery.subscriptionId, dueAt: delivery.dueAt }],
  );
