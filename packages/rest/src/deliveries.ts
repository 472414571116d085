import {
  type Attempt,
  type Delivery,
  type DeliveryStatus,
  type DeliveryWithAttempts,
  isPosthornError,
  type Json,
  type OutcomeType,
} from "@posthorn/core";
import type { RestBus } from "./api.ts";
import { Problem } from "./problems.ts";
import { pageOptions, resultPage } from "./query.ts";
import { type Reference, referenceOf } from "./reference.ts";
import type { Answer, Call } from "./routes.ts";
import { type Urls, wireInstant } from "./wire.ts";

/** A delivery as the API shows it in lists. */
export interface WebhookDelivery {
  readonly url: string;
  readonly id: string;
  readonly webhook: string;
  readonly webhook_id: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly type: string;
  readonly status: DeliveryStatus;
  readonly in_flight: boolean;
  /** When it is tried next; null in flight and once it has ended. */
  readonly next_attempt_at: string | null;
  /** Attempts that count against the schedule. */
  readonly attempt_count: number;
  readonly throttle_count: number;
  readonly lapse_count: number;
  readonly reason: string | null;
  readonly redelivery_of: string | null;
  readonly created_at: string;
  readonly completed_at: string | null;
}

/** A delivery as the API shows it by itself. */
export interface WebhookDeliveryWithAttempts extends WebhookDelivery {
  /** Oldest first. */
  readonly attempts: readonly WebhookAttempt[];
}

export interface WebhookAttempt {
  readonly started_at: string;
  /** To the nearest ten. */
  readonly duration_ms: number;
  readonly outcome: OutcomeType;
  readonly counted: boolean;
  readonly late: boolean;
  readonly reason: string | null;
  readonly remedy: string | null;
  /** What the handler noted, in its own words. */
  readonly details: Json;
}

export const deliveryStatuses: readonly DeliveryStatus[] = [
  "pending",
  "delivered",
  "dead",
  "canceled",
];

export interface DeliveryRoutes {
  list(call: Call): Promise<Answer>;
  get(call: Call): Promise<Answer>;
  redeliver(call: Call): Promise<Answer>;
  cancel(call: Call): Promise<Answer>;
}

export function deliveryRoutes({ subscriptions, deliveries }: RestBus): DeliveryRoutes {
  /** @throws Problem `not_found` also for a delivery of another webhook */
  async function find(call: Call): Promise<DeliveryWithAttempts> {
    const { id: subscriptionId } = referenceOf(call);
    const found = await deliveries.get(referenceOf(call, "delivery_id"));
    if (found.subscriptionId !== subscriptionId) throw new Problem("not_found");
    return found;
  }

  /** Is there a webhook, or was there one whose history is still kept? */
  async function wasThere(reference: Reference): Promise<boolean> {
    try {
      await subscriptions.get(reference);
      return true;
    } catch (error) {
      if (!isPosthornError(error, "not_found")) throw error;
      const { organization, id: subscriptionId } = reference;
      const { items } = await deliveries.list({ organization, subscriptionId, limit: 1 });
      return items.length > 0;
    }
  }

  return {
    list: async (call) => {
      const { organization, path, query, urls } = call;
      const reference = referenceOf(call);
      const scope = [organization, path, query.get("status") ?? null];
      const options = pageOptions(query, scope);
      if (!(await wasThere(reference))) throw new Problem("not_found");
      const page = await deliveries.list({
        organization,
        subscriptionId: reference.id,
        status: query.get("status") as DeliveryStatus | undefined,
        ...options,
      });
      const show = (found: Delivery): WebhookDelivery => shownDelivery(found, urls);
      return { content: resultPage(page, { query, scope, urls }, show) };
    },

    get: async (call) => {
      const found = await find(call);
      const attempts = found.attemptLog.map(shownAttempt);
      const content: WebhookDeliveryWithAttempts = { ...shownDelivery(found, call.urls), attempts };
      return { content };
    },

    redeliver: async (call) => {
      const { organization, id } = await find(call);
      const delivery = shownDelivery(await deliveries.redeliver({ organization, id }), call.urls);
      return { content: delivery, location: delivery.url };
    },

    cancel: async (call) => {
      const { organization, id } = await find(call);
      return { content: shownDelivery(await deliveries.cancel({ organization, id }), call.urls) };
    },
  };
}

export function shownDelivery(delivery: Delivery, urls: Urls): WebhookDelivery {
  const { id, subscriptionId, redeliveryOf } = delivery;
  return {
    url: urls.delivery(subscriptionId, id),
    id,
    webhook: urls.webhook(subscriptionId),
    webhook_id: subscriptionId,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    type: delivery.handlerType,
    status: delivery.status,
    in_flight: delivery.inFlight,
    next_attempt_at: wireInstant(delivery.dueAt),
    attempt_count: delivery.attempts,
    throttle_count: delivery.throttles,
    lapse_count: delivery.lapses,
    reason: delivery.reason,
    redelivery_of: redeliveryOf === null ? null : urls.delivery(subscriptionId, redeliveryOf),
    created_at: wireInstant(delivery.createdAt),
    completed_at: wireInstant(delivery.completedAt),
  };
}

/** Coarse, for the time that a connection takes to fail tells of a network. */
const GRAIN_MS = 10;

const shownAttempt = (attempt: Omit<Attempt, "token">): WebhookAttempt => ({
  started_at: wireInstant(attempt.startedAt),
  duration_ms: Math.round(attempt.durationMs / GRAIN_MS) * GRAIN_MS,
  outcome: attempt.outcome,
  counted: attempt.counted,
  late: attempt.late,
  reason: attempt.reason,
  remedy: attempt.remedy,
  details: attempt.details,
});
