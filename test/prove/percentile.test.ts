import { describe, expect, it } from "vitest";
import { percentile } from "./percentile.ts";

const upTo = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => count - index);

describe("a percentile", () => {
  it("is the sample at its rank, whatever the order of the samples", () => {
    expect(percentile(upTo(1_000), 0.99)).toMatchObject({ value: 990, samples: 1_000 });
    expect(percentile([7], 0.99)).toMatchObject({ value: 7, least: 7, most: 7 });
  });

  it("lies between ranks that its count of samples gives", () => {
    const { least, most } = percentile(upTo(1_000), 0.99);
    expect([least, most]).toEqual([984, 997]);
  });

  it("is better known the more samples there are", () => {
    const spread = (count: number): number => {
      const { least, most } = percentile(upTo(count), 0.99);
      return (most - least) / count;
    };
    expect(spread(10_000)).toBeLessThan(spread(100) / 5);
  });
});
