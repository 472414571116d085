import type { Json, StoredEvent } from "./event.ts";
import type { PassedGate } from "./gate.ts";
import type { OutcomeType } from "./handler.ts";
import type { SubscriptionRecord } from "./subscription.ts";

/**
 * Where a delivery stands.
 *
 * ```
 *           route                claim                       settle
 * (no row) ───────▶ waiting ───────────────▶ in flight ───────────────▶ delivered
 *     │                ▲ ▲                       │                    ├─▶ dead
 *     │                │ └─ settle (again later),│                    └─▶ canceled
 *     └─▶ queued ──────┘    release, lapse ──────┘
 * ```
 *
 * Where a subscription keeps an order, only the first of each ordering key waits or flies; the
 * others are queued: nothing is due of them until it is their turn, when the one before them ends.
 *
 * `pending` is what people see of queued, waiting and in flight.
 */
export type DeliveryStatus = "pending" | "delivered" | "dead" | "canceled";

/** One event owed to one subscription. */
export interface Delivery {
  /** UUIDv7. */
  readonly id: string;
  readonly organization: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly subscriptionId: string;
  readonly handlerType: string;
  readonly status: DeliveryStatus;
  /** Whether a process is delivering it right now. */
  readonly inFlight: boolean;
  /** When it is due next (epoch milliseconds); null in flight, queued and once it has ended. */
  readonly dueAt: number | null;
  /** Attempts that count against the schedule. */
  readonly attempts: number;
  /** Attempts that a rate limit refused; the first 20 of them do not count. */
  readonly throttles: number;
  /** Flights that ended without an outcome: a crash, a pause, a lost settle. */
  readonly lapses: number;
  /** Why it last failed, died or was canceled; null after success and before any attempt. */
  readonly reason: string | null;
  /** The delivery that this one repeats, if somebody asked for it again. */
  readonly redeliveryOf: string | null;
  readonly createdAt: number;
  /** When it ended (epoch milliseconds); null while it is pending. */
  readonly completedAt: number | null;
}

/** A delivery as `route`, `redeliver` and `test` make it. */
export type NewDelivery = Pick<
  Delivery,
  "id" | "organization" | "eventId" | "eventType" | "subscriptionId" | "handlerType" | "createdAt"
>;

/** One try of a delivery, append-only. */
export interface Attempt {
  readonly deliveryId: string;
  /** The flight it was: with the delivery's id, its identity. */
  readonly token: string;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: OutcomeType;
  /** Does it count against the schedule? */
  readonly counted: boolean;
  /** It came after its flight was over, and changed nothing. */
  readonly late: boolean;
  readonly reason: string | null;
  readonly remedy: string | null;
  /** What the handler wants remembered: a status code, a request id. Never a secret. */
  readonly details: Json;
  /** How many deliveries went in its call; 1 if it went alone. */
  readonly together: number;
}

/** A delivery on its way, named by the token of this one flight. */
export interface Flight {
  readonly deliveryId: string;
  readonly subscriptionId: string;
  readonly token: string;
}

/** A delivery that this process may start, with all it takes to do so. */
export interface Claim extends Flight {
  readonly delivery: Delivery;
  readonly event: StoredEvent;
  readonly subscription: SubscriptionRecord;
  /** The gates that it passed, in the order in which the handler names them. */
  readonly gates: readonly PassedGate[];
  /** From this instant on (epoch milliseconds) the flight may lapse. */
  readonly leaseUntil: number;
  /** Past this instant it must be released instead of started; null if no rate limit counts it. */
  readonly startBy: number | null;
  /** The call that it goes in with others of its lane, named once in a claim's result; null: alone. */
  readonly call: string | null;
}

/** What flies together: claims of one lane that began and end at the same time. At least one. */
export type Call = readonly [Claim, ...Claim[]];

/** From its second lapse on, a delivery is claimed alone: it may be what kills its process. */
export const SUSPECT_LAPSES = 2;

/** At this many lapses it is dead. */
export const MAX_LAPSES = 5;

/** Is it suspected of killing the processes that deliver it? */
export const isSuspect = ({ lapses }: Pick<Delivery, "lapses">): boolean =>
  lapses >= SUSPECT_LAPSES;

/** What follows when a flight's lease ends without an outcome. */
export function lapse(delivery: Pick<Delivery, "lapses">, now: number): Next {
  const lapses = delivery.lapses + 1;
  return lapses >= MAX_LAPSES
    ? { status: "dead", lapses, reason: `lapsed: ${lapses} flights ended without an outcome` }
    : { status: "waiting", lapses, dueAt: now };
}

/** What becomes of a delivery whose flight has ended; counters that are absent stay. */
export type Next = (
  | { readonly status: "waiting"; readonly dueAt: number; readonly reason?: string }
  | { readonly status: "delivered" }
  | { readonly status: "dead" | "canceled"; readonly reason: string }
) & { readonly attempts?: number; readonly throttles?: number; readonly lapses?: number };

/** The delivery as it is when its flight has ended at `now`, and `next` is what becomes of it. */
export function landed(delivery: Delivery, next: Next, now: number): Delivery {
  const waiting = next.status === "waiting";
  return {
    ...delivery,
    status: waiting ? "pending" : next.status,
    inFlight: false,
    dueAt: waiting ? next.dueAt : null,
    attempts: next.attempts ?? delivery.attempts,
    throttles: next.throttles ?? delivery.throttles,
    lapses: next.lapses ?? delivery.lapses,
    reason: next.status === "delivered" ? null : (next.reason ?? delivery.reason),
    completedAt: waiting ? null : now,
  };
}
