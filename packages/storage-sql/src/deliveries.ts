import { type Delivery, isSuspect } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import type { Place } from "./queues.ts";
import { DELIVERY_COLUMNS, deliveryRow, statusCode, words } from "./records.ts";
import { change, type Row, rowsOf, type Script } from "./script.ts";

/** Until when a delivery is in flight, and under which name. */
interface FlightSlip {
  readonly token: string;
  readonly leaseUntil: number;
}

export interface DeliveryRows {
  /** Locks deliveries in the order of their ids; those that are gone are left out. */
  lock(ids: Iterable<string>): Script<readonly Row[]>;
  /** Adds deliveries; those whose id is there already are left out. */
  add(
    deliveries: readonly Delivery[],
    slips?: ReadonlyMap<string, FlightSlip>,
    places?: ReadonlyMap<string, Place>,
  ): Script<void>;
  /** Takes deliveries that wait into one flight each. */
  fly(ids: readonly string[], slip: FlightSlip): Script<void>;
  /** Ends flights, or waiting: each delivery becomes what is given. */
  write(deliveries: readonly Delivery[]): Script<void>;
}

export function deliveriesIn(dialect: Dialect): DeliveryRows {
  const { rows, lookUp, forUpdate } = dialect;
  const lock = `select d.* from ${rows("r", { id: "key" })} ${lookUp("deliveries", "d")} on d.id = r.id order by d.id${forUpdate}`;
  const add = dialect.insert({ table: "deliveries", rows: DELIVERY_COLUMNS });
  const fly = dialect.update({
    table: "deliveries",
    rows: { id: "key", token: "key", lease_until: "int" },
    set: { due_at: "null", ask_at: "null", lease_until: "r.lease_until", token: "r.token" },
    where: "t.id = r.id",
  });
  const write = dialect.update({
    table: "deliveries",
    rows: {
      id: "key",
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
      lease_until: "null",
      token: "null",
      attempts: "r.attempts",
      throttles: "r.throttles",
      lapses: "r.lapses",
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
    add: function* (deliveries, slips, places) {
      if (deliveries.length === 0) return;
      const fresh = deliveries.map((delivery) =>
        deliveryRow(delivery, slips?.get(delivery.id), places?.get(delivery.id)),
      );
      yield* change(add, sent(fresh));
    },
    fly: function* (ids, { token, leaseUntil }) {
      if (ids.length === 0) return;
      yield* change(fly, sent(ids.map((id) => ({ id, token, lease_until: leaseUntil }))));
    },
    write: function* (deliveries) {
      if (deliveries.length === 0) return;
      const changed = deliveries.map((delivery) => ({
        id: delivery.id,
        status: statusCode(delivery.status),
        due_at: delivery.dueAt,
        ask_at: isSuspect(delivery) ? delivery.dueAt : null,
        attempts: delivery.attempts,
        throttles: delivery.throttles,
        lapses: delivery.lapses,
        reason: delivery.reason === null ? null : words(delivery.reason),
        completed_at: delivery.completedAt,
      }));
      yield* change(write, sent(changed));
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
