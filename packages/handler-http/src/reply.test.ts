import { describe, expect, it } from "vitest";
import { retryAfterMs } from "./reply.ts";

const NOW = Date.UTC(2026, 0, 5, 12);

describe("a Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7_000],
    [" 7 ", 7_000],
    ["999999999999", 999_999_999_999_000],
    ["Mon, 05 Jan 2026 12:00:30 GMT", 30_000],
    ["Monday, 05-Jan-26 12:00:30 GMT", 30_000],
  ])("of %s is believed", (value, expected) => {
    expect(retryAfterMs(value, NOW)).toBe(expected);
  });

  it.each([
    [null],
    [""],
    ["-1"],
    ["+5"],
    ["1.5"],
    ["1e9"],
    ["abc"],
    ["5, 10"],
    ["9".repeat(13)],
    ["Mon, 05 Jan 2026 11:59:59 GMT"],
    ["2027-01-01"],
  ])("of %s is not", (value) => {
    expect(retryAfterMs(value, NOW)).toBeNull();
  });
});
