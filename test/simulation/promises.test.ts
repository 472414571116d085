import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./break.ts";
import { rules } from "./checker/checker.ts";

const page = readFileSync(join(root, "docs/reference/reliability.md"), "utf8");

describe("the page of promises", () => {
  it("has every rule of the checker, and no other, each with its laws", () => {
    const listed = [...page.matchAll(/^- `(?<name>.+)`(?: \((?<laws>[\d, ]+)\))?/gm)].map(
      ({ groups }) => [groups?.["name"], groups?.["laws"] ?? ""],
    );
    const known = rules.map(({ name, laws }) => [name, laws.replace(/I\d+(?:, )?/g, "")]);
    expect(listed.toSorted()).toEqual(known.toSorted());
  });
});
