import type { Flown } from "../log.ts";
import { callsOf, type KnownDelivery } from "./ledger.ts";
import { firstOf, type Rule, SUSPECT_LAPSES } from "./rule.ts";

/** Whether something was tried, or is suspected, as of a claim in which these have lapsed. */
const mayGoTogether = (
  delivery: KnownDelivery | undefined,
  lapsed: ReadonlyMap<string, number>,
): boolean =>
  delivery !== undefined &&
  delivery.attempts === 0 &&
  (lapsed.get(delivery.id) ?? delivery.lapses) < SUSPECT_LAPSES;

/** Promises about deliveries that go in one call. */
export const callRules: readonly Rule[] = [
  {
    name: "only what was never tried goes together, and no more than fits in a call",
    laws: "5, 8",
    see: (entry, { deliveries, subscriptions }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const lapsed = new Map(
        entry.type === "claimed" ? entry.lapsed.map(({ id, lapses }) => [id, lapses]) : [],
      );
      return firstOf(callsOf(entry.claims), (call): string | null => {
        const [{ subscriptionId, deliveryId }] = call;
        if (call.length === 1) return null;
        const { handlerType = "" } = subscriptions.get(subscriptionId) ?? {};
        const most = entry.type === "routed" ? 1 : (entry.perCall.get(handlerType) ?? 1);
        if (call.length > most) return `${call.length} go with ${deliveryId}, more than ${most}`;
        const isOther = (flown: Flown): boolean => flown.subscriptionId !== subscriptionId;
        if (call.some(isOther)) return `what goes with ${deliveryId} is of another subscription`;
        const tried = call.find(
          (flown) => !mayGoTogether(deliveries.get(flown.deliveryId), lapsed),
        );
        return tried === undefined ? null : `${tried.deliveryId} goes with others, and was tried`;
      });
    },
  },
  {
    name: "what is sent together was taken together",
    laws: "4",
    see: (entry, { deliveries, sends }) => {
      if (entry.type !== "sent" || entry.call === entry.send) return null;
      const first = sends.get(entry.call)?.flight;
      const flight = deliveries
        .get(entry.deliveryId)
        ?.flights.findLast(({ process }) => process === entry.process);
      const isSo =
        flight?.call != null && flight.call === first?.call && flight.token === first.token;
      return isSo ? null : `${entry.label} was sent with what it was not taken with`;
    },
  },
  {
    name: "a call passes a limit once, however many deliveries it has",
    laws: "7",
    see: (entry, { gates }) => {
      if (entry.type !== "claimed") return null;
      return firstOf(entry.tats, ([id, tat]) => {
        const own = gates.get(id)?.tat ?? 0;
        return tat > own
          ? `gate ${id} has no room for ${(tat - own) / 1_000} ms longer than its calls take`
          : null;
      });
    },
  },
  {
    name: "a call that is refused ends none of its deliveries",
    laws: "5",
    see: (entry, { deliveries }, { maxAgeMs }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change }) => {
        const delivery = deliveries.get(deliveryId);
        const together = delivery?.flight?.together ?? 1;
        if (change?.status !== "dead" || outcome !== "rejected" || together === 1) return null;
        const isOld = entry.at - (delivery?.createdAt ?? 0) > maxAgeMs;
        return isOld ? null : `${deliveryId} ended with ${together} that were refused together`;
      });
    },
  },
  {
    name: "each delivery of a call remembers how many went in it",
    laws: "4",
    see: (entry, { deliveries }) => {
      if (entry.type !== "recalled") return null;
      const flights = deliveries.get(entry.delivery.id)?.flights ?? [];
      return firstOf(entry.delivery.attemptLog, ({ token, together }) => {
        const flight = flights.find((one) => one.token === token);
        return flight === undefined || flight.together === together
          ? null
          : `${entry.delivery.id} went with ${flight.together} in its call, and remembers ${together}`;
      });
    },
  },
];
