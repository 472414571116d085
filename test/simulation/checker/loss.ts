import type { Made, Routed } from "../log.ts";
import type { KnownEvent, KnownSubscription } from "./ledger.ts";
import { firstOf, type Rule } from "./rule.ts";

const matches = (pattern: string, type: string): boolean =>
  pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

/** Is the event owed to the subscription, as both are now? Posthorn's own only go to who names them. */
export const isOwed = (
  event: Pick<KnownEvent, "organization" | "type" | "about">,
  subscription: Pick<KnownSubscription, "id" | "organization" | "eventTypes" | "deleted">,
): boolean =>
  event.organization === subscription.organization &&
  event.about !== subscription.id &&
  !subscription.deleted &&
  subscription.eventTypes.some((pattern) =>
    event.about === null ? matches(pattern, event.type) : pattern === event.type,
  );

const first = ({ id, eventId, subscriptionId }: Routed["deliveries"][number]) => ({
  id,
  eventId,
  subscriptionId,
  redeliveryOf: null,
});

export const lossRules: readonly Rule[] = [
  {
    name: "an acknowledged event is stored",
    laws: "I1, 16",
    see: (entry, { events }) => {
      if (entry.type !== "acknowledged") return null;
      const isStored = [...events.values()].some(({ label }) => label === entry.label);
      return isStored ? null : `${entry.label} was acknowledged, and is not there`;
    },
  },
  {
    name: "an event is routed to every subscription that matches, once",
    laws: "I1, 17, 18",
    see: (entry, { events, subscriptions }) => {
      if (entry.type !== "routed") return null;
      return firstOf(entry.events, ({ id, after, cursor }) => {
        const event = events.get(id);
        if (event === undefined) return `event ${id} was routed before it was committed`;
        if (event.routed) return `${event.label} was routed twice`;
        const planned = entry.deliveries.filter(({ eventId }) => eventId === id);
        const owed = [...subscriptions.values()].filter(
          (subscription) =>
            isOwed(event, subscription) &&
            (after === null || subscription.id > after) &&
            (cursor === null || subscription.id <= cursor),
        );
        const missing = owed.find(
          (subscription) =>
            planned.filter(({ subscriptionId }) => subscriptionId === subscription.id).length !== 1,
        );
        if (missing !== undefined) {
          return `${event.label} was routed, but not once to subscription ${missing.id}`;
        }
        return planned.length === owed.length
          ? null
          : `${event.label} was routed to who is not owed it`;
      });
    },
  },
  {
    name: "every delivery ends",
    laws: "I1, 1, 2, 3, 22",
    end: ({ events, deliveries }) =>
      firstOf(events.values(), ({ routed, label }) =>
        routed ? null : `${label} was never routed`,
      ) ??
      firstOf(deliveries.values(), ({ status, id, event }) =>
        status === "pending" ? `delivery ${id} of ${event?.label} has not ended` : null,
      ),
  },
  {
    name: "what is forgotten is over",
    laws: "19",
    see: (entry, { events, deliveries }) => {
      if (entry.type !== "pruned") return null;
      return (
        firstOf(entry.events, (id) => {
          const event = events.get(id);
          if (event === undefined) return null;
          if (!event.routed) return `${event.label} was forgotten before it was routed`;
          return event.publishedAt < entry.before ? null : `${event.label} was forgotten too early`;
        }) ??
        firstOf(entry.deliveries, (id) =>
          deliveries.get(id)?.status === "pending"
            ? `delivery ${id} was forgotten while it was pending`
            : null,
        )
      );
    },
  },
  {
    name: "nothing is sent that was not committed, or to whom it is not owed",
    laws: "I2",
    see: (entry, { events, deliveries }) => {
      if (entry.type !== "sent") return null;
      const event = events.get(entry.eventId);
      if (event === undefined) return `${entry.label} was sent, and was never committed`;
      const delivery = deliveries.get(entry.deliveryId);
      if (delivery === undefined) return `${entry.label} was sent for a delivery that nobody made`;
      const isRight =
        event.label === entry.label &&
        event.organization === entry.organization &&
        delivery.event === event &&
        delivery.subscription?.id === entry.subscriptionId &&
        delivery.subscription.organization === entry.organization;
      return isRight ? null : `${entry.label} was sent to whom it is not owed`;
    },
  },
  {
    name: "an event has one delivery to a subscription, unless it is asked for again",
    laws: "I11, 4, 17",
    see: (entry, { deliveries }) => {
      if (entry.type !== "routed" && entry.type !== "made") return null;
      const made: readonly Pick<Made["deliveries"][number], keyof ReturnType<typeof first>>[] =
        entry.type === "made" ? entry.deliveries : entry.deliveries.map(first);
      return firstOf(made, (fresh) => {
        const { redeliveryOf } = fresh;
        if (deliveries.has(fresh.id)) return `delivery ${fresh.id} was made twice`;
        if (redeliveryOf !== null) {
          return deliveries.get(redeliveryOf)?.status === "pending"
            ? `delivery ${redeliveryOf} was repeated before it had ended`
            : null;
        }
        for (const { event, subscription, redeliveryOf: of } of deliveries.values()) {
          if (
            event?.id === fresh.eventId &&
            !event.forgotten &&
            subscription?.id === fresh.subscriptionId &&
            of === null
          )
            return `${event.label} has a second delivery to subscription ${subscription.id}`;
        }
        return null;
      });
    },
  },
  {
    name: "an event that is published again with its key is stored once",
    laws: "I11, 16",
    see: (entry, { events }) => {
      if (entry.type !== "stored") return null;
      const { id, label, organization, idempotencyKey } = entry.event;
      return firstOf(events.values(), (known) => {
        if (known.id === id || known.forgotten || known.organization !== organization) return null;
        if (known.idempotencyKey === idempotencyKey && idempotencyKey !== null) {
          return `${label} and ${known.label} were stored with one key`;
        }
        return known.label === label && !label.startsWith("own ")
          ? `${label} was stored twice`
          : null;
      });
    },
  },
];
