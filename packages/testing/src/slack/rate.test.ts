import { expect, test } from "vitest";
import { createBuckets } from "./rate.ts";

const rate = { capacity: 2, refillPerSecond: 1 };

test("lets a burst through and then one per refill", () => {
  const buckets = createBuckets();
  const take = (now: number) => buckets.take([{ key: "a", rate }], now);
  expect([take(0), take(0), take(0)]).toEqual([0, 0, 1_000]);
  expect(take(400)).toBeCloseTo(600);
  expect([take(1_000), take(1_000)]).toEqual([0, 1_000]);
});

test("never holds more than its capacity", () => {
  const buckets = createBuckets();
  const take = (now: number) => buckets.take([{ key: "a", rate }], now);
  take(0);
  expect([take(60_000), take(60_000), take(60_000)]).toEqual([0, 0, 1_000]);
});

test("takes from all buckets or from none", () => {
  const buckets = createBuckets();
  const slow = { capacity: 1, refillPerSecond: 0.5 };
  const both = [
    { key: "a", rate },
    { key: "b", rate: slow },
  ];
  expect(buckets.take(both, 0)).toBe(0);
  expect(buckets.take(both, 0)).toBe(2_000);
  expect(buckets.take([{ key: "a", rate }], 0)).toBe(0);
});

test("a clock that goes back refills nothing", () => {
  const buckets = createBuckets();
  const take = (now: number) => buckets.take([{ key: "a", rate }], now);
  expect([take(5_000), take(5_000), take(0), take(5_000)]).toEqual([0, 0, 1_000, 1_000]);
});
