/** What is remembered of a subscription while nothing arrives; a success forgets it. */
export interface Failing {
  /** When the first of the attempts failed (epoch milliseconds). */
  readonly since: number;
  /** How many have failed since, one after the other. */
  readonly attempts: number;
  /** It was told, so that it is told once. */
  readonly warned: boolean;
}

/** When a subscription is switched off: at so many failures in a row, but not before so long. */
export interface AutoDisable {
  readonly attempts: number;
  /** Milliseconds since the first of them. */
  readonly ms: number;
}

/**
 * A count alone would switch off a busy subscription in an outage of minutes; time alone one that
 * failed twice in a quiet week. Ironclad asks for both (100 attempts and 7 days), Outpost for 100
 * attempts, Svix and Prolific for 5 days of nothing but failures; Prolific warns at half of that.
 */
export const standardAutoDisable: AutoDisable = { attempts: 100, ms: 5 * 24 * 60 * 60 * 1_000 };

/** What a failure leaves, and what follows. */
export interface FailingChange {
  readonly failing: Failing;
  readonly consequence: "nothing" | "warn" | "disable";
}

/** One more attempt has failed, at `now` (epoch milliseconds). Pure. */
export function failedAgain(
  before: Failing | null,
  limit: AutoDisable | false,
  now: number,
): FailingChange {
  const failing: Failing = {
    since: before?.since ?? now,
    attempts: (before?.attempts ?? 0) + 1,
    warned: before?.warned ?? false,
  };
  if (limit === false) return { failing, consequence: "nothing" };
  const forMs = now - failing.since;
  if (failing.attempts >= limit.attempts && forMs >= limit.ms)
    return { failing, consequence: "disable" };
  const isHalfWay = failing.attempts * 2 >= limit.attempts && forMs * 2 >= limit.ms;
  if (failing.warned || !isHalfWay) return { failing, consequence: "nothing" };
  return { failing: { ...failing, warned: true }, consequence: "warn" };
}

/** For people: why it was switched off. */
export const failedFor = ({ attempts, since }: Failing): string =>
  `${attempts} attempts have failed since ${new Date(since).toISOString()}, and none succeeded. Repair the destination, then switch it on again: what waits is kept.`;
