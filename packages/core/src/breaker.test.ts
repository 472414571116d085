import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admitted,
  asksAgainAt,
  type BreakerState,
  judged,
  type Open,
  probed,
  type Verdict,
} from "./breaker.ts";

const T = Date.UTC(2026, 0, 1);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const MOST_FAILURES_IN_A_ROW = 10;
const FEWEST_SEEN = 10;
const WINDOW_MS = 5 * MINUTE;
const SHORTEST_OPEN_MS = 30 * SECOND;
const LONGEST_OPEN_MS = 15 * MINUTE;
const OPEN_JITTER = 0.2;
const WIDEST = 64;
const PROBE_LEASE_MS = MINUTE;
const PROBE_LOOK_MS = SECOND;

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const verdict = fc.constantFrom<Verdict>("success", "failure", "neutral");

/** Plays verdicts one after the other, `gapMs` apart, with the least of chance. */
function play(
  verdicts: readonly Verdict[],
  { from = null, gapMs = 1, at = T }: { from?: BreakerState | null; gapMs?: number; at?: number },
): BreakerState | null {
  return verdicts.reduce(
    (breaker, verdict, index) => judged(breaker, verdict, at + index * gapMs, 0),
    from,
  );
}

const times = (count: number, verdict: Verdict): Verdict[] => Array(count).fill(verdict);

function open(given: Partial<Open> = {}): Open {
  return { state: "open", until: T, times: 1, width: 1, out: 0, outUntil: 0, ...given };
}

describe("a closed breaker", () => {
  it("remembers nothing of successes, and lets everything through", () => {
    expect(play(times(50, "success"), {})).toBeNull();
    expect(play(times(50, "neutral"), {})).toBeNull();
    expect(admitted(null, T, 1_000)).toBe(1_000);
    expect(admitted(play(["failure"], {}), T, 1_000)).toBe(1_000);
    expect(asksAgainAt(play(["failure"], {}), T)).toBe(T);
  });

  it("opens at ten failures in a row, however far apart, and not at nine", () => {
    const gapMs = 24 * 60 * 60 * SECOND;
    const nine = times(MOST_FAILURES_IN_A_ROW - 1, "failure");
    expect(play(nine, { gapMs })?.state).toBe("watching");
    expect(play([...nine, "failure"], { gapMs })?.state).toBe("open");
  });

  it("counts from the start after a success", () => {
    const nine = times(MOST_FAILURES_IN_A_ROW - 1, "failure");
    const gapMs = WINDOW_MS;
    expect(play([...nine, "success", ...nine], { gapMs })?.state).toBe("watching");
  });

  it("does not count what says nothing about the destination", () => {
    const nine = times(MOST_FAILURES_IN_A_ROW - 1, "failure");
    expect(play([...nine, ...times(99, "neutral")], {})).toEqual(play(nine, {}));
  });

  it("opens when 70 % of at least ten in five minutes failed", () => {
    const mixed: Verdict[] = ["failure", "failure", "success", "failure", "failure", "success"];
    expect(play([...mixed, "success", "failure", "failure"], {})?.state).toBe("watching");
    expect(play([...mixed, "success", "failure", "failure", "failure"], {})?.state).toBe("open");
    expect(play([...mixed, "success", "success", "failure", "failure"], {})?.state).toBe(
      "watching",
    );
  });

  it("does not open for what failed in windows that are over", () => {
    const mixed: Verdict[] = ["failure", "failure", "success", "failure", "failure", "success"];
    const before = play([...mixed, "success", "failure", "failure"], {});
    expect(judged(before, "failure", T + WINDOW_MS, 0)).toMatchObject({
      state: "watching",
      since: T + WINDOW_MS,
      seen: 1,
    });
  });

  it("forgets a failure at the first success after its window", () => {
    const one = play(["failure"], {});
    expect(judged(one, "success", T + WINDOW_MS - 1, 0)).toMatchObject({ inARow: 0, seen: 2 });
    expect(judged(one, "success", T + WINDOW_MS, 0)).toBeNull();
  });

  it("begins a new window when the clock goes back", () => {
    expect(judged(play(["failure"], {}), "failure", T - 1, 0)).toMatchObject({ since: T - 1 });
  });

  it("never opens as long as less than 70 % fail, and no ten in a row", () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 200 }), fc.nat(WINDOW_MS), (verdicts, gapMs) => {
        let breaker: BreakerState | null = null;
        const seen: Verdict[] = [];
        for (const [index, verdict] of verdicts.entries()) {
          breaker = judged(breaker, verdict, T + index * gapMs, 0);
          if (verdict !== "neutral") seen.push(verdict);
          if (breaker?.state !== "open") continue;
          const inARow = seen.slice(-MOST_FAILURES_IN_A_ROW);
          const isRow = inARow.length === MOST_FAILURES_IN_A_ROW && !inARow.includes("success");
          const isShare = seen.some((_, from) => {
            const window = seen.slice(from);
            const failed = window.filter((each) => each === "failure").length;
            return window.length >= FEWEST_SEEN && failed * 10 >= window.length * 7;
          });
          expect(isRow || isShare).toBe(true);
          return;
        }
      }),
    );
  });
});

describe("an open breaker", () => {
  it("lets nothing through until its time is over, and says when that is", () => {
    const breaker = open({ until: T + 30 * SECOND });
    for (const now of [T, T + 30 * SECOND - 1]) {
      expect(admitted(breaker, now, 9)).toBe(0);
      expect(asksAgainAt(breaker, now)).toBe(T + 30 * SECOND);
    }
    expect(admitted(breaker, T + 30 * SECOND, 9)).toBe(1);
    expect(asksAgainAt(breaker, T + 30 * SECOND)).toBe(T + 30 * SECOND);
  });

  it("has one probe out at once, and is asked again every second meanwhile", () => {
    const breaker = probed(open(), T, 1);
    expect(admitted(breaker, T, 9)).toBe(0);
    expect(asksAgainAt(breaker, T)).toBe(T + PROBE_LOOK_MS);
    expect(asksAgainAt(breaker, T + PROBE_LEASE_MS - 1)).toBe(T + PROBE_LEASE_MS);
  });

  it("does not wait for ever for a probe that is lost", () => {
    const breaker = probed(open(), T, 1);
    expect(admitted(breaker, T + PROBE_LEASE_MS - 1, 9)).toBe(0);
    expect(admitted(breaker, T + PROBE_LEASE_MS, 9)).toBe(1);
    expect(probed(breaker, T + PROBE_LEASE_MS, 1).out).toBe(1);
  });

  it("lets twice as many out with each success, and closes at the sixth", () => {
    let breaker: BreakerState | null = open();
    const rooms: number[] = [];
    while (breaker !== null) {
      rooms.push(admitted(breaker, T, 1_000));
      breaker = judged(probed(breaker, T, 1), "success", T, 0);
    }
    expect(rooms).toEqual([1, 2, 4, 8, 16, 32]);
  });

  it("takes a probe back that says nothing, and sends another", () => {
    const breaker = probed(open(), T, 1);
    const back = judged(breaker, "neutral", T, 0);
    expect(back).toMatchObject({ state: "open", width: 1, out: 0 });
    expect(admitted(back, T, 9)).toBe(1);
  });

  it("opens for twice as long when a probe fails, up to a quarter of an hour", () => {
    const lengths: number[] = [];
    let breaker: BreakerState | null = play(times(10, "failure"), { gapMs: 0 });
    for (let probe = 0; probe < 8; probe += 1) {
      const { until } = breaker as Open;
      const since = (lengths.length === 0 ? T : (lengths.at(-1) as number)) as number;
      lengths.push(until);
      expect(until - since).toBe(Math.min(SHORTEST_OPEN_MS * 2 ** probe, LONGEST_OPEN_MS));
      breaker = judged(probed(breaker, until, 1), "failure", until, 0);
    }
  });

  it("opens ever longer, until the longest, whatever chance says", () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 2, maxLength: 20 }), (chances) => {
        let breaker: BreakerState | null = null;
        let now = T;
        let previous = 0;
        for (const chance of chances) {
          const before: BreakerState = breaker ?? (play(times(9, "failure"), {}) as BreakerState);
          breaker = judged(before, "failure", now, chance) as Open;
          const length = breaker.until - now;
          expect(Number.isSafeInteger(length)).toBe(true);
          expect(length).toBeGreaterThanOrEqual(
            Math.min(previous, LONGEST_OPEN_MS * (1 - OPEN_JITTER)),
          );
          expect(length).toBeLessThanOrEqual(LONGEST_OPEN_MS);
          previous = length;
          now = breaker.until;
        }
      }),
    );
  });

  const step = fc.record({
    waitMs: fc.oneof(fc.nat(2 * SECOND), fc.nat(2 * PROBE_LEASE_MS)),
    wanted: fc.nat(100),
    returns: fc.array(fc.constantFrom<Verdict>("success", "success", "neutral", "failure"), {
      maxLength: 8,
    }),
    random,
  });

  it("never has more out than it is wide, and is always worth asking when it says", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = T;
        let breaker: BreakerState | null = open();
        let out: number[] = [];
        for (const { waitMs, wanted, returns, random } of steps) {
          now += waitMs;
          if (breaker?.state !== "open") return;
          const count = admitted(breaker, now, wanted);
          const width = breaker.width;
          breaker = probed(breaker, now, count);
          out = [...out, ...Array<number>(count).fill(now)];
          const alive = out.filter((since) => since + PROBE_LEASE_MS > now);
          if (count > 0) expect(alive.length).toBeLessThanOrEqual(width);
          expect(breaker?.width).toBeLessThan(WIDEST);
          const again: number = asksAgainAt(breaker, now);
          expect(again).toBeGreaterThanOrEqual(now);
          expect(again - now).toBeLessThanOrEqual(LONGEST_OPEN_MS);
          for (const verdict of returns.slice(0, alive.length)) {
            if (breaker?.state !== "open") break;
            alive.pop();
            const { until }: Open = breaker;
            breaker = judged(breaker, verdict, now, random);
            if (breaker?.state === "open" && breaker.until !== until) alive.length = 0;
          }
          out = alive;
        }
      }),
    );
  });

  it("closes in the end, whatever happened, once nothing but successes comes back", () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 100 }), random, (verdicts, random) => {
        let breaker = verdicts.reduce<BreakerState | null>(
          (before, verdict, index) => judged(before, verdict, T + index, random),
          null,
        );
        let now = T + verdicts.length;
        for (let successes = 0; breaker !== null && successes < 7; successes += 1) {
          now = Math.max(now + WINDOW_MS, asksAgainAt(breaker, now));
          expect(admitted(breaker, now, 1)).toBe(1);
          breaker = judged(probed(breaker, now, 1), "success", now, random);
        }
        expect(breaker).toBeNull();
      }),
    );
  });
});
