import type { Delivery, Next } from "./delivery.ts";
import type { NewEvent, StoredEvent } from "./event.ts";

/**
 * In which order a subscription gets its deliveries.
 *
 * - `none`: each as soon as it can go; what has to be tried again is overtaken.
 * - `skip_dead`: one after the other, in the order in which the events were published. Events with
 *   an `orderingKey` follow only those with the same key. A dead delivery is skipped.
 * - `stop_at_dead`: the same, but none is skipped: a delivery that would be dead switches the
 *   subscription off, and waits in its place. Switched on again, it is tried again; canceled, it is
 *   skipped. If its owner has changed the subscription while it was on its way, it is tried again at
 *   once, unless it may have arrived and is abandoned for that.
 */
export type DeliveryOrder = "none" | "skip_dead" | "stop_at_dead";

export const DELIVERY_ORDERS: readonly DeliveryOrder[] = ["none", "skip_dead", "stop_at_dead"];

/** Do its deliveries wait for each other? */
export const isSerial = (order: DeliveryOrder): boolean => order !== "none";

/** Whose deliveries go one after the other, within one subscription; "" for all without a key. */
export const queueOf = ({ orderingKey }: Pick<StoredEvent, "orderingKey">): string =>
  orderingKey ?? "";

/** What becomes of a delivery, and why its subscription is switched off with it, if it is. */
export type Ruling = Next & {
  readonly disabledReason?: string;
  /** Tells others that it was switched off. */
  readonly event?: NewEvent;
};

/**
 * What becomes of a delivery that keeps to an order: where none may be skipped, it waits instead of
 * being dead, and its subscription is switched off until somebody has looked at it. Pure.
 */
export function inOrder(
  next: Next,
  order: DeliveryOrder,
  { id, eventType }: Pick<Delivery, "id" | "eventType">,
  now: number,
): Ruling {
  if (order !== "stop_at_dead" || next.status !== "dead") return next;
  return {
    ...next,
    status: "waiting",
    dueAt: now,
    disabledReason: `Delivery ${id} ("${eventType}") could not be made, and none may overtake it: ${next.reason.replace(/\.$/, "")}. Switch the webhook on to try it again, or cancel the delivery to skip it.`,
  };
}
