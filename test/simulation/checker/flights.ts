import type { Claimed, Flown } from "../log.ts";
import { callsOf, type KnownDelivery, type KnownSubscription, type Ledger } from "./ledger.ts";
import {
  firstOf,
  GRACE_MS,
  MAX_LAPSES,
  type Rule,
  START_WITHIN_MS,
  SUSPECT_LAPSES,
} from "./rule.ts";

/** Can the process that asks deliver what is in the lane now? */
const isServed = (
  subscription: KnownSubscription,
  { handlerTypes, keyIds }: Pick<Claimed, "handlerTypes" | "keyIds">,
): boolean =>
  handlerTypes.includes(subscription.handlerType) &&
  (subscription.keyId === null || keyIds.includes(subscription.keyId));

/** Nothing can hold it up: no gate, no order, no suspicion, and it is due. */
const isFreeToGo = (
  { status, flight, dueAt, lapses, subscription }: KnownDelivery,
  entry: Claimed,
): boolean =>
  status === "pending" &&
  flight === null &&
  dueAt !== null &&
  dueAt <= entry.now &&
  lapses < SUSPECT_LAPSES &&
  subscription !== undefined &&
  subscription.order === "none" &&
  subscription.orderIsOld &&
  subscription.gates.length === 0 &&
  subscription.enabled &&
  !subscription.deleted &&
  isServed(subscription, entry);

/** Organizations whose turn may have gone to a lane whose gates refuse; what an order holds may be due. */
const mayBeRefused = (entry: Claimed, ledger: Ledger): ReadonlySet<string | undefined> =>
  new Set(
    [...ledger.deliveries.values()]
      .filter(
        ({ status, flight, dueAt, subscription }) =>
          status === "pending" &&
          flight === null &&
          (dueAt === null || dueAt <= entry.now) &&
          subscription?.gates.length !== 0,
      )
      .map(({ subscription }) => subscription?.organization),
  );

function remaining(entry: Claimed, ledger: Ledger): readonly KnownDelivery[] {
  const taken = new Set(entry.claims.map(({ deliveryId }) => deliveryId));
  const lapsed = new Set(entry.lapsed.map(({ id }) => id));
  return [...ledger.deliveries.values()].filter(
    (delivery) =>
      isFreeToGo(delivery, entry) && !taken.has(delivery.id) && !lapsed.has(delivery.id),
  );
}

const counts = <Key>(keys: Iterable<Key>): Map<Key, number> => {
  const found = new Map<Key, number>();
  for (const key of keys) found.set(key, (found.get(key) ?? 0) + 1);
  return found;
};

const mayBegin = (flown: Flown, ledger: Ledger, lapsed: readonly string[]): string | null => {
  const delivery = ledger.deliveries.get(flown.deliveryId);
  if (delivery === undefined) return null;
  if (delivery.status !== "pending") return `delivery ${delivery.id} was taken after it had ended`;
  if (delivery.flight !== null && !lapsed.includes(delivery.id)) {
    return `delivery ${delivery.id} was taken while it was in flight`;
  }
  return null;
};

export const flightRules: readonly Rule[] = [
  {
    name: "a delivery is in one flight at a time, and in none once it has ended",
    laws: "I5, I8, 4",
    see: (entry, ledger) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const lapsed = entry.type === "claimed" ? entry.lapsed.map(({ id }) => id) : [];
      return firstOf(entry.claims, (flown) => mayBegin(flown, ledger, lapsed));
    },
  },
  {
    name: "only the flight that is on is settled, and what ended stays ended",
    laws: "I5, 4",
    see: (entry, { deliveries }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, token, result }) => {
        const delivery = deliveries.get(deliveryId);
        if (delivery === undefined || delivery.forgotten) return null;
        const isOn = delivery.flight?.token === token;
        if (isOn && result !== "settled") return `the flight of ${deliveryId} was not settled`;
        if (!isOn && result === "settled")
          return `a flight of ${deliveryId} that was over was settled`;
        const flight = delivery.flights.find((one) => one.token === token);
        const isRepeat = flight?.over === "settled";
        if (result === "late" && isRepeat) return `a repeat for ${deliveryId} was taken for late`;
        return result === "repeated" && !isRepeat
          ? `${deliveryId} was said to be settled, and was not`
          : null;
      });
    },
  },
  {
    name: "a delivery is remembered as it was",
    laws: "4, 5, 9",
    see: (entry, { deliveries }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const lapsed = new Map(
        entry.type === "claimed" ? entry.lapsed.map(({ id, lapses }) => [id, lapses]) : [],
      );
      return firstOf(entry.claims, ({ deliveryId, attempts, throttles, lapses }) => {
        const known = deliveries.get(deliveryId);
        if (known === undefined) return null;
        const given = [attempts, throttles, lapses].join(" ");
        const own = [known.attempts, known.throttles, lapsed.get(deliveryId) ?? known.lapses];
        return given === own.join(" ")
          ? null
          : `${deliveryId} has ${own.join(", ")} attempts, throttles and lapses, and was handed out with ${given}`;
      });
    },
  },
  {
    name: "a flight whose lease is over ends, and no other does",
    laws: "I1, I5, 1, 21",
    see: (entry, { inFlight, deliveries }, { clockErrorMs }) => {
      if (entry.type !== "claimed") return null;
      const lapsed = new Set(entry.lapsed.map(({ id }) => id));
      return (
        firstOf(inFlight, ({ deliveryId, leaseUntil }) =>
          leaseUntil <= entry.now && !lapsed.has(deliveryId)
            ? `the lease of ${deliveryId} was over, and nobody ended its flight`
            : null,
        ) ??
        firstOf(lapsed, (id) => {
          const flight = deliveries.get(id)?.flight;
          if (!flight) return `${id} lapsed without a flight`;
          return flight.leaseUntil > entry.at + clockErrorMs
            ? `the flight of ${id} was ended ${flight.leaseUntil - entry.at} ms too early`
            : null;
        })
      );
    },
  },
  {
    name: "a flight without an outcome counts as a lapse, and the fifth ends the delivery, or the first where doubt does",
    laws: "I3, 5",
    see: (entry, { deliveries }, { abandons }) => {
      if (entry.type !== "claimed") return null;
      return firstOf(entry.lapsed, ({ id, lapses, status, disabled }) => {
        const known = deliveries.get(id);
        if (known === undefined) return null;
        if (lapses !== known.lapses + 1) return `a lapse of ${id} was not counted`;
        const isLast = lapses >= MAX_LAPSES || abandons;
        const isOver = status === "dead" || (status === "pending" && disabled);
        return isLast === isOver ? null : `${id} is ${status} after ${lapses} lapses`;
      });
    },
  },
  {
    name: "a lapse is somebody's fault",
    laws: "6",
    see: (entry, ledger) => {
      if (entry.type !== "claimed") return null;
      return firstOf(entry.lapsed, ({ id }) => {
        const flight = ledger.deliveries.get(id)?.flight;
        if (!flight || wasStruck(ledger, flight.process, flight.at - 5_000, entry.at)) return null;
        const isLost = ledger.losses.some(
          ({ process, at }) => process === flight.process && at >= flight.at,
        );
        return isLost ? null : `the flight of ${id} lapsed though nothing had happened`;
      });
    },
  },
  {
    name: "what has lapsed twice flies alone",
    laws: "5",
    see: (entry, { deliveries, sends }, { timeouts }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      if (entry.claims.length === 0) return null;
      const isAlone = entry.type === "claimed" && entry.alone && entry.claims.length === 1;
      const suspect = entry.claims.find(
        ({ deliveryId, lapses }) => deliveries.has(deliveryId) && lapses >= SUSPECT_LAPSES,
      );
      if (suspect !== undefined && !isAlone) {
        return `${suspect.deliveryId} has lapsed twice, and was not taken alone`;
      }
      const running = [...sends.values()].find(
        (send) =>
          send.process === entry.process &&
          send.landed === null &&
          entry.sentAt < send.at + (timeouts[send.handlerType] ?? 0) &&
          (isAlone || send.flight?.alone === true),
      );
      if (running === undefined) return null;
      return `${running.deliveryId} was on its way when something was taken that goes alone, or beside it`;
    },
  },
  {
    name: "nothing is taken for which there is no room",
    laws: "6",
    see: (entry) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const { claims, slots, process } = entry;
      const calls = callsOf(claims).map(([first]) => first);
      if (calls.length > slots) return `${process} had ${slots} slots and took ${calls.length}`;
      if (entry.type === "routed") return null;
      const { perLane, inFlight } = entry;
      return firstOf(
        counts(calls.map(({ subscriptionId }) => subscriptionId)),
        ([subscription, taken]) =>
          taken + (inFlight.get(subscription) ?? 0) > perLane
            ? `${process} took ${taken} of ${subscription}, more than ${perLane} in all`
            : null,
      );
    },
  },
  {
    name: "a process takes only what it can deliver, and nothing that is switched off",
    laws: "6, 18",
    see: (entry, { subscriptions }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      return firstOf(entry.claims, ({ subscriptionId, deliveryId }) => {
        const subscription = subscriptions.get(subscriptionId);
        if (subscription === undefined) return `${deliveryId} is of no subscription`;
        if (subscription.deleted) return `${deliveryId} was taken, and its subscription deleted`;
        if (!subscription.enabled) {
          return `${deliveryId} was taken, and its subscription switched off`;
        }
        return isServed(subscription, entry) ? null : `${entry.process} cannot serve ${deliveryId}`;
      });
    },
  },
  {
    name: "a handler begins only with enough lease, and in time",
    laws: "I8, 6, 7",
    see: (entry, { deliveries }, { timeouts, clockErrorMs }) => {
      if (entry.type !== "sent") return null;
      const delivery = deliveries.get(entry.deliveryId);
      const flight = delivery?.flights.findLast(({ process }) => process === entry.process);
      if (flight === undefined) return `${entry.label} was sent without a flight`;
      const left = flight.leaseUntil - entry.at + clockErrorMs;
      const needs = (timeouts[entry.handlerType] ?? 0) + GRACE_MS;
      if (left < needs) return `${entry.label} began with ${left} ms of its lease left`;
      const late = flight.startBy === null ? 0 : entry.at - flight.startBy;
      return late > clockErrorMs
        ? `${entry.label} began ${late + START_WITHIN_MS} ms after a limit let it through`
        : null;
    },
  },
  {
    name: "no delivery is sent while an earlier send of it is running",
    laws: "I8",
    see: (entry, ledger, { timeouts }) => {
      if (entry.type !== "sent") return null;
      const earlier = ledger.deliveries.get(entry.deliveryId)?.sends ?? [];
      const running = earlier.find(
        (send) =>
          send.landed === null &&
          entry.at < send.at + (timeouts[send.handlerType] ?? 0) &&
          !wasStruck(ledger, send.process, send.at, entry.at),
      );
      return running === undefined
        ? null
        : `${entry.label} was sent by ${entry.process} while ${running.process} was sending it`;
    },
  },
  {
    name: "a claim says when to come again, and leaves nothing that is free to go",
    laws: "2, 3, 6, 22",
    see: (entry, ledger) => {
      if (entry.type !== "claimed" || entry.alone || entry.now < ledger.latestNow) return null;
      const nextDueAt = entry.nextDueAt ?? Number.POSITIVE_INFINITY;
      const left = remaining(entry, ledger);
      const [first] = left;
      if (first !== undefined && nextDueAt > entry.now) {
        return `${first.id} was due and left, and the next claim is not due at once`;
      }
      const [later] =
        nextDueAt <= entry.now ? [] : remaining({ ...entry, now: nextDueAt - 1 }, ledger);
      if (later !== undefined && later.dueAt !== null) {
        return `${later.id} is due at ${later.dueAt}, and nobody comes before ${nextDueAt}`;
      }
      return firstOf(ledger.inFlight, ({ deliveryId, leaseUntil }) =>
        leaseUntil > entry.now && leaseUntil < nextDueAt
          ? `the lease of ${deliveryId} ends before anybody comes`
          : null,
      );
    },
  },
  {
    name: "no organization has a second lane while another that is due has none",
    laws: "I10, 11",
    see: (entry, ledger, { perOrganization }) => {
      if (entry.type !== "claimed" || entry.alone || perOrganization !== null) return null;
      if (entry.now < ledger.latestNow) return null;
      const lanes = new Map(
        entry.claims.map(({ subscriptionId }) => [
          subscriptionId,
          ledger.subscriptions.get(subscriptionId)?.organization,
        ]),
      );
      const greedy = [...counts(lanes.values())].find(([, count]) => count > 1);
      if (greedy === undefined) return null;
      const served = new Set(lanes.values());
      const refused = mayBeRefused(entry, ledger);
      const hungry = remaining(entry, ledger).find(
        ({ subscription }) =>
          !served.has(subscription?.organization) &&
          !refused.has(subscription?.organization) &&
          (entry.inFlight.get(subscription?.id ?? "") ?? 0) < entry.perLane,
      );
      return hungry === undefined
        ? null
        : `${greedy[0]} has ${greedy[1]} lanes, and ${hungry.subscription?.organization} none`;
    },
  },
  {
    name: "processes agree on the time",
    laws: "21",
    see: (entry, _ledger, { clockErrorMs }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const ahead = entry.now - entry.sentAt;
      return Math.abs(ahead) > clockErrorMs
        ? `${entry.process} is ${ahead} ms ahead of the storage`
        : null;
    },
  },
];

/** Was anything done to a process between two instants, by which it could not go on? */
export const wasStruck = (
  { strikes }: Pick<Ledger, "strikes">,
  process: string,
  from: number,
  to: number,
): boolean =>
  strikes.some(
    (strike) =>
      strike.process === process &&
      strike.at <= to &&
      (strike.what === "kill" || strike.what === "stop" || strike.until >= from),
  );
