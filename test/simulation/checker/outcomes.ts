import { contradictions } from "../../crash/contradictions.ts";
import { wasStruck } from "./flights.ts";
import type { KnownDelivery, KnownSend, Ledger } from "./ledger.ts";
import {
  FREE_THROTTLES,
  firstOf,
  GRACE_MS,
  isAnswered,
  MAX_LAPSES,
  type Rule,
  type Terms,
} from "./rule.ts";

/** A bus waits for so long, after its handlers have ended, for what they did to be recorded. */
const LAST_SETTLES_MS = 1_000;

/** Why something was sent again although it had arrived; null if nobody is to blame. */
export function explained(
  { process, at, landed, handlerType }: KnownSend,
  again: number,
  ledger: Ledger,
  { timeouts }: Pick<Terms, "timeouts">,
): string | null {
  if (wasStruck(ledger, process, at, again)) return "its process was killed, paused or stopped";
  if (landed !== null && landed.outcome !== "delivered") return "its answer was lost";
  const deadline = at + (timeouts[handlerType] ?? 0);
  if ((landed?.at ?? again) >= deadline) return "its answer was late";
  // Without the time nothing is settled.
  const isLost = ledger.losses.some(
    (loss) =>
      loss.process === process &&
      (loss.method === "settle" || loss.method === "clock") &&
      loss.at >= at,
  );
  return isLost ? "the storage failed" : null;
}

/** What may have arrived is not sent again before then. */
const DOUBT_MS = 30_000;

/** What would be dead may wait in its place, until its owner switches on again. */
const keepsDead = (subscription: KnownDelivery["subscription"]): boolean =>
  subscription?.order === "stop_at_dead" || subscription?.orderIsOld === false;

/** Its process, which had to stop, asked for the time and was not told: it goes by what was the time. */
const isTimeless = (
  { losses, strikes }: Ledger,
  { process, at }: { readonly process: string; readonly at: number },
): boolean =>
  strikes.some((strike) => strike.what === "stop" && strike.process === process) &&
  losses.some((loss) => loss.process === process && loss.method === "clock" && loss.at >= at);

const isDoubtful = (landed: KnownSend["landed"]): boolean =>
  landed === null || landed.outcome === "unknown";

export const outcomeRules: readonly Rule[] = [
  {
    name: "what is called delivered has arrived",
    laws: "I4",
    see: (entry, { deliveries }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change, token }) => {
        if (change?.status !== "delivered" && outcome !== "delivered") return null;
        const sends = deliveries.get(deliveryId)?.sends ?? [];
        const hasArrived = sends.some(
          ({ flight, takenAt, landed }) =>
            flight?.token === token && takenAt !== null && landed?.outcome === "delivered",
        );
        return hasArrived ? null : `${deliveryId} is called delivered, and has not arrived`;
      });
    },
  },
  {
    name: "what is remembered fits what has arrived",
    laws: "I3, I4, I5, 4",
    see: (entry, { deliveries }) => {
      if (entry.type !== "recalled" || entry.delivery.status === "canceled") return null;
      const sends = deliveries.get(entry.delivery.id)?.sends ?? [];
      const arrivals = sends.map(({ takenAt }) => ({ status: takenAt === null ? 500 : 200 }));
      const [first] = contradictions(entry.delivery, arrivals);
      return first === undefined ? null : `${first}: ${JSON.stringify(entry.delivery)}`;
    },
  },
  {
    name: "a duplicate is somebody's fault",
    laws: "I11",
    see: (entry, ledger, terms) => {
      if (entry.type !== "sent") return null;
      const earlier = ledger.deliveries.get(entry.deliveryId)?.sends ?? [];
      return firstOf(earlier, (send) =>
        send.takenAt === null || explained(send, entry.at, ledger, terms) !== null
          ? null
          : `${entry.label} had arrived, and was sent again without a reason`,
      );
    },
  },
  {
    name: "what may have arrived is not sent again where doubt ends a delivery",
    laws: "I11, 5",
    see: (entry, { deliveries }, { abandons }) => {
      if (entry.type !== "sent" || !abandons) return null;
      const { sends = [], subscription } = deliveries.get(entry.deliveryId) ?? {};
      // Where a dead delivery keeps its place, its owner may let it be tried again.
      const mayGoAgain = ({ flight }: KnownSend): boolean =>
        keepsDead(subscription) &&
        (subscription?.switchedOnAt ?? 0) >= (flight?.overAt ?? Number.POSITIVE_INFINITY);
      return sends.some(
        (send) => (send.takenAt !== null || isDoubtful(send.landed)) && !mayGoAgain(send),
      )
        ? `${entry.label} was sent again, and may have arrived`
        : null;
    },
  },
  {
    name: "what has failed is not due before its delay is over",
    laws: "5, 21",
    see: (entry, ledger, { delaysMs, clockErrorMs }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change }) => {
        const delivery = ledger.deliveries.get(deliveryId);
        const { flight, subscription, attempts = 0, lapses, sends = [] } = delivery ?? {};
        const landed = sends.findLast((send) => send.flight === flight)?.landed;
        if (!flight || change === null || change.dueAt === null || landed?.outcome !== outcome)
          return null;
        const isFailure = outcome === "failed" || outcome === "unknown";
        if (!isFailure || change.lapses !== lapses || keepsDead(subscription)) return null;
        const leastMs = Math.max(delaysMs[attempts] ?? 0, outcome === "unknown" ? DOUBT_MS : 0);
        const waits = change.dueAt - landed.at + clockErrorMs;
        return waits < leastMs && !isTimeless(ledger, flight)
          ? `${deliveryId} is due ${waits} ms after it has failed ${attempts + 1} times`
          : null;
      });
    },
  },
  {
    name: "a delivery is sent no more often than it may be",
    laws: "I3, 5",
    see: (entry, { deliveries }, { maxAttempts }) => {
      if (entry.type !== "sent") return null;
      const delivery = deliveries.get(entry.deliveryId);
      if (delivery === undefined) return null;
      const { sends, throttles, subscription } = delivery;
      const most =
        maxAttempts +
        MAX_LAPSES +
        Math.min(throttles, FREE_THROTTLES) +
        (subscription?.order === "stop_at_dead" || subscription?.orderIsOld === false
          ? (subscription.switchedOn + 1) * MAX_LAPSES
          : 0);
      return sends.length + 1 > most ? `${entry.label} was sent ${sends.length + 1} times` : null;
    },
  },
  {
    name: "an attempt counts if the destination failed, and a throttle or a stop costs none",
    laws: "I3, 5, 9",
    see: (entry, { deliveries }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change }) => {
        const delivery = deliveries.get(deliveryId);
        if (change === null || delivery === undefined) return null;
        const send = delivery.sends.findLast(({ flight }) => flight === delivery.flight);
        const isFree = outcome === "throttled" && delivery.throttles < FREE_THROTTLES;
        if (change.counted && isFree) return `a throttle of ${deliveryId} cost an attempt`;
        const interrupted = send?.landed?.interrupted === true && !isAnswered(outcome);
        if (change.counted && interrupted) return `a stop cost ${deliveryId} an attempt`;
        const isLapse = change.lapses > delivery.lapses;
        if (isLapse && isAnswered(outcome))
          return `what ${deliveryId} was told (${outcome}) was not heard`;
        return change.counted || isFree || interrupted || isLapse
          ? null
          : `an attempt of ${deliveryId} (${outcome}) was not counted`;
      });
    },
  },
  {
    name: "a delivery dies only of a refusal, its last attempt, its age, its fifth lapse, or doubt",
    laws: "I1, 5, 18",
    see: (entry, { deliveries }, terms) => {
      const { maxAttempts, maxAgeMs, longestDelayMs, clockErrorMs, abandons } = terms;
      if (entry.type === "found") {
        return firstOf(entry.deliveries, ({ id, status }) => {
          const delivery = deliveries.get(id);
          if (delivery === undefined) return null;
          const isGone = delivery.subscription?.deleted === true;
          if (status === "canceled") {
            return isGone || entry.by === "cancel" || entry.by === "delete"
              ? null
              : `${id} was canceled by nobody`;
          }
          const age = entry.now - delivery.createdAt;
          return age + clockErrorMs < maxAgeMs ? `${id} expired at the age of ${age} ms` : null;
        });
      }
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ deliveryId, outcome, change }) => {
        const delivery = deliveries.get(deliveryId);
        if (change === null || delivery === undefined) return null;
        if (change.status === "canceled") {
          return delivery.subscription?.deleted ? null : `${deliveryId} was canceled by nobody`;
        }
        if (change.status !== "dead" || outcome === "rejected" || outcome === "gone") return null;
        if (abandons && outcome === "unknown") return null;
        const attempts = delivery.attempts + (change.counted ? 1 : 0);
        const waitMs = outcome === "throttled" ? 900_000 : longestDelayMs;
        const isOld = entry.at + waitMs - delivery.createdAt > maxAgeMs;
        return attempts >= maxAttempts || change.lapses >= MAX_LAPSES || isOld
          ? null
          : `${deliveryId} died after ${attempts} attempts`;
      });
    },
  },
  {
    name: "a bus stops in time, and takes nothing once it was asked to",
    laws: "6",
    see: (entry, { strikes }) => {
      if (entry.type === "claimed" && entry.claims.length > 0) {
        const asked = strikes.find(
          ({ what, process }) => what === "stop" && process === entry.process,
        );
        return asked !== undefined && entry.sentAt > asked.at
          ? `${entry.process} asked for deliveries after it was asked to stop`
          : null;
      }
      if (entry.type !== "stopped") return null;
      const { askedAt, at, deadlineMs, process } = entry;
      const tookMs = at - askedAt;
      const stoodStill = strikes.some(
        (strike) =>
          strike.process === process && strike.what === "pause" && strike.until >= askedAt,
      );
      return tookMs > deadlineMs + GRACE_MS + LAST_SETTLES_MS && !stoodStill
        ? `${process} took ${tookMs} ms to stop within ${deadlineMs} ms`
        : null;
    },
  },
];
