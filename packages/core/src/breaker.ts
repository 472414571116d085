/**
 * What a gate remembers of failures. Null while it has nothing to remember: most gates, most of
 * the time, and then no success needs to touch them.
 *
 * ```
 *          failure             10 failures in a row, or 70 % of 10
 * (null) ──────────▶ watching ─────────────────────────────────────▶ open ◀──┐
 *   ▲                   │                                            │   │   │ a probe fails:
 *   │◀── a success ─────┘                                            │   └───┘ open for longer
 *   │    once the window is over                                     │
 *   └────────────── six successes, each letting twice as many out ◀──┘
 * ```
 */
export type BreakerState = Watching | Open;

/** Closed, but something has failed lately: everything passes and is counted. */
export interface Watching {
  readonly state: "watching";
  /** Failures since the last success. */
  readonly inARow: number;
  /** When the window began (epoch milliseconds): with a failure. */
  readonly since: number;
  /** Attempts seen in the window. */
  readonly seen: number;
  /** How many of them failed. */
  readonly failed: number;
}

/** Nothing passes until `until`, and then only a few at a time. */
export interface Open {
  readonly state: "open";
  /** Epoch milliseconds. */
  readonly until: number;
  /** How often it has opened since it was last closed. */
  readonly times: number;
  /** How many probes may be out at once, from `until` on. */
  readonly width: number;
  /** How many are. */
  readonly out: number;
  /** From this instant on (epoch milliseconds) those that are out count no longer. */
  readonly outUntil: number;
}

/** What one attempt says about a gate that it passed. */
export type Verdict = "success" | "failure" | "neutral";

/** A gate opens at so many failures in a row. */
const MOST_FAILURES_IN_A_ROW = 10;
/** It opens too when so many were seen in one window, and so many of a hundred failed. */
const FEWEST_SEEN = 10;
const MOST_FAILED_OF_100 = 70;
const WINDOW_MS = 5 * 60_000;
const SHORTEST_OPEN_MS = 30_000;
const LONGEST_OPEN_MS = 15 * 60_000;
/** The largest part of that time which chance may take away. */
const OPEN_JITTER = 0.2;
/** A success that would let so many out at once closes the gate. */
const WIDEST = 64;
/** A probe of which nothing was heard for so long no longer keeps others from going. */
const PROBE_LEASE_MS = 60_000;
/** While as many probes are out as may be, the gate is asked again so often. */
const PROBE_LOOK_MS = 1_000;

/**
 * How many of `wanted` the breaker lets pass at `now` (epoch milliseconds).
 *
 * The circuit breaker of Nygard, "Release It!" (2007), with a slow start behind its half-open
 * state: a destination that comes back after an hour would not survive an hour's backlog at once.
 */
export function admitted(breaker: BreakerState | null, now: number, wanted: number): number {
  if (breaker?.state !== "open") return wanted;
  if (breaker.until > now) return 0;
  return Math.min(wanted, Math.max(0, breaker.width - outAt(breaker, now)));
}

/** The breaker after `count` passed at `now`: as many more probes are out, if it was open. */
export function probed<State extends BreakerState | null>(
  breaker: State,
  now: number,
  count: number,
): State {
  if (breaker?.state !== "open" || count === 0) return breaker;
  return { ...breaker, out: outAt(breaker, now) + count, outUntil: now + PROBE_LEASE_MS };
}

/** The instant (epoch milliseconds, at least `now`) at which it is worth asking again. */
export function asksAgainAt(breaker: BreakerState | null, now: number): number {
  if (breaker?.state !== "open") return now;
  if (breaker.until > now) return breaker.until;
  if (admitted(breaker, now, 1) === 1) return now;
  return Math.min(breaker.outUntil, now + PROBE_LOOK_MS);
}

/**
 * The breaker after one attempt that passed it in its present regime; `random` is in [0, 1).
 * A neutral attempt says nothing about the destination, but if it was a probe, it is back.
 */
export function judged(
  breaker: BreakerState | null,
  verdict: Verdict,
  now: number,
  random: number,
): BreakerState | null {
  if (breaker?.state === "open") {
    if (verdict === "failure") return opened(breaker.times + 1, now, random);
    const back = { ...breaker, out: Math.max(0, outAt(breaker, now) - 1) };
    if (verdict === "neutral") return back.out === breaker.out ? breaker : back;
    return back.width * 2 >= WIDEST ? null : { ...back, width: back.width * 2 };
  }
  if (verdict === "failure") return opensOrWatches(breaker, now, random);
  if (verdict === "neutral" || breaker === null) return breaker;
  return isOver(breaker, now) ? null : { ...breaker, inARow: 0, seen: breaker.seen + 1 };
}

function opensOrWatches(before: Watching | null, now: number, random: number): BreakerState {
  const window =
    before === null || isOver(before, now) ? { since: now, seen: 0, failed: 0 } : before;
  const inARow = (before?.inARow ?? 0) + 1;
  const seen = window.seen + 1;
  const failed = window.failed + 1;
  const isBad = seen >= FEWEST_SEEN && failed * 100 >= MOST_FAILED_OF_100 * seen;
  if (inARow >= MOST_FAILURES_IN_A_ROW || isBad) return opened(1, now, random);
  return { state: "watching", inARow, since: window.since, seen, failed };
}

/** Chance only shortens: nobody waits longer than `LONGEST_OPEN_MS` for the next probe. */
function opened(times: number, now: number, random: number): Open {
  const ms = Math.min(LONGEST_OPEN_MS, SHORTEST_OPEN_MS * 2 ** (times - 1));
  const until = now + Math.ceil(ms * (1 - OPEN_JITTER * random));
  return { state: "open", until, times, width: 1, out: 0, outUntil: 0 };
}

const outAt = ({ out, outUntil }: Open, now: number): number => (outUntil > now ? out : 0);

/** A window that begins in the future is one of a clock that went back. */
const isOver = ({ since }: Watching, now: number): boolean =>
  now >= since + WINDOW_MS || now < since;
