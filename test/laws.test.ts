import { readFileSync } from "node:fs";
import { join } from "node:path";
import { storageContract } from "@posthorn/testing/contract";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** A law on the page, and what is said to prove it. */
interface Law {
  readonly title: string;
  readonly proofs: readonly Proof[];
}

interface Proof {
  /** The file of a test; null for a case of the contract. */
  readonly file: string | null;
  readonly name: string;
}

const laws = lawsOn(read("docs/reference/laws.md"));
const proofs = laws.flatMap((law) => law.proofs);

describe("the page of laws", () => {
  it("has 22 of them, by their numbers", () => {
    expect(laws.map(({ title }) => Number.parseInt(title, 10))).toEqual(
      Array.from({ length: 22 }, (_, index) => index + 1),
    );
  });

  it.each(laws)("names what proves law $title", ({ proofs }) => {
    expect(proofs).not.toEqual([]);
  });

  it("names cases that are in the contract", () => {
    const known = new Set(storageContract.map(({ name }) => name));
    const named = proofs.filter(({ file }) => file === null).map(({ name }) => name);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each([...new Set(proofs.flatMap(({ file }) => file ?? []))])(
    "names tests that are in %s",
    (file) => {
      const known = testsIn(read(file));
      const named = proofs.filter((proof) => proof.file === file).map(({ name }) => name);
      expect(named.filter((name) => !known.includes(name))).toEqual([]);
    },
  );
});

describe("lawsOn and testsIn", () => {
  const page = [
    "# Title",
    "",
    "## 1. One",
    "",
    "- `claim: something`",
    "",
    "[a.test.ts](../a.test.ts)",
    "",
    "- ``that `it` works``",
    "",
    "## 2. Two",
  ].join("\n");

  it("read laws, and what proves each", () => {
    expect(lawsOn(page)).toEqual([
      {
        title: "1. One",
        proofs: [
          { file: null, name: "claim: something" },
          { file: "a.test.ts", name: "that `it` works" },
        ],
      },
      { title: "2. Two", proofs: [] },
    ]);
  });

  it("read the names of tests, and of nothing else", () => {
    const source = 'it("a", run); it.each([["x"]])("b %s", run); say("c"); describe("d", run);';
    expect(testsIn(source)).toEqual(["a", "b %s"]);
  });
});

function lawsOn(page: string): readonly Law[] {
  const [, ...sections] = page.split(/^## /m);
  return sections.map((section) => {
    const [title = "", ...lines] = section.split("\n");
    let file: string | null = null;
    const found: Proof[] = [];
    for (const line of lines) {
      file = /^\[(?<path>\S+\.test\.ts)\]/.exec(line)?.groups?.["path"] ?? file;
      const { name } = /^- (?<ticks>`+)(?<name>.+)\k<ticks>$/.exec(line)?.groups ?? {};
      if (name !== undefined) found.push({ file, name });
    }
    return { title, proofs: found };
  });
}

/** The names that a test file gives to its tests, in order, as they are written there. */
function testsIn(source: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^it\b/.test(node.expression.getText(file))) {
      const [name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) found.push(name.text);
    }
    node.forEachChild(visit);
  };
  const file = ts.createSourceFile("a.test.ts", source, ts.ScriptTarget.ES2024, true);
  visit(file);
  return found;
}
