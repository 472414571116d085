import { describe, expect, it } from "vitest";
import { outcomeOf } from "./reply.ts";

const NOW = Date.UTC(2026, 0, 5, 12);

/** For how long a receiver that is not available has asked to wait; null if it has not. */
function waitMs(retryAfter: string | null): number | null {
  const answer = { excerpt: null, body: new Uint8Array(), durationMs: 1 };
  const outcome = outcomeOf({ ...answer, status: 503, retryAfter }, NOW);
  return outcome.type === "throttled" ? outcome.retryAfterMs : null;
}

describe("H16: a Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7_000],
    [" 7 ", 7_000],
    ["999999999999", 999_999_999_999_000],
    ["Mon, 05 Jan 2026 12:00:30 GMT", 30_000],
    ["Monday, 05-Jan-26 12:00:30 GMT", 30_000],
  ])("of %s is believed", (value, expected) => {
    expect(waitMs(value)).toBe(expected);
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
    expect(waitMs(value)).toBeNull();
  });
});
