import { describe, expect, it } from "vitest";
import { brokenLinks, excerpt, sync, withTables } from "./docs.ts";
import { slackErrorTable } from "./slack-errors.ts";

const program = [
  'import { createEventBus } from "@posthorn/core";',
  "",
  "async function main() {",
  "  // #region publish",
  "  if (ready) {",
  "    await publish();",
  "  }",
  "  // #endregion publish",
  "}",
  "",
  "// Output:",
  "// published",
  "",
].join("\n");
const published = "if (ready) {\n  await publish();\n}";
const read = (path: string): string | null => (path === "main.ts" ? program : null);
const page = (...lines: string[]): string => lines.join("\n");

describe("excerpt", () => {
  it("takes one region, unindented", () => {
    expect(excerpt(program, "publish")).toBe(published);
  });

  it("takes a whole file without its region marks", () => {
    const whole = excerpt(program);
    expect(whole).toContain("createEventBus");
    expect(whole).not.toContain("#region");
  });

  it("knows no region that is not there", () => {
    expect(excerpt(program, "subscribe")).toBeNull();
  });
});

describe("sync", () => {
  it("replaces what a block shows by what its source says", () => {
    const stale = page("<!-- from: main.ts#publish -->", "```ts", "old();", "```", "after");
    const fresh = page("<!-- from: main.ts#publish -->", "```ts", published, "```", "after");
    expect(sync(stale, read)).toEqual({ text: fresh, findings: [] });
    expect(sync(fresh, read)).toEqual({ text: fresh, findings: [] });
  });

  it.each(["ts", "js", "tsx"])("refuses a %s block that comes from no file", (language) => {
    const { findings } = sync(page("text", `\`\`\`${language}`, "x();", "```"), read);
    expect(findings).toEqual([{ line: 2, problem: expect.stringContaining("<!-- from: path") }]);
  });

  it.each(["sh", "json", "text", "http", ""])("lets a %s block stand alone", (language) => {
    expect(sync(page(`\`\`\`${language}`, "x", "```"), read).findings).toEqual([]);
  });

  it("names a file and a region that do not exist", () => {
    const gone = page("<!-- from: gone.ts -->", "```ts", "x();", "```");
    const lost = page("", "<!-- from: main.ts#lost -->", "```ts", "x();", "```");
    expect(sync(gone, read).findings).toEqual([{ line: 1, problem: "there is no gone.ts" }]);
    expect(sync(lost, read).findings).toEqual([
      { line: 2, problem: "there is no // #region lost in main.ts" },
    ]);
  });

  it("reports a block that is never closed", () => {
    expect(sync(page("```ts", "x();"), read).findings).toHaveLength(1);
  });
});

describe("brokenLinks", () => {
  const exists = (path: string): boolean => path === "there.md";

  it("reports a relative link that leads nowhere, and its line", () => {
    expect(brokenLinks(page("", "See [it](gone.md#part)."), exists)).toEqual([
      { line: 2, problem: "the link gone.md#part leads nowhere" },
    ]);
  });

  it("accepts files that exist, other sites and anchors of the page", () => {
    const links = "[a](there.md#x) [b](https://example.com) [c](#here) [d](mailto:a@example.com)";
    expect(brokenLinks(links, exists)).toEqual([]);
  });

  it("reads no links in code", () => {
    expect(brokenLinks(page("```sh", "[a](gone.md)", "```"), exists)).toEqual([]);
  });
});

describe("a table that is made from code", () => {
  const tables = { one: () => ["| a |", "|---|", "| new |"] };

  it("takes the place of what stands below its mark, and leaves the rest", () => {
    const before = page(
      "<!-- table: one -->",
      "",
      "| a |",
      "|---|",
      "| old |",
      "",
      "Text",
      "| not it |",
    );
    const after = page(
      "<!-- table: one -->",
      "",
      "| a |",
      "|---|",
      "| new |",
      "",
      "Text",
      "| not it |",
    );
    expect(withTables(before, tables)).toBe(after);
    expect(withTables(after, tables)).toBe(after);
    expect(withTables(page("<!-- table: one -->", "Text"), tables)).toContain("| new |\n\nText");
  });

  it("is only the one that is asked for", () => {
    const other = page("<!-- table: other -->", "", "| old |");
    expect(withTables(other, tables)).toBe(other);
  });

  it("of Slack's errors has each once, with what to do", () => {
    const rows = slackErrorTable().filter((row) => row.startsWith("| `"));
    expect(new Set(rows.map((row) => row.split("`")[1])).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(70);
  });
});
