import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atPace, FIRST_PACE, type Pace, paced, type Step } from "./pace.ts";

const MOST = 5_000;
const ms = fc.double({ min: 0, max: 2_000, noNaN: true });
const steps = fc.array(
  fc.record({ tookMs: ms, filled: fc.double({ min: 0, max: 1, noNaN: true }) }),
);
const after = (all: readonly Step[], pace: Pace = FIRST_PACE): Pace => all.reduce(paced, pace);

/** Takes full steps, of which each takes `fixedMs` and so much for each of what it does. */
function run(count: number, fixedMs: number, eachMs: number, pace = FIRST_PACE) {
  const taken: { readonly size: number; readonly tookMs: number }[] = [];
  for (let step = 0; step < count; step += 1) {
    const size = atPace(pace, MOST);
    const tookMs = fixedMs + size * eachMs;
    taken.push({ size, tookMs });
    pace = paced(pace, { tookMs, filled: 1 });
  }
  return { pace, taken };
}

describe("the pace of steps", () => {
  it("is at least a sixteenth of the most, and at most all of it", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: MOST }), (all, most) => {
        const size = atPace(after(all), most);
        expect(size).toBeGreaterThanOrEqual(Math.ceil(most / 16));
        expect(size).toBeLessThanOrEqual(most);
      }),
    );
  });

  it("grows to all there is where steps are short", () => {
    expect(run(16, 1, 0.001).taken.at(-1)?.size).toBe(MOST);
  });

  it("lets steps of no size last beyond 50 ms, nor all of them end long before 25", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 8, noNaN: true }),
        fc.double({ min: 0.0001, max: 0.03, noNaN: true }),
        (fixedMs, eachMs) => {
          const { taken } = run(100, fixedMs, eachMs);
          for (const { tookMs } of taken) expect(tookMs).toBeLessThanOrEqual(50);
          const late = taken.slice(50);
          const isAll = late.every(({ size }) => size === MOST);
          expect(isAll || late.some(({ tookMs }) => tookMs >= 12)).toBe(true);
        },
      ),
    );
  });

  it("halves after a step that was much too long, until they are not", () => {
    const { pace } = run(16, 1, 0.001);
    const { taken } = run(4, 1, 0.1, pace);
    expect(taken.map(({ size }) => size)).toEqual([5_000, 2_500, 1_250, 625]);
  });

  it("recovers within sixteen steps", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const slow = { ...after(all), leastMs: 0 };
        expect(run(16, 1, 0.001, slow).pace.parts).toBe(16);
      }),
    );
  });

  it("does not shrink for what every step takes, however little it does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 500 }), (fixedMs) => {
        const { taken } = run(200, fixedMs, 0.001);
        expect(taken.at(-1)?.size).toBe(MOST);
      }),
    );
  });

  it("asks for no more after a step that found less than it could take", () => {
    fc.assert(
      fc.property(
        steps,
        ms,
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (all, tookMs, filled) => {
          const pace = after(all);
          expect(paced(pace, { tookMs, filled }).parts).toBeLessThanOrEqual(pace.parts);
        },
      ),
    );
  });
});
