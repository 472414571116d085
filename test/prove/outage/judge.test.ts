import { describe, expect, it } from "vitest";
import type { Hit } from "../hit.ts";
import { judgeOutage, type OutageEvidence, rampOf, slopeOf } from "./judge.ts";

const SAMPLES = 50;
const MB = 2 ** 20;
const RETURNED = 100_000;

const hit = (at: number, status: number, changes: Partial<Hit> = {}): Hit => ({
  path: "/dead",
  label: `${at}`,
  published: 0,
  by: "deliverer",
  sent: at,
  at,
  answered: at + 20,
  status,
  ...changes,
});
const refused = (...instants: readonly number[]): readonly Hit[] =>
  instants.map((at) => hit(at, 503));
const phase = (name: string, tookMs: number): readonly Hit[] =>
  Array.from({ length: SAMPLES }, (_, sample) =>
    hit(sample + tookMs, 200, { path: "/quiet", label: `${name} ${sample}`, published: sample }),
  );
/** Waves of requests, each when the last one has been answered. */
const waves = (...sizes: readonly number[]): readonly Hit[] =>
  sizes.flatMap((size, wave) =>
    Array.from({ length: size }, () => hit(RETURNED + 1_000 * wave, 200)),
  );

const quiet = [...phase("idle", 5), ...phase("dead", 8), ...phase("drain", 9)];
const begun = refused(...Array.from({ length: 25 }, () => 0));
const probes = refused(30_000, 90_000);

const evidence = (
  {
    own = [...begun, ...probes, ...waves(1, 2, 8, 25, 25)],
    others = quiet,
  }: { readonly own?: readonly Hit[]; readonly others?: readonly Hit[] } = {},
  changes: Partial<OutageEvidence> = {},
): OutageEvidence => ({
  hits: [...own, ...others],
  path: "/dead",
  waiting: 1_000,
  left: 900,
  from: 10_000,
  until: RETURNED,
  weights: [-3, -2, -1, 0, 1, 2, 3].map((index) => ({
    at: 10_000 + 2_000 * index + 28_000 * Math.max(0, index),
    by: "deliverer",
    rss: 120 * MB,
    heap: 20 * MB,
  })),
  samples: SAMPLES,
  perLane: 25,
  timed: true,
  ...changes,
});

const brokenBy = (...given: Parameters<typeof evidence>): readonly string[] =>
  judgeOutage(evidence(...given)).broken;

describe("the judge of an outage", () => {
  it("finds nothing where a breaker opens, probes, and lets more out with each success", () => {
    expect(brokenBy()).toEqual([]);
    expect(judgeOutage(evidence()).figures["at once, after each success"]).toBe(
      "1, 2, 0, 8, 0, 0, 25",
    );
  });

  it("finds that a dead destination is asked again and again", () => {
    const again = refused(...Array.from({ length: 100 }, (_, index) => 1_000 * index));
    expect(brokenBy({ own: [...again, ...waves(1, 2)] })).toEqual([
      "100 hits while it was dead, of 39 that the breaker allows",
    ]);
  });

  it("finds more at once after its return than the successes allow", () => {
    expect(brokenBy({ own: [...begun, ...waves(2)] })).toEqual([
      "hit 2 after its return: 2 at once, of 1",
    ]);
    expect(brokenBy({ own: [...begun, ...waves(1, 3)] })).toEqual([
      "hit 4 after its return: 3 at once, of 2",
    ]);
    expect(brokenBy({ own: [...begun, ...waves(1, 2, 8, 26)] })).toEqual([
      "hit 37 after its return: 26 at once, of 25",
    ]);
  });

  it("finds that nothing came after its return", () => {
    expect(brokenBy({ own: begun })).toEqual(["nothing was delivered after its return"]);
    expect(brokenBy({}, { left: 1_001 })).toEqual([
      "more waited after the drain than before: 1001",
    ]);
  });

  it("finds too much memory, and a heap that grows", () => {
    const weights = (rss: number, growth: number) =>
      evidence().weights.map((weight, index) => ({
        ...weight,
        rss: weight.at < 10_000 ? weight.rss : rss * MB,
        heap: weight.heap + Math.max(0, index - 3) * growth * MB,
      }));
    expect(brokenBy({}, { weights: weights(160, 0) })).toEqual([]);
    expect(brokenBy({}, { weights: weights(161, 0) })).toEqual([
      "161 MB of memory, and 120 MB before",
    ]);
    expect(brokenBy({}, { weights: weights(100, 2) })).toEqual(["the heap grew by 6.0 MB"]);
    expect(brokenBy({}, { weights: [] })).toContain("too few weights to judge by: 0 and 0");
  });

  it("finds that others lost something, or waited for it", () => {
    expect(brokenBy({ others: quiet.slice(1) })).toEqual(["lost in phase idle: 1"]);
    const slow = [...phase("idle", 5), ...phase("dead", 11), ...phase("drain", 9)];
    expect(brokenBy({ others: slow })).toEqual(["p99 of others 2.20 times that of an idle bus"]);
    expect(brokenBy({ others: slow }, { timed: false })).toEqual([]);
  });
});

describe("a ramp", () => {
  it("tells how many are out, and how many have been answered, at each arrival", () => {
    const hits = [
      { at: 0, answered: 20 },
      { at: 30, answered: 50 },
      { at: 31, answered: 60 },
      { at: 55, answered: 80 },
    ];
    expect(rampOf(hits).map(({ outstanding, successes }) => [outstanding, successes])).toEqual([
      [1, 0],
      [1, 1],
      [2, 1],
      [2, 2],
    ]);
  });
});

describe("a slope", () => {
  it("is that of the line nearest to all points", () => {
    expect(slopeOf([0, 1, 2, 3].map((x) => [x, 5 + 2 * x]))).toBeCloseTo(2);
    expect(slopeOf([[1, 4]])).toBe(0);
  });
});
