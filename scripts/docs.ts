import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { slackErrorTable } from "./slack-errors.ts";

/** What is wrong with a page, where, and what to do about it. */
export interface Finding {
  readonly line: number;
  readonly problem: string;
}

/** Fences that hold no program of ours and may stand alone. */
const BARE = ["", "sh", "json", "jsonc", "text", "http", "yaml", "sql", "mermaid"];
const SOURCE = /^<!-- from: (?<path>[^#\s]+)(?:#(?<region>\S+))? -->$/;
const FENCE = /^(?<ticks>`{3,})(?<language>\w*)/;
const LINK = /(?<!!)\[[^\]]*\]\((?<target>[^)\s]+)\)/g;

/** The text a page shows: a file without its `// Output:`, or one region of it, unindented. */
export function excerpt(source: string, region?: string): string | null {
  const lines = source.split("\n");
  const start =
    region === undefined ? 0 : lines.findIndex((line) => marks(line, "region", region)) + 1;
  const end =
    region === undefined
      ? lines.length
      : lines.findIndex((line) => marks(line, "endregion", region));
  if (region !== undefined && (start === 0 || end < start)) return null;
  const shown = lines.slice(start, end).filter((line) => !/^\s*\/\/ #(end)?region\b/.test(line));
  const indents = shown.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const indent = Math.min(...indents);
  return shown
    .map((line) => line.slice(indent))
    .join("\n")
    .replace(/^\n+|\s+$/g, "");
}

const marks = (line: string, word: string, region: string): boolean =>
  line.trim() === `// #${word} ${region}`;

/** The page with every excerpt brought up to date, and what cannot be mended by rewriting. */
export function sync(
  page: string,
  read: (path: string) => string | null,
): { readonly text: string; readonly findings: readonly Finding[] } {
  const lines = page.split("\n");
  const text: string[] = [];
  const findings: Finding[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const fence = FENCE.exec(line)?.groups;
    text.push(line);
    if (fence === undefined) continue;

    const end = lines.findIndex((other, index) => index > at && other.trim() === fence["ticks"]);
    if (end === -1) {
      findings.push({ line: at + 1, problem: "this code block is never closed" });
      text.push(...lines.slice(at + 1));
      break;
    }
    const source = SOURCE.exec(lines[at - 1] ?? "")?.groups;
    const block = lines.slice(at + 1, end);
    if (source !== undefined) {
      const { path = "", region } = source;
      const file = read(path);
      const wanted = file === null ? null : excerpt(file, region);
      if (wanted === null) {
        const missing = file === null ? path : `// #region ${region} in ${path}`;
        findings.push({ line: at, problem: `there is no ${missing}` });
        text.push(...block);
      } else {
        text.push(...wanted.split("\n"));
      }
    } else {
      text.push(...block);
      if (!BARE.includes(fence["language"] ?? "")) {
        const problem = `this ${fence["language"]} block is not from an executed file; write the code in an example and put <!-- from: path#region --> above the block`;
        findings.push({ line: at + 1, problem });
      }
    }
    text.push(lines[end] ?? "");
    at = end;
  }
  return { text: text.join("\n"), findings };
}

const TABLE = /^<!-- table: (?<name>\S+) -->$/;

/** The page with the tables that are made from code; others are left as they are. */
export function withTables(
  page: string,
  tables: Readonly<Record<string, () => readonly string[]>>,
): string {
  const lines = page.split("\n");
  const text: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    text.push(line);
    const table = tables[TABLE.exec(line)?.groups?.["name"] ?? ""];
    if (table === undefined) continue;
    text.push("", ...table());
    while (lines[at + 1] === "" || lines[at + 1]?.startsWith("|")) at += 1;
    if (at + 1 < lines.length) text.push("");
  }
  return text.join("\n");
}

/** Relative links that lead nowhere. */
export function brokenLinks(page: string, exists: (path: string) => boolean): readonly Finding[] {
  let fenced = false;
  return page.split("\n").flatMap((line, index) => {
    if (FENCE.test(line)) fenced = !fenced;
    if (fenced) return [];
    return [...line.matchAll(LINK)]
      .map((match) => match.groups?.["target"] ?? "")
      .filter((target) => !/^([a-z]+:|#)/.test(target))
      .filter((target) => !exists(target.replace(/[#?].*$/, "")))
      .map((target) => ({ line: index + 1, problem: `the link ${target} leads nowhere` }));
  });
}

function main(mode: string | undefined): void {
  if (mode !== "--check" && mode !== "--write") {
    console.error("usage: node scripts/docs.ts --check | --write");
    process.exit(2);
  }
  const root = join(import.meta.dirname, "..");
  const read = (path: string): string | null =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : null;
  const pages = globSync(["*.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md"], {
    cwd: root,
    exclude: (name) => name === "node_modules",
  });
  const complaints = pages.flatMap((page) => {
    const path = join(root, page);
    const before = readFileSync(path, "utf8");
    const { text: synced, findings } = sync(before, read);
    const text = withTables(synced, { "slack-all-errors": slackErrorTable });
    const links = brokenLinks(text, (target) => existsSync(join(dirname(path), target)));
    const all = [...findings, ...links];
    if (text !== before && mode === "--write") writeFileSync(path, text);
    if (text !== before && mode === "--check") {
      const line = firstDifference(before, text);
      all.push({ line, problem: "differs from its source; run node scripts/docs.ts --write" });
    }
    return all.map(({ line, problem }) => `${relative(root, path)}:${line}: ${problem}`);
  });
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exit(1);
  console.log(`${pages.length} pages agree with their sources`);
}

function firstDifference(before: string, after: string): number {
  const expected = after.split("\n");
  return before.split("\n").findIndex((line, index) => line !== expected[index]) + 1;
}

if (import.meta.main) main(process.argv[2]);
