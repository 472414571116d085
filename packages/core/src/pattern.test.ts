import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { operationalEventTypes } from "./catalog.ts";
import { matches, patternProblem } from "./pattern.ts";

const word = fc.stringMatching(/^[a-c0-1]{1,3}$/);
const separator = fc.constantFrom("_", ".", "-");
const name = fc
  .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 4 }))
  .map(([first, rest]) => first + rest.flat().join(""));
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 8 });
const pattern = fc.oneof(
  name,
  fc.constant("*"),
  fc.tuple(name, separator).map(([start, end]) => `${start}${end}*`),
  fc.tuple(names, fc.nat()).map(([all, pick]) => `${all[pick % all.length]?.slice(0, 3)}*`),
  fc.string({ maxLength: 12 }),
);

/** The rule again, as a regular expression. */
function naive(pattern: string, type: string): boolean {
  const escaped = pattern.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\\\*$/, "[^]*")}$`).test(type);
}

/** Every pattern that a catalog of these names accepts. */
function accepted(names: readonly string[]): ReadonlySet<string> {
  const starts = names.flatMap((name) =>
    Array.from(name.matchAll(/[_.-]/g), ({ index }) => `${name.slice(0, index + 1)}*`),
  );
  return new Set([...names, ...starts, "*"]);
}

describe("a pattern", () => {
  it.each([
    ["project_created", "project_created", true],
    ["project_created", "project_created_twice", false],
    ["project_*", "project_created", true],
    ["project_*", "project_", true],
    ["project_*", "project", false],
    ["project_*", "projects_created", false],
    ["invoice.*", "invoice.line.added", true],
    ["*", "anything", true],
    ["Project_*", "project_created", false],
    ["*", "webhook_disabled", false],
    ["webhook_*", "webhook_disabled", false],
    ["webhook_disabled", "webhook_disabled", true],
    ["*", "webhook_test", false],
    ["caf\u00e9", "cafe\u0301", false],
  ])("%s, asked about %s, says %s", (pattern, type, expected) => {
    expect(matches(pattern, type)).toBe(expected);
  });

  it("matches what a regular expression of the same meaning matches", () => {
    fc.assert(
      fc.property(pattern, name, (pattern, type) => {
        expect(matches(pattern, type)).toBe(naive(pattern, type));
      }),
    );
  });

  it("takes a star for a star only at its end", () => {
    expect(matches("a*b", "a*b")).toBe(true);
    expect(matches("a*b", "axb")).toBe(false);
    expect(matches("**", "*x")).toBe(true);
    expect(matches("**", "x")).toBe(false);
  });

  it("costs no more for hostile input than its length", () => {
    const hostile = [
      "*".repeat(50_000),
      `${"a*".repeat(50_000)}b`,
      "a".repeat(100_000),
      `${"_".repeat(100_000)}*`,
    ];
    const began = performance.now();
    for (const pattern of hostile) {
      for (let turn = 0; turn < 200; turn += 1) matches(pattern, "a".repeat(100_000));
      patternProblem(pattern, ["project_created", "project_updated"]);
    }
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("a catalog", () => {
  it("accepts its names, their beginnings up to a separator, and *", () => {
    fc.assert(
      fc.property(names, pattern, (names, pattern) => {
        expect(patternProblem(pattern, names) === null).toBe(accepted(names).has(pattern));
      }),
    );
  });

  it("accepts every pattern that it could suggest", () => {
    fc.assert(
      fc.property(names, (names) => {
        for (const pattern of accepted(names)) expect(patternProblem(pattern, names)).toBeNull();
      }),
    );
  });

  it("accepts what can be asked for alone by its name, where it can", () => {
    const names = ["project_created"];
    const more = { alone: operationalEventTypes };
    for (const type of operationalEventTypes) {
      expect(patternProblem(type, names, more)).toBeNull();
      expect(patternProblem(type, names)).toMatch(/^Unknown event type/);
    }
    for (const pattern of ["webhook_*", "webhook_test", "webhook_disabled*"]) {
      expect(patternProblem(pattern, names, more)).toMatch(/^Unknown event type/);
    }
    expect(patternProblem("webhook_disable", names, more)).toMatch(/mean "webhook_disabled"\?/);
  });

  const known = ["project_created", "project_deleted", "invoice_paid"];

  it.each([
    ["project_craeted", 'Unknown event type "project_craeted". Did you mean "project_created"?'],
    ["projcet_*", 'Unknown event type "projcet_*". Did you mean "project_*"?'],
    ["proj*", 'Unknown event type "proj*".'],
    ["", 'Unknown event type "". Known: project_created, project_deleted, invoice_paid, *.'],
    ["zzz\n", 'Unknown event type "zzz\\n". Known: project_created, project_deleted'],
  ])("says what is wrong with %j", (pattern, message) => {
    expect(patternProblem(pattern, known)).toContain(message);
  });
});
