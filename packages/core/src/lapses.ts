import type { Delivery } from "./delivery.ts";
import type { Handler } from "./handler.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import { operationalEvent } from "./operational-event.ts";
import { inOrder } from "./order.ts";
import { afterLapse, type RetryPolicy } from "./retry.ts";
import type { ClaimRules } from "./storage.ts";

/** What becomes of flights without an outcome, and who hears of it. */
export interface Lapses {
  /** Pure, but for new ids and for what `report` is to tell. */
  readonly rule: ClaimRules["lapse"];
  /** Tells of deliveries that have lapsed. Answers whether events were appended that are to be routed. */
  report(lapsed: readonly Delivery[]): boolean;
}

export function createLapses(options: {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly lifecycle: LifecycleEmitter;
  retryOf(handler: Handler | undefined): RetryPolicy;
  newId(): string;
}): Lapses {
  const { handlers, lifecycle, retryOf, newId } = options;
  /** What the rule has ruled, by delivery, until it is told. */
  const rulings = new Map<string, { readonly disabledReason?: string; readonly isTold: boolean }>();

  return {
    rule: (delivery, now, { order, subscription }) => {
      const policy = retryOf(handlers.get(delivery.handlerType));
      const ruling = inOrder(afterLapse(delivery, policy, now), order, delivery, now);
      const { disabledReason: reason } = ruling;
      if (reason === undefined) return ruling;
      const isTold = subscription?.enabled === true;
      rulings.set(delivery.id, { disabledReason: reason, isTold });
      if (!isTold) return ruling;
      const { failing } = subscription;
      const event = operationalEvent(
        subscription,
        { type: "webhook_disabled", reason, failing },
        { id: newId(), now },
      );
      return { ...ruling, event };
    },

    report: (lapsed) => {
      for (const delivery of lapsed) {
        lifecycle.emit("delivery.lapsed", { delivery, attempt: null });
        if (delivery.status === "dead")
          lifecycle.emit("delivery.dead", { delivery, attempt: null });
        const { subscriptionId: id, organization } = delivery;
        const reason = rulings.get(delivery.id)?.disabledReason;
        if (reason !== undefined)
          lifecycle.emit("subscription.disabled", { id, organization, reason });
      }
      const isMore = lapsed.some(({ id }) => rulings.get(id)?.isTold === true);
      rulings.clear();
      return isMore;
    },
  };
}
