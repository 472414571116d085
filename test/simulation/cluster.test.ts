import { describe, expect, it } from "vitest";
import { play } from "./cluster.ts";
import { drawPlan, faults, faultsIn, type Plan, type Strike, upTo, without } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { STARTS_AT } from "./world.ts";

describe("a cluster", () => {
  it("lives the same life for the same seed, and another one for another", async () => {
    const [first, again, other] = [
      await play(drawPlan(11)),
      await play(drawPlan(11)),
      await play(drawPlan(12)),
    ];
    expect(first.broken).toBe(null);
    expect(again.fingerprint).toBe(first.fingerprint);
    expect(other.fingerprint).not.toBe(first.fingerprint);
  });

  it("delivers all there is, once, where nothing goes wrong", async () => {
    const calm = faults.reduce(without, drawPlan(11));
    const { broken, figures } = await play(calm);
    expect(broken).toBe(null);
    expect(figures).toMatchObject({ crashes: 0, lapses: 0, duplicates: 0 });
    expect(figures.sends).toBe(figures.deliveries);
    expect(figures.sends).toBeGreaterThan(0);
  });
});

describe("a plan", () => {
  it("has in it what it was drawn with, and less where something is left out", () => {
    const plan = drawPlan(3);
    const [first] = faultsIn(plan);
    if (first === undefined) throw new Error("Seed 3 draws no fault at all.");
    expect(faultsIn(without(plan, first))).toEqual(faultsIn(plan).slice(1));
    const early = upTo(plan, 1_000);
    expect(early.publishes.every(({ at }) => at <= 1_000)).toBe(true);
  });

  it("that breaks something shrinks to the faults that break it, and the time they need", async () => {
    const calm = await play(faults.reduce(without, drawPlan(11)));
    const broken = { rule: "every delivery ends", laws: "I1", what: "made up", at: STARTS_AT };
    const plan = { ...drawPlan(11), strikes: [strike("kill", 9_000), strike("pause", 20_000)] };
    const replay = async (smaller: Plan) => ({
      ...calm,
      broken: faultsIn(smaller).includes("kill") ? broken : null,
    });
    const { faults: least, plan: shrunk } = await shrink(plan, await replay(plan), replay);
    expect(least).toEqual(["kill"]);
    expect(shrunk.chaosMs).toBeGreaterThanOrEqual(9_000);
    expect(shrunk.chaosMs).toBeLessThan(10_000);
  });
});

const strike = (fault: "kill" | "pause", at: number): Strike => ({
  fault,
  at,
  process: 0,
  ms: 1_000,
  equipment: {},
});
