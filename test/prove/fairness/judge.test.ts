import { describe, expect, it } from "vitest";
import type { Hit } from "../hit.ts";
import { type FairnessEvidence, judgeFairness } from "./judge.ts";

const SAMPLES = 100;

const hit = (label: string, published: number, at: number, path = "/quiet"): Hit => ({
  path,
  label,
  published,
  by: "deliverer",
  sent: at,
  at,
  answered: at,
  status: 200,
});

const phase = (name: string, from: number, tookMs: (sample: number) => number): readonly Hit[] =>
  Array.from({ length: SAMPLES }, (_, sample) => {
    const published = from + 10 * sample;
    return hit(`${name} ${sample}`, published, published + tookMs(sample));
  });
const loud = (from: number, count: number, everyMs: number): readonly Hit[] =>
  Array.from({ length: count }, (_, index) =>
    hit(`blast ${index}`, 0, from + index * everyMs, "/loud"),
  );

const idle = phase("idle", 0, () => 5);
const busy = phase("busy", 10_000, () => 9);

const evidence = (changes: Partial<FairnessEvidence>): FairnessEvidence => ({
  hits: [...idle, ...busy, ...loud(10_000, 500, 2)],
  samples: SAMPLES,
  blast: { path: "/loud", published: 5_000 },
  concurrency: 10,
  timed: true,
  ...changes,
});

const brokenBy = (changes: Partial<FairnessEvidence>): readonly string[] =>
  judgeFairness(evidence(changes)).broken;

describe("the judge of fairness", () => {
  it("finds nothing where others take at most twice as long", () => {
    expect(brokenBy({})).toEqual([]);
  });

  it("finds events that never arrived", () => {
    const hits = evidence({}).hits.filter(({ label }) => label !== "busy 3");
    expect(brokenBy({ hits })).toEqual(["lost in phase busy: 1"]);
  });

  it("counts an event once, by its first hit", () => {
    const { hits } = evidence({});
    expect(brokenBy({ hits: [...hits, hit("busy 3", 10_030, 19_000)] })).toEqual([]);
  });

  it("finds one event that far too many deliveries have overtaken", () => {
    const late = phase("busy", 10_000, (sample) => (sample === 50 ? 62 : 9));
    const hits = [...idle, ...late, ...loud(10_000, 500, 2)];
    expect(brokenBy({ hits, timed: false })).toEqual([
      "31 deliveries of one organization while an event of another waited",
    ]);
  });

  it("finds a p99 of more than twice the idle one, if it is to judge times", () => {
    const hits = [...idle, ...phase("busy", 10_000, () => 11), ...loud(10_000, 500, 2)];
    expect(brokenBy({ hits })).toEqual(["p99 2.20 times that of an idle bus"]);
    expect(brokenBy({ hits, timed: false })).toEqual([]);
  });

  it("does not judge by a blast that left nothing waiting", () => {
    expect(brokenBy({ blast: { path: "/loud", published: 505 } })).toEqual([
      "too little of a blast to judge by: 5 waited",
    ]);
  });
});
