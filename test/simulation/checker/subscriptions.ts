import { isOwed } from "./loss.ts";
import { firstOf, type Rule } from "./rule.ts";

/** An owner's wish may have been on its way for so long when Posthorn switched off. */
const WISH_MS = 60_000;
/** From a failure to the commit of its settlement it takes at most this long. */
const SETTLE_MS = 5_000;

export const subscriptionRules: readonly Rule[] = [
  {
    name: "a handler gets the configuration and the secret as of the claim",
    laws: "18",
    see: (entry, { deliveries, subscriptions }) => {
      if (entry.type !== "sent") return null;
      const delivery = deliveries.get(entry.deliveryId);
      const flight = delivery?.flights.findLast(({ process }) => process === entry.process);
      const subscription = subscriptions.get(entry.subscriptionId);
      const tag = flight && subscription?.tags.get(flight.version);
      if (tag !== entry.tag) return `${entry.label} was sent as ${entry.tag}, not as ${tag}`;
      return entry.secret === null || entry.secret === secretOf(entry.tag)
        ? null
        : `${entry.label} was sent with another's secret`;
    },
  },
  {
    name: "the subscription is handed out as it is",
    laws: "18, 20",
    see: (entry, { subscriptions }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      return firstOf(entry.claims, ({ subscriptionId, version, failures, deliveryId }) => {
        const subscription = subscriptions.get(subscriptionId);
        if (subscription === undefined) return null;
        if (subscription.version !== version) {
          return `${deliveryId} got version ${version} of its subscription, not ${subscription.version}`;
        }
        return subscription.failures === failures
          ? null
          : `${subscription.failures} attempts to ${subscriptionId} have failed in a row, and ${failures} are remembered`;
      });
    },
  },
  {
    name: "a subscription is switched off with what causes it, in one step, and for nothing else",
    laws: "18, 20",
    see: (entry, { deliveries }, { autoDisable, abandons }) => {
      if (entry.type !== "settled" || entry.flights.length > 1) return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change }) => {
        const delivery = deliveries.get(deliveryId);
        const { flight, subscription } = delivery ?? {};
        if (change === null || !subscription || subscription.deleted) return null;
        const isHeld = abandons && outcome === "unknown" && change.status === "pending";
        if (isHeld && subscription.enabled && !change.disabled)
          return `${deliveryId} may have arrived, and ${subscription.id} is not switched off`;
        if (flight?.version !== subscription.version) return null;
        const isLapse = change.lapses > (flight?.lapses ?? 0);
        const isFailure = !isLapse && (outcome === "failed" || outcome === "unknown");
        const failures = subscription.failures + (isFailure ? 1 : 0);
        const failingMs = entry.at - subscription.failingSince;
        const isMany = isFailure && subscription.enabled && failures >= autoDisable.attempts;
        const isLong = subscription.failures === 0 ? 0 : failingMs;
        if (change.disabled) {
          const isAllowed = outcome === "gone" || subscription.order === "stop_at_dead" || isMany;
          return isAllowed ? null : `${subscription.id} was switched off for ${outcome}`;
        }
        if (outcome === "gone" && !isLapse)
          return `${subscription.id} is gone, and not switched off`;
        return isMany && isLong >= autoDisable.ms + SETTLE_MS
          ? `${subscription.id} has failed ${failures} times, and is not switched off`
          : null;
      });
    },
  },
  {
    name: "what Posthorn switched off only its owner switches on",
    laws: "18",
    see: (entry, { subscriptions, acts }) => {
      if (entry.type !== "subscribed") return null;
      const known = subscriptions.get(entry.id);
      const offAt = known?.switchedOffAt ?? null;
      if (!entry.enabled || known?.enabled !== false || offAt === null) return null;
      const isWished = acts.some(
        ({ id, what, at }) => id === entry.id && what === "switch on" && at >= offAt - WISH_MS,
      );
      return isWished ? null : `${entry.id} was switched on again by nobody`;
    },
  },
  {
    name: "in a lane with an order, nothing is sent before what was published before it has ended",
    laws: "I7, 8, 10",
    see: (entry, { deliveries, events }) => {
      if (entry.type !== "sent") return null;
      const delivery = deliveries.get(entry.deliveryId);
      const { event, subscription, redeliveryOf } = delivery ?? {};
      if (!event || !subscription || redeliveryOf !== null) return null;
      if (subscription.order === "none" || !subscription.orderIsOld) return null;
      if (event.label.startsWith("own ")) return null;
      for (const other of deliveries.values()) {
        if (other.subscription !== subscription || other.redeliveryOf !== null) continue;
        if (other.status !== "pending" || other.event === undefined) continue;
        if (other.event.queue !== event.queue || other.event.label.startsWith("own ")) continue;
        if (other.event.storedAt < event.begunAt) {
          return `${entry.label} was sent before ${other.event.label} had ended`;
        }
      }
      return firstOf(events.values(), (other) =>
        !other.routed &&
        other.queue === event.queue &&
        other.storedAt < event.begunAt &&
        isOwed(other, subscription) &&
        ![...deliveries.values()].some(
          (one) => one.event === other && one.subscription === subscription,
        )
          ? `${entry.label} was sent before ${other.label} was routed`
          : null,
      );
    },
  },
];

/** Owners choose a secret that tells which configuration it is of. */
export const secretOf = (tag: string): string => `secret of ${tag}`;
