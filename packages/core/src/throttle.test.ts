import { describe, expect, it } from "vitest";
import { pauseMs } from "./throttle.ts";

const MINUTE = 60_000;

describe("a pause", () => {
  it.each([
    [1_000, 1, 1_000],
    [1_000, 2, 2_000],
    [1_000, 5, 16_000],
    [1_000, 11, 15 * MINUTE],
    [1_000, 2_000, 15 * MINUTE],
    [30 * MINUTE, 1, 30 * MINUTE],
    [30 * MINUTE, 9, 30 * MINUTE],
  ])("of %d ms, asked for the %dth time in a row, takes %d ms", (askedMs, times, expected) => {
    expect(pauseMs(askedMs, times)).toBe(expected);
  });
});
