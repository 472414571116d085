import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AutoDisable, type Failing, failedAgain, standardAutoDisable } from "./failing.ts";

const T = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Fails at each of these instants, one after the other. */
function play(
  instants: readonly number[],
  limit: AutoDisable | false = standardAutoDisable,
): { readonly failing: Failing | null; readonly told: readonly string[] } {
  const told: string[] = [];
  let failing: Failing | null = null;
  for (const [index, now] of instants.entries()) {
    const after = failedAgain(failing, limit, now);
    failing = after.failing;
    if (after.consequence !== "nothing") told.push(`${after.consequence} at ${index + 1}`);
    if (after.consequence === "disable") break;
  }
  return { failing, told };
}

const every = (gapMs: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => T + index * gapMs);

describe("a subscription to which nothing arrives", () => {
  it("is told of once at half of both measures, and switched off at both", () => {
    const gapMs = (5 * DAY) / 120;
    expect(play(every(gapMs, 200)).told).toEqual(["warn at 61", "disable at 121"]);
  });

  it("stays on in an outage of minutes, however many attempts it spends", () => {
    expect(play(every(1, 100_000)).told).toEqual([]);
  });

  it("stays on after a few failures, however far apart", () => {
    expect(play(every(7 * DAY, 49)).told).toEqual([]);
    expect(play(every(7 * DAY, 100)).told).toEqual(["warn at 50", "disable at 100"]);
  });

  it("is counted, and never told of, where nothing is to be switched off", () => {
    const { failing, told } = play(every(HOUR, 1_000), false);
    expect(told).toEqual([]);
    expect(failing).toEqual({ since: T, attempts: 1_000, warned: false });
  });

  it("is switched off exactly when both measures are full, after one warning", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 60 }),
        fc.record({
          attempts: fc.integer({ min: 1, max: 30 }),
          ms: fc.integer({ min: 0, max: 400 }),
        }),
        (gaps, limit) => {
          let now = T;
          const instants = gaps.map((gap) => {
            now += gap;
            return now;
          });
          const since = instants[0] ?? T;
          const reached = (share: number): number =>
            instants.findIndex(
              (at, index) =>
                (index + 1) * share >= limit.attempts && (at - since) * share >= limit.ms,
            );
          const [warnedAt, offAt] = [reached(2), reached(1)];
          const expected = [
            ...(warnedAt >= 0 && warnedAt !== offAt ? [`warn at ${warnedAt + 1}`] : []),
            ...(offAt >= 0 ? [`disable at ${offAt + 1}`] : []),
          ];
          expect(play(instants, limit).told).toEqual(expected);
        },
      ),
    );
  });
});
