import fc from "fast-check";
import leven from "leven";
import { describe, expect, it } from "vitest";
import { closest } from "./suggest.ts";

const letters = fc.string({ unit: fc.constantFrom("a", "b", "_"), maxLength: 12 });

describe("closest", () => {
  it.each([
    ["slakc", "slack"],
    ["htpt", "http"],
    ["email", null],
    ["", null],
  ])("of %j among slack and http is %j", (word, expected) => {
    expect(closest(word, ["slack", "http"])).toBe(expected);
  });

  it("is null among nothing", () => {
    expect(closest("slack", [])).toBeNull();
  });

  it("is never further than two edits, or a quarter of the word, and nothing is nearer", () => {
    fc.assert(
      fc.property(letters, fc.array(letters, { maxLength: 6 }), (word, candidates) => {
        const found = closest(word, candidates);
        const distances = candidates.map((candidate) => leven(word, candidate));
        const least = Math.min(...distances);
        const allowed = Math.max(2, Math.floor(word.length / 4));
        expect(found === null).toBe(least > allowed);
        if (found !== null) expect(leven(word, found)).toBe(least);
      }),
    );
  });

  it("does not spend time on a word of a megabyte", () => {
    const began = performance.now();
    const candidates = Array.from({ length: 200 }, (_, index) => `project_created_${index}`);
    expect(closest("x".repeat(1_000_000), candidates)).toBeNull();
    expect(performance.now() - began).toBeLessThan(500);
  });
});
