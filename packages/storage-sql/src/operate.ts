import type {
  CancelAllRequest,
  Delivery,
  NewDelivery,
  RedeliverRequest,
  RedeliverResult,
  Storage,
  StoredEvent,
} from "@posthorn/core";
import { canceled, deliveriesIn, duesOf, inPlace } from "./deliveries.ts";
import { type Dialect, EVENT_COLUMNS, queuedIn, sent, tested } from "./dialect.ts";
import { lanesIn } from "./lanes.ts";
import { type Place, queuesIn } from "./queues.ts";
import { eventRow, newDelivery, text, textOrNull, toDelivery } from "./records.ts";
import { change, rowsOf, type Script } from "./script.ts";

type Cancellation = Parameters<Storage["cancel"]>[0];
type Canceled = Awaited<ReturnType<Storage["cancel"]>>;

/** What people ask for, past all schedules. */
export interface Operating {
  send(event: StoredEvent, delivery: NewDelivery): Script<boolean>;
  redeliver(request: RedeliverRequest): Script<RedeliverResult>;
  cancel(request: Cancellation): Script<Canceled>;
  cancelAll(request: CancelAllRequest): Script<number>;
}

export function operating(dialect: Dialect): Operating {
  const { table, forShare } = dialect;
  const lanes = lanesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const queues = queuesIn(dialect);
  const owner = `select organization from ${table("subscriptions")} where id = ?`;
  const addEvent = dialect.insert({
    table: "events",
    rows: { ...EVENT_COLUMNS, ...(dialect.name === "mysql" && { append_id: "int" as const }) },
  });
  const event = `select id, ordering_key from ${table("events")} where id = ?${forShare}`;
  const find = `select * from ${table("deliveries")} where id = ? and organization = ?`;

  const asked = `${tested("d.organization = ?")} and d.created_at >= ? and d.created_at < ?`;
  const atMost = `limit ${dialect.given("int")}`;
  const pending = [
    ...[
      queuedIn("?"),
      dialect.waitsIn("?"),
      `d.ask_at is not null and ${tested("d.subscription_id = ?")}`,
    ].map(
      (isPending) =>
        `select d.id from ${table("deliveries")} d where ${isPending} and ${asked} ${atMost}`,
    ),
    // Counted, and not joined: no planner may begin with all deliveries.
    `select f.delivery_id as id from ${table("flights")} f where f.subscription_id = ? and (select count(*) from ${table("deliveries")} d where d.id = f.delivery_id and ${asked}) > 0 ${atMost}`,
  ];

  function* wait(delivery: Delivery, places: ReadonlyMap<string, Place> = new Map()): Script<void> {
    const placed = inPlace([delivery], places);
    yield* deliveries.add(placed, places);
    yield* lanes.expect(duesOf(placed));
  }

  return {
    send: function* (given, delivery) {
      const known = yield* lanes.lock([delivery.subscriptionId]);
      if (known.get(delivery.subscriptionId)?.deleted !== false) return false;
      const [subscription] = yield* rowsOf(owner, delivery.subscriptionId);
      if (subscription === undefined) return false;
      if (text(subscription["organization"]) !== delivery.organization) return false;
      const row = eventRow({ ...given, idempotencyKey: null, announced: true });
      yield* change(addEvent, sent([{ ...row, append_id: 0 }]));
      const isForgotten = (yield* rowsOf(event, given.id)).length === 0;
      if (!isForgotten) yield* wait({ ...newDelivery(delivery), dueAt: delivery.createdAt });
      return true;
    },

    redeliver: function* ({ organization, id, newId, now }) {
      const [row] = yield* rowsOf(find, id, organization);
      if (row === undefined) return "not_found";
      const ended = toDelivery(row);
      if (ended.status === "pending") return "pending";
      const known = yield* lanes.lock([ended.subscriptionId]);
      if (known.get(ended.subscriptionId)?.deleted !== false) return "subscription_deleted";
      const [found] = yield* rowsOf(event, ended.eventId);
      if (found === undefined) return "not_found";
      const queue = textOrNull(found["ordering_key"]) ?? "";
      const fresh = newDelivery({ ...ended, id: newId, createdAt: now });
      const places = yield* queues.enter([{ ...fresh, queue }], known);
      yield* wait({ ...fresh, dueAt: now, redeliveryOf: id }, places);
      return "created";
    },

    cancel: function* ({ organization, deliveryId, reason, now }) {
      const [seen] = yield* rowsOf(find, deliveryId, organization);
      if (seen === undefined) return "not_found";
      yield* lanes.lock([text(seen["subscription_id"])]);
      const [row] = yield* deliveries.lock([deliveryId]);
      if (row === undefined) return "not_found";
      const delivery = toDelivery(row);
      if (delivery.status !== "pending") return "not_pending";
      const ended = [canceled(delivery, reason, now)];
      yield* deliveries.write([row], ended);
      yield* lanes.expect(yield* queues.leave([row], ended));
      return "canceled";
    },

    cancelAll: function* ({ organization, subscriptionId, from, until, reason, now, max }) {
      yield* lanes.lock([subscriptionId]);
      const found: string[] = [];
      for (const statement of pending) {
        const left = max - found.length;
        const rows = yield* rowsOf(statement, subscriptionId, organization, from, until, left);
        found.push(...rows.map((row) => text(row["id"])));
      }
      const locked = yield* deliveries.lock(found);
      const ended = locked
        .map(toDelivery)
        .filter(({ status }) => status === "pending")
        .map((delivery) => canceled(delivery, reason, now));
      yield* deliveries.write(locked, ended);
      yield* lanes.expect(yield* queues.leave(locked, ended));
      return ended.length;
    },
  };
}
