import { stripTypeScriptTypes } from "node:module";
import { describe, expect, it } from "vitest";
import { broken } from "./break.ts";
import { variants } from "./variants.ts";

describe("the broken builds", () => {
  it("are many, and each has a name of its own", () => {
    expect(new Set(variants.map(({ name }) => name)).size).toBe(variants.length);
    expect(variants.length).toBeGreaterThanOrEqual(20);
  });

  it.each(variants)("have their place in today's source: $name", (variant) => {
    expect(variant.replace).not.toBe(variant.find);
    expect(() => stripTypeScriptTypes(broken(variant))).not.toThrow();
  });

  it.each([
    ["is nowhere", "no such line"],
    ["is in two places", "import "],
  ])("are refused where their place %s", (_where, find) => {
    const lost = { name: "lost", law: "1", file: "packages/core/src/bus.ts", find, replace: "" };
    expect(() => broken(lost)).toThrow(/^Variant "lost": its place is \d+ times/);
  });
});
