import type { NewEvent, SubscriptionRecord } from "@posthorn/core";
import { anEvent, storedOf } from "../stage.ts";
import { freshId, type Model, NOT_ROUTED } from "./model.ts";

/** What a rule answers to tell that it switches a subscription off; nothing if it is off. */
export function tell(
  model: Model,
  record: SubscriptionRecord | null,
): { readonly event?: NewEvent } {
  if (record?.enabled !== true) return {};
  const { id, name, organization } = record;
  const data = { webhook_id: id, webhook_name: name, reason: 'it\'s "gone" ?' };
  const event = anEvent({
    id: freshId(model),
    type: "webhook_disabled",
    organization,
    payload: JSON.stringify(data),
    publishedAt: model.now,
    occurredAt: model.now,
  });
  return { event };
}

/** What a rule answered has come to pass: its event is there, and is to be routed. */
export function heard({ events, unrouted }: Model, event: NewEvent | undefined): void {
  if (event === undefined) return;
  const { announced, idempotencyKey: key } = event;
  events.set(event.id, { event: storedOf(event), key, announced });
  unrouted.set(event.id, NOT_ROUTED);
}
