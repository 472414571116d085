import { describe, expect, it } from "vitest";
import { isIdempotencyKey } from "./idempotency.ts";
import { organizationProblem } from "./organization.ts";

describe("an organization's id", () => {
  it.each(["a", "acme", "0", "__proto__", "a:b", " a ", "ÄÖÜ 🐎", "x".repeat(256), "null"])(
    "may be %j",
    (id) => {
      expect(organizationProblem(id)).toBeNull();
    },
  );

  it.each([
    [undefined, "must be a string"],
    [null, "must be a string"],
    [0, "must be a string"],
    [{}, "must be a string"],
    ["", "must not be empty"],
    ["x".repeat(257), "must have at most 256 characters"],
    ["a\u0000", "must not contain control characters or lone surrogates"],
    ["a\n", "must not contain control characters or lone surrogates"],
    ["a\ud800", "must not contain control characters or lone surrogates"],
  ])("may not be %j", (id, problem) => {
    expect(organizationProblem(id)).toBe(problem);
  });
});

describe("an idempotency key", () => {
  it.each(["a", " ", "~", "550e8400-e29b-41d4-a716-446655440000", "x".repeat(255)])(
    "may be %j",
    (key) => {
      expect(isIdempotencyKey(key)).toBe(true);
    },
  );

  it.each([undefined, null, 5, "", "x".repeat(256), "ä", "a\n", "a\u0000", "\u007f", "🐎"])(
    "may not be %j",
    (key) => {
      expect(isIdempotencyKey(key)).toBe(false);
    },
  );
});
