import { describe, expect, it } from "vitest";
import { isPosthornError, issuesError, PosthornError } from "./errors.ts";

describe("a PosthornError", () => {
  it("is known by its brand, across copies of the package, and by its code", () => {
    const error = new PosthornError("not_found", "There is none.");
    const foreign = Object.assign(new Error("no"), { isPosthornError: true, code: "conflict" });
    expect(isPosthornError(error)).toBe(true);
    expect(isPosthornError(error, "not_found")).toBe(true);
    expect(isPosthornError(error, "conflict")).toBe(false);
    expect(isPosthornError(foreign, "conflict")).toBe(true);
  });

  it.each([undefined, null, "not_found", 5, {}, new Error("no"), { isPosthornError: 1 }])(
    "is not %s",
    (other) => {
      expect(isPosthornError(other)).toBe(false);
    },
  );

  it("has a cause only if it was given one", () => {
    expect(new PosthornError("conflict", "no")).not.toHaveProperty("cause");
    const cause = new Error("why");
    expect(new PosthornError("conflict", "no", { cause }).cause).toBe(cause);
    expect(new PosthornError("conflict", "no").issues).toEqual([]);
  });

  it("of issues lists each with its place", () => {
    const issues = [
      { path: [], message: "is empty", code: "empty" },
      { path: ["eventTypes", 1], message: "is given twice", code: "duplicate" },
    ] as const;
    const error = issuesError("invalid_subscription", "Invalid subscription", issues);
    expect(error).toMatchObject({ code: "invalid_subscription", issues });
    expect(error.message).toBe("Invalid subscription: is empty; eventTypes.1: is given twice");
  });
});
