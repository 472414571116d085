import { type OperationalEventType, operationalEventTypes } from "./catalog.ts";
import type { NewEvent, StoredEvent } from "./event.ts";
import type { Failing } from "./failing.ts";
import type { SubscriptionRecord } from "./subscription.ts";

/** What a `webhook_disabled` event says. Nothing of a configuration, and no secret, is in it. */
export interface WebhookDisabledData {
  readonly webhook_id: string;
  readonly webhook_name: string;
  /** Why it was switched off, and what to do about it: its `disabledReason`. */
  readonly reason: string;
  /** How many attempts have failed in a row; null if none, or nobody counted. */
  readonly failed_attempts: number | null;
  /** When the first of them failed (ISO 8601, in UTC). */
  readonly failing_since: string | null;
}

/** What a `webhook_failing` event says: half of what switches a subscription off has come to pass. */
export interface WebhookFailingData extends WebhookDisabledData {
  /** Why the latest attempt failed. */
  readonly reason: string;
  readonly failed_attempts: number;
  readonly failing_since: string;
}

/** What befell a subscription. */
export interface Mishap {
  readonly type: OperationalEventType;
  readonly reason: string;
  readonly failing: Failing | null;
}

/**
 * The event that tells an organization's other subscriptions. It has an ordering key of its own, so
 * that no order that somebody keeps holds it up. Nobody announces it: the host's own listeners hear
 * `bus.lifecycle`.
 */
export function operationalEvent(
  { id: webhookId, name, organization }: SubscriptionRecord,
  { type, reason, failing }: Mishap,
  { id, now }: { readonly id: string; readonly now: number },
): NewEvent {
  const data: WebhookDisabledData = {
    webhook_id: webhookId,
    webhook_name: name,
    reason,
    failed_attempts: failing?.attempts ?? null,
    failing_since: failing === null ? null : new Date(failing.since).toISOString(),
  };
  return {
    id,
    type,
    organization,
    occurredAt: now,
    publishedAt: now,
    actor: null,
    trace: null,
    payload: JSON.stringify(data),
    orderingKey: webhookId,
    idempotencyKey: null,
    announced: true,
  };
}

/** The subscription that an operational event tells of, by its id; null for any other event. */
export function toldOf({ type, payload }: StoredEvent): string | null {
  if (!(operationalEventTypes as readonly string[]).includes(type)) return null;
  return (JSON.parse(payload) as WebhookDisabledData).webhook_id;
}
