import { type Delivery, lapse, type Next } from "./delivery.ts";
import type { Outcome } from "./handler.ts";
import type { SubscriptionStatus } from "./subscription.ts";
import { LONGEST_RETRY_AFTER_MS, pauseMs, SHORTEST_PAUSE_MS } from "./throttle.ts";

/** What follows where nobody knows whether it has arrived. */
export type Doubt = "retry" | "abandon";

/** When to try again after a failure, and when to stop. */
export interface RetryPolicy {
  /**
   * Milliseconds between attempts: there is one attempt more than there are delays. None at all
   * (`[]`) means one attempt.
   */
  readonly delaysMs: readonly number[];
  /** Each delay is multiplied by a random factor in [1 - jitter, 1 + jitter). */
  readonly jitter: number;
  /** A delivery older than this many milliseconds is not tried again. */
  readonly maxAgeMs: number;
  /**
   * What follows where nobody knows whether it has arrived: an outcome `unknown`, or a flight that
   * ended without one. `retry`: it is tried again, and may arrive twice. `abandon`: the delivery
   * ends, and may never have arrived. Default `retry`. Where a customer has a word in it, the
   * handler reports it with the outcome (`unknown(…, { doubt })`), and it counts instead.
   */
  readonly unknown?: Doubt | undefined;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * The schedule that Standard Webhooks 1.0 recommends ("Deliverability and reliability"): ten
 * attempts over about 75 hours. The age limit ends what throttles and outages hold back for longer.
 */
export const standardRetry: RetryPolicy = {
  delaysMs: [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
  ],
  jitter: 0.2,
  maxAgeMs: 7 * 24 * HOUR,
};

/** A destination may throttle a delivery this often before throttles count as attempts. */
export const FREE_THROTTLES = 20;
/** For how long a gate that is no use is closed at first: a repaired one waits no longer. */
const GONE_PAUSE_MS = MINUTE;
/** Time for a request that may have been received to show its effect before it is repeated. */
const SHORTEST_DELAY_AFTER_UNKNOWN_MS = 30 * SECOND;

/** What follows from one outcome. */
export interface Decision {
  readonly next: Next;
  /** Does the attempt count against the schedule? */
  readonly counted: boolean;
  /** Close this gate (by its name) until then, for every lane. */
  readonly pause: {
    readonly gate: string;
    readonly until: number;
    /** What the destination asked for, in milliseconds: the gate may know that it asks often. */
    readonly askedMs: number;
  } | null;
  /** Switch the subscription off, for this reason. */
  readonly disable: string | null;
  /** What the outcome says about the destination; null if nothing. */
  readonly standing: { readonly status: SubscriptionStatus; readonly detail: string | null } | null;
}

/**
 * The whole retry policy: what follows from one outcome, at `now` (epoch milliseconds), with a
 * `random` number in [0, 1) drawn once per settlement. It may be the outcome of a call that `together`
 * deliveries went in. Pure.
 */
export function decide(
  outcome: Outcome,
  delivery: Pick<Delivery, "attempts" | "throttles" | "createdAt">,
  policy: RetryPolicy,
  now: number,
  random: number,
  together = 1,
): Decision {
  const attempts = delivery.attempts + 1;
  const detail = outcome.type === "delivered" ? (outcome.warning ?? null) : explain(outcome);
  const decision = (next: Next, more: Partial<Decision> = {}): Decision => ({
    next,
    counted: true,
    pause: null,
    disable: null,
    standing: { status: next.status === "waiting" ? "warning" : "error", detail },
    ...more,
  });
  const again = (dueAt: number, reason: string, more: Partial<Decision> = {}): Decision => {
    const spent = more.counted === false ? {} : { attempts };
    if (dueAt - delivery.createdAt > policy.maxAgeMs) {
      return decision({ status: "dead", reason: `expired: ${reason}`, ...spent }, more);
    }
    return decision({ status: "waiting", dueAt: Math.ceil(dueAt), reason, ...spent }, more);
  };
  const retry = (reason: string, atLeastMs: number): Decision => {
    const delay = policy.delaysMs[attempts - 1];
    if (delay === undefined) return decision({ status: "dead", reason, attempts });
    const jittered = delay * (1 + policy.jitter * (random * 2 - 1));
    return again(now + Math.max(jittered, atLeastMs), reason);
  };

  switch (outcome.type) {
    case "delivered":
      return decision(
        { status: "delivered", attempts },
        { standing: { status: outcome.warning === undefined ? "ok" : "warning", detail } },
      );
    case "failed":
      return retry(outcome.reason, clamp(outcome.retryAfterMs ?? 0, 0, LONGEST_RETRY_AFTER_MS));
    case "unknown":
      if (isAbandoned(outcome, policy)) {
        return decision({ status: "dead", reason: `${ABANDONED}: ${outcome.reason}`, attempts });
      }
      return retry(outcome.reason, SHORTEST_DELAY_AFTER_UNKNOWN_MS);
    case "throttled": {
      const throttles = delivery.throttles + 1;
      const counted = throttles > FREE_THROTTLES;
      const askedMs = clamp(outcome.retryAfterMs, SHORTEST_PAUSE_MS, LONGEST_RETRY_AFTER_MS);
      const until = Math.ceil(now + pauseMs(askedMs, throttles));
      const pause = outcome.gate === undefined ? null : { gate: outcome.gate, until, askedMs };
      if (counted && policy.delaysMs[attempts - 1] === undefined) {
        return decision({ status: "dead", reason: outcome.reason, attempts, throttles }, { pause });
      }
      const decided = again(until, outcome.reason, { counted, pause, standing: null });
      return { ...decided, next: { ...decided.next, throttles } };
    }
    case "rejected":
      if (together > 1) return again(now, refusedTogether(outcome.reason, together));
      return decision(
        { status: "dead", reason: outcome.reason, attempts },
        { standing: { status: "warning", detail } },
      );
    case "gone": {
      const { gate, reason } = outcome;
      const until = now + GONE_PAUSE_MS;
      const pause = gate === undefined ? null : { gate, until, askedMs: GONE_PAUSE_MS };
      return decision({ status: "dead", reason, attempts }, { disable: detail, pause });
    }
  }
}

/** Does this outcome end a delivery because it may have arrived? */
export const isAbandoned = (outcome: Outcome, policy: Pick<RetryPolicy, "unknown">): boolean =>
  outcome.type === "unknown" && (outcome.doubt ?? policy.unknown) === "abandon";

/**
 * What follows from a flight that ended without an outcome. Whether its handler was called is known
 * to nobody: the process may have died before, in the middle, or after the destination had it. Pure.
 */
export function afterLapse(
  delivery: Pick<Delivery, "lapses">,
  policy: RetryPolicy,
  now: number,
): Next {
  if (policy.unknown !== "abandon") return lapse(delivery, now);
  const reason = `${ABANDONED}: the flight ended without an outcome`;
  return { status: "dead", lapses: delivery.lapses + 1, reason };
}

const ABANDONED = "abandoned, for it may have arrived";

/** A reason with its remedy, as one text for people. */
const explain = ({ reason, remedy }: { reason: string; remedy?: string | undefined }): string =>
  remedy === undefined ? reason : `${reason.replace(/\.$/, "")}. ${remedy}`;

/** Which of them it was for, nobody knows: each finds out for itself. */
const refusedTogether = (reason: string, together: number): string =>
  `refused in one call with ${together - 1} ${together === 2 ? "other" : "others"}: ${reason}`;

/** Not-a-number counts as the least. */
const clamp = (value: number, least: number, most: number): number =>
  value >= least ? Math.min(value, most) : least;
