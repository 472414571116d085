/** A token bucket: how many requests may come at once, and how many more each second. */
export interface Rate {
  readonly capacity: number;
  readonly refillPerSecond: number;
}

/** One message per second and channel (documented), after a burst of 25 (measured by third parties). */
export const CHANNEL_RATE: Rate = { capacity: 25, refillPerSecond: 1 };
/** "Several hundred messages per minute" for an app in a workspace (documented without a number). */
export const TEAM_RATE: Rate = { capacity: 100, refillPerSecond: 5 };
/** Other methods: auth.test allows hundreds a minute, conversations.info is of tier 3 (documented). */
export const METHOD_RATES: Readonly<Record<string, Rate>> = {
  "auth.test": { capacity: 600, refillPerSecond: 10 },
  "conversations.info": { capacity: 50, refillPerSecond: 50 / 60 },
};

/** The buckets of one fake: time comes in with every call, so that it may be virtual. */
export interface Buckets {
  /**
   * Takes one token from every bucket named, or from none. Returns 0 if all had one, else the
   * milliseconds until all will have.
   */
  take(wanted: readonly { key: string; rate: Rate }[], now: number): number;
}

/** Creates empty bookkeeping: every bucket starts full. */
export function createBuckets(): Buckets {
  const levels = new Map<string, { tokens: number; at: number }>();

  function level(key: string, rate: Rate, now: number): { tokens: number; at: number } {
    const last = levels.get(key) ?? { tokens: rate.capacity, at: now };
    const elapsedMs = Math.max(0, now - last.at);
    const tokens = Math.min(
      rate.capacity,
      last.tokens + (elapsedMs / 1_000) * rate.refillPerSecond,
    );
    return { tokens, at: Math.max(now, last.at) };
  }

  return {
    take(wanted, now) {
      const found = wanted.map(({ key, rate }) => ({ key, rate, ...level(key, rate, now) }));
      // A hair of tolerance, or 1 s of refill in two halves would miss a whole token by rounding.
      const waits = found.map(({ tokens, rate }) =>
        tokens >= 1 - 1e-9 ? 0 : ((1 - tokens) / rate.refillPerSecond) * 1_000,
      );
      const waitMs = Math.max(0, ...waits);
      const spent = waitMs === 0 ? 1 : 0;
      for (const { key, tokens, at } of found) levels.set(key, { tokens: tokens - spent, at });
      return waitMs;
    },
  };
}
