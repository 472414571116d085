import type {
  Attempt,
  BreakerState,
  Delivery,
  DeliveryOrder,
  DeliveryStatus,
  GateState,
  Json,
  NewEvent,
  StoredEvent,
  SubscriptionRecord,
} from "@posthorn/core";
import { asSent, type Columns, type Dialect, type SentRow } from "./dialect.ts";
import type { Row } from "./script.ts";

/** Drivers give binary text as bytes, and 64-bit integers as text. */
export const text = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
export const int = (value: unknown): number => Number(value);
export const isSet = (value: unknown): boolean => Number(value) === 1;

const orNull = <Value>(value: unknown, read: (value: unknown) => Value): Value | null =>
  value === null || value === undefined ? null : read(value);
export const textOrNull = (value: unknown): string | null => orNull(value, text);
export const intOrNull = (value: unknown): number | null => orNull(value, int);

const json = (value: unknown): Json => JSON.parse(text(value)) as Json;

/** What no column takes: NUL, and halves of surrogate pairs. For words that people read. */
export const words = (value: string): string => value.toWellFormed().replaceAll("\0", "\ufffd");
const wordsOrNull = (value: string | null): string | null => (value === null ? null : words(value));

export const eventRow = (event: NewEvent): SentRow => ({
  id: event.id,
  organization: event.organization,
  type: event.type,
  occurred_at: event.occurredAt,
  published_at: event.publishedAt,
  actor: event.actor === null ? null : JSON.stringify(event.actor),
  trace: event.trace === null ? null : JSON.stringify(event.trace),
  payload: event.payload,
  ordering_key: event.orderingKey,
  idempotency_key: event.idempotencyKey,
  announced: Number(event.announced),
});

export const toEvent = (row: Row): StoredEvent => ({
  id: text(row["id"]),
  type: text(row["type"]),
  organization: text(row["organization"]),
  occurredAt: int(row["occurred_at"]),
  publishedAt: int(row["published_at"]),
  actor: orNull(row["actor"], json) as StoredEvent["actor"],
  trace: orNull(row["trace"], json) as StoredEvent["trace"],
  payload: text(row["payload"]),
  orderingKey: textOrNull(row["ordering_key"]),
});

const STATUSES = ["pending", "delivered", "dead", "canceled"] as const;
export const statusCode = (status: DeliveryStatus): number => STATUSES.indexOf(status);

const NEW_DELIVERY_COLUMNS: Columns = {
  id: "key",
  organization: "key",
  event_id: "key",
  event_type: "key",
  subscription_id: "key",
  handler_type: "key",
  status: "int",
  due_at: "int",
  ordering_key: "key",
  position: "int",
  reason: "text",
  redelivery_of: "key",
  created_at: "int",
  completed_at: "int",
};

/** How new deliveries are inserted: those that `fly` by the token that is the first parameter. */
export const NEW_DELIVERY: Pick<Parameters<Dialect["insert"]>[0], "rows" | "set"> = {
  rows: { ...NEW_DELIVERY_COLUMNS, flies: "int" },
  set: {
    ...asSent(NEW_DELIVERY_COLUMNS),
    status: "coalesce(r.status, 0)",
    token: "case when r.flies = 1 then ? end",
    attempts: "0",
    throttles: "0",
    lapses: "0",
  },
};

/** A delivery that neither waits nor flies yet. */
export const newDelivery = (
  given: Pick<
    Delivery,
    "id" | "organization" | "eventId" | "eventType" | "subscriptionId" | "handlerType" | "createdAt"
  >,
): Delivery => ({
  id: given.id,
  organization: given.organization,
  eventId: given.eventId,
  eventType: given.eventType,
  subscriptionId: given.subscriptionId,
  handlerType: given.handlerType,
  status: "pending",
  inFlight: false,
  dueAt: null,
  attempts: 0,
  throttles: 0,
  lapses: 0,
  reason: null,
  redeliveryOf: null,
  createdAt: given.createdAt,
  completedAt: null,
});

/** A new delivery; what most of them have not is not sent. */
export const deliveryRow = (
  delivery: Delivery,
  place?: { readonly queue: string | null; readonly position: number | null },
): SentRow => ({
  id: delivery.id,
  organization: delivery.organization,
  event_id: delivery.eventId,
  event_type: delivery.eventType,
  subscription_id: delivery.subscriptionId,
  handler_type: delivery.handlerType,
  status: statusCode(delivery.status) || undefined,
  due_at: delivery.dueAt ?? undefined,
  flies: delivery.inFlight ? 1 : undefined,
  ordering_key: place?.queue ?? undefined,
  position: place?.position ?? undefined,
  reason: wordsOrNull(delivery.reason) ?? undefined,
  redelivery_of: delivery.redeliveryOf ?? undefined,
  created_at: delivery.createdAt,
  completed_at: delivery.completedAt ?? undefined,
});

export const toDelivery = (row: Row): Delivery => ({
  id: text(row["id"]),
  organization: text(row["organization"]),
  eventId: text(row["event_id"]),
  eventType: text(row["event_type"]),
  subscriptionId: text(row["subscription_id"]),
  handlerType: text(row["handler_type"]),
  status: STATUSES[int(row["status"])] ?? "pending",
  inFlight: row["token"] !== null,
  dueAt: intOrNull(row["due_at"]),
  attempts: int(row["attempts"]),
  throttles: int(row["throttles"]),
  lapses: int(row["lapses"]),
  reason: textOrNull(row["reason"]),
  redeliveryOf: textOrNull(row["redelivery_of"]),
  createdAt: int(row["created_at"]),
  completedAt: intOrNull(row["completed_at"]),
});

export const attemptRow = (attempt: Attempt): SentRow => ({
  delivery_id: attempt.deliveryId,
  token: attempt.token,
  started_at: attempt.startedAt,
  duration_ms: attempt.durationMs,
  outcome: attempt.outcome,
  counted: Number(attempt.counted),
  late: Number(attempt.late),
  reason: wordsOrNull(attempt.reason) ?? undefined,
  remedy: wordsOrNull(attempt.remedy) ?? undefined,
  details: JSON.stringify(attempt.details),
  together: attempt.together > 1 ? attempt.together : undefined,
});

export const toAttempt = (row: Row): Attempt => ({
  deliveryId: text(row["delivery_id"]),
  token: text(row["token"]),
  startedAt: int(row["started_at"]),
  durationMs: int(row["duration_ms"]),
  outcome: text(row["outcome"]) as Attempt["outcome"],
  counted: isSet(row["counted"]),
  late: isSet(row["late"]),
  reason: textOrNull(row["reason"]),
  remedy: textOrNull(row["remedy"]),
  details: json(row["details"]),
  together: intOrNull(row["together"]) ?? 1,
});

export const toGate = (row: Row): GateState => {
  const limit = intOrNull(row["rate_limit"]);
  const burst = intOrNull(row["burst"]);
  return {
    id: text(row["id"]),
    name: text(row["name"]),
    limit:
      limit === null
        ? null
        : { limit, perMs: int(row["per_ms"]), ...(burst !== null && { burst }) },
    tat: int(row["tat"]),
    pausedUntil: int(row["paused_until"]),
    epoch: int(row["epoch"]),
    throttles: int(row["throttles"]),
    breaker: row["breaker"] === null ? null : (JSON.parse(text(row["breaker"])) as BreakerState),
  };
};

export const SUBSCRIPTION_COLUMNS: Columns = {
  id: "key",
  organization: "key",
  name: "text",
  event_types: "text",
  type: "key",
  configuration: "text",
  secrets: "text",
  state: "text",
  delivery_order: "text",
  enabled: "int",
  disabled_reason: "text",
  status: "text",
  status_detail: "text",
  status_checked_at: "int",
  failing_since: "int",
  failing_attempts: "int",
  failing_warned: "int",
  version: "int",
  idempotency_key: "key",
  fingerprint: "key",
  created_at: "int",
  updated_at: "int",
};

export const subscriptionRow = (record: SubscriptionRecord): SentRow => ({
  id: record.id,
  organization: record.organization,
  name: words(record.name),
  event_types: JSON.stringify(record.eventTypes),
  type: record.type,
  configuration: JSON.stringify(record.configuration),
  secrets: JSON.stringify(record.secrets),
  state: JSON.stringify(record.state),
  delivery_order: record.order,
  enabled: Number(record.enabled),
  disabled_reason: wordsOrNull(record.disabledReason),
  status: record.status,
  status_detail: wordsOrNull(record.statusDetail),
  status_checked_at: record.statusCheckedAt,
  failing_since: record.failing?.since ?? null,
  failing_attempts: record.failing?.attempts ?? null,
  failing_warned: record.failing === null ? null : Number(record.failing.warned),
  version: record.version,
  idempotency_key: record.idempotencyKey,
  fingerprint: record.fingerprint,
  created_at: record.createdAt,
  updated_at: record.updatedAt,
});

export const toSubscription = (row: Row): SubscriptionRecord => ({
  id: text(row["id"]),
  organization: text(row["organization"]),
  name: text(row["name"]),
  eventTypes: json(row["event_types"]) as readonly string[],
  type: text(row["type"]),
  configuration: json(row["configuration"]) as SubscriptionRecord["configuration"],
  secrets: json(row["secrets"]) as SubscriptionRecord["secrets"],
  state: json(row["state"]),
  order: orderIn(row),
  enabled: isSet(row["enabled"]),
  disabledReason: textOrNull(row["disabled_reason"]),
  status: text(row["status"]) as SubscriptionRecord["status"],
  statusDetail: textOrNull(row["status_detail"]),
  statusCheckedAt: intOrNull(row["status_checked_at"]),
  failing: orNull(row["failing_since"], (since) => ({
    since: int(since),
    attempts: int(row["failing_attempts"]),
    warned: isSet(row["failing_warned"]),
  })),
  version: int(row["version"]),
  idempotencyKey: textOrNull(row["idempotency_key"]),
  fingerprint: textOrNull(row["fingerprint"]),
  createdAt: int(row["created_at"]),
  updatedAt: int(row["updated_at"]),
});

/** As far as events are matched with it. */
export const toMatched = (row: Row): Pick<SubscriptionRecord, "id" | "type" | "eventTypes"> => ({
  id: text(row["id"]),
  type: text(row["type"]),
  eventTypes: json(row["event_types"]) as readonly string[],
});

/** A lane's columns, beside those of its subscription. */
export const LANE_COLUMNS: Columns = {
  subscription_id: "key",
  organization: "key",
  handler_type: "key",
  key_id: "key",
  gate_key_id: "key",
  gate_ids: "text",
  delivery_order: "text",
  parked: "int",
  deleted: "int",
  next_due_at: "int",
};

export const orderIn = (row: Row): DeliveryOrder => text(row["delivery_order"]) as DeliveryOrder;
export const gateIdsOf = (row: Row): readonly string[] => json(row["gate_ids"]) as string[];
/** Lanes say "no key" with an empty text, so that an index finds them. */
export const keyIdOf = (row: Row): string | null => text(row["key_id"]) || null;
