import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Hit } from "../hit.ts";
import { fullestWindow, judgeLimit, type LimitEvidence } from "./judge.ts";

const LIMIT = { limit: 10, perMs: 1_000, burst: 10 };

const hit = (at: number, changes: Partial<Hit> = {}): Hit => ({
  path: "/limited",
  label: `${at}`,
  published: 0,
  by: "host-0",
  sent: at - 1,
  at,
  answered: at + 1,
  status: 200,
  ...changes,
});

/** A burst, and then one hit each tenth of a second. */
const regular = (until: number): readonly Hit[] => [
  ...Array.from({ length: LIMIT.burst }, () => hit(0)),
  ...Array.from({ length: until / 100 }, (_, index) => hit(100 * (index + 1))),
];

const evidence = (changes: Partial<LimitEvidence>): LimitEvidence => ({
  hits: regular(10_000),
  throttles: [],
  limit: LIMIT,
  seconds: 10,
  pauses: 0,
  retryAfterMs: 2_000,
  ...changes,
});

const brokenBy = (changes: Partial<LimitEvidence>): readonly string[] =>
  judgeLimit(evidence(changes)).broken;

describe("the judge of a limit", () => {
  it("finds nothing in a burst, and what the rate allows after it", () => {
    expect(brokenBy({})).toEqual([]);
  });

  it("allows what starts 250 ms late, and no more", () => {
    const extra = (count: number) => Array.from({ length: count }, () => hit(5_000));
    const rested = regular(10_000).filter(({ at }) => at < 2_000 || at > 4_900);
    expect(brokenBy({ hits: rested })).toEqual([]);
    const full = (count: number) => [hit(0), ...extra(count)];
    expect(brokenBy({ hits: full(12), seconds: 0 })).toEqual([]);
    expect(brokenBy({ hits: full(13), seconds: 0 })).toEqual([
      expect.stringContaining("13 hits in 0.0 ms"),
    ]);
  });

  it("finds a burst too many in any window, not only in whole seconds", () => {
    const hits = [...regular(10_000), ...Array.from({ length: 5 }, () => hit(5_950))];
    expect(brokenBy({ hits: hits.toSorted((a, b) => a.at - b.at) })).toHaveLength(1);
  });

  it("finds a rate that is a little too high only after a while", () => {
    const fast = Array.from({ length: 200 }, (_, index) => hit(90 * index));
    expect(brokenBy({ hits: fast.slice(0, 50), seconds: 5 })).toEqual([]);
    expect(brokenBy({ hits: fast, seconds: 18 })).toHaveLength(1);
  });

  it("widens the window by the spread of the time on the way, and not by its length", () => {
    const hits = (sent: (index: number) => number) =>
      Array.from({ length: 14 }, (_, index) => hit(5_000, { sent: sent(index) }));
    expect(brokenBy({ hits: hits(() => 4_000), seconds: 1 })).toHaveLength(1);
    expect(brokenBy({ hits: hits((index) => 4_800 + index), seconds: 1 })).toHaveLength(1);
    expect(brokenBy({ hits: hits((index) => 4_800 + 15 * index), seconds: 1 })).toEqual([]);
  });

  it("does not judge by too little", () => {
    expect(brokenBy({ hits: [hit(1), hit(2)] })).toEqual(["too few hits to judge by: 2"]);
    expect(brokenBy({ pauses: 1 })).toEqual(["too few pauses to judge by: 0"]);
  });

  const paused = (...later: readonly Hit[]): Partial<LimitEvidence> => ({
    hits: [...regular(10_000), hit(10_100, { status: 429 }), ...later],
    throttles: [{ at: 10_120, by: "host-0" }],
    pauses: 1,
  });

  it("allows after a 429 what was on its way, or taken before the pause was written", () => {
    const onItsWay = hit(10_110, { sent: 10_099, status: 429 });
    const taken = hit(10_380, { sent: 10_369, status: 429 });
    const { broken, figures } = judgeLimit(evidence(paused(onItsWay, taken, hit(12_102))));
    expect(broken).toEqual([]);
    expect(figures).toMatchObject({
      "on their way at the 429": 1,
      "taken before it was written": 1,
      "first after it was due (ms)": 1,
    });
  });

  it("finds a hit that began in the pause, and one that came a moment too early", () => {
    expect(brokenBy(paused(hit(10_500), hit(12_200)))).toEqual([
      "a hit 399 ms after a 429, 1601 ms before it was due",
    ]);
    expect(brokenBy(paused(hit(12_100)))).toEqual([
      "a hit 1999 ms after a 429, 1 ms before it was due",
    ]);
  });

  it("finds that a pause was never written", () => {
    expect(brokenBy({ ...paused(hit(10_200)), throttles: [] })).toHaveLength(1);
  });
});

describe("the fullest window", () => {
  it("is the same as by looking at every window", () => {
    const instants = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(instants, (unsorted) => {
        const hits = unsorted.toSorted((a, b) => a - b).map((at) => ({ at }));
        const rate = 0.01;
        const every = hits.flatMap(({ at: from }, index) =>
          hits.slice(index).map(({ at }, more) => more + 1 - rate * (at - from)),
        );
        expect(fullestWindow(hits, rate).beyond).toBeCloseTo(Math.max(...every), 6);
      }),
    );
  });
});
