import { describe, expect, it } from "vitest";
import { isSuspect, lapse, MAX_LAPSES, SUSPECT_LAPSES } from "./delivery.ts";

describe("a flight that ends without an outcome", () => {
  it("spends no attempt, and makes the delivery due again, until the fifth", () => {
    const ends = [0, 1, 2, 3, 4].map((lapses) => lapse({ lapses }, 1_000));
    expect(ends.slice(0, 4)).toEqual(
      [1, 2, 3, 4].map((lapses) => ({ status: "waiting", lapses, dueAt: 1_000 })),
    );
    expect(ends[4]).toEqual({
      status: "dead",
      lapses: MAX_LAPSES,
      reason: expect.stringContaining("5 flights ended without an outcome"),
    });
  });

  it("makes it suspect from the second time on", () => {
    expect([0, 1, 2, 3, 4].map((lapses) => isSuspect({ lapses }))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(SUSPECT_LAPSES).toBe(2);
  });
});
