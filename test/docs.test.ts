import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FREE_THROTTLES, type RetryPolicy, standardRetry } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { slackError } from "../packages/handler-slack/src/errors.ts";
import { slack } from "../packages/handler-slack/src/slack.ts";
import { Problem, type ProblemBody, problemResponse } from "../packages/rest/src/problems.ts";
import { routeTable } from "../packages/rest/src/routes.ts";
import { slackErrorTable } from "../scripts/slack-errors.ts";
import { codesOf, literalsOf, marked, membersOf, toTable } from "./pages.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const source = (file: string): string => read(`packages/core/src/${file}`);
const pages = globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], { cwd: root }).toSorted();
const marks = pages.flatMap((page) => marked(read(page)).map((mark) => ({ page, ...mark })));
const of = (kind: string) => marks.filter((mark) => mark.kind === kind);

describe("every output on a page", () => {
  it.each(of("output of"))("$page shows what $name prints", ({ name, lines }) => {
    const [, output = ""] = read(name).split("\n// Output:\n");
    expect(lines.map((line) => `// ${line}`).join("\n")).toBe(output.trimEnd());
  });
});

const tables: Readonly<Record<string, readonly string[]>> = {
  "standard-retry": scheduleTable(standardRetry),
  "slack-retry": scheduleTable(slack().retry ?? standardRetry),
  "slack-errors": slackTable(),
  "slack-all-errors": slackErrorTable(),
  "rest-routes": routesTable(),
  "rest-problems": await problemsTable(),
};

describe("every generated table", () => {
  it("is on a page", () => {
    expect(
      of("table")
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(Object.keys(tables).toSorted());
  });

  it.each(of("table"))("$name in $page says what the code does", ({ name, lines }) => {
    expect(lines.join("\n")).toBe(tables[name]?.join("\n"));
  });
});

const unions: Readonly<Record<string, string>> = {
  ErrorCode: "errors.ts",
  IssueCode: "errors.ts",
  HealthProblem: "health.ts",
};

describe("every table of codes", () => {
  it("is on a page", () => {
    expect(of("codes").map(({ name }) => name)).toEqual(Object.keys(unions));
  });

  it.each(of("codes"))("$name in $page has each code once", ({ name, lines }) => {
    expect(codesOf(lines)).toEqual(literalsOf(source(unions[name] ?? ""), name));
  });
});

describe("the pages", () => {
  it.each(["Handler", "DeliverContext", "Note"])(
    "tell a handler's author of each member of %s",
    (type) => {
      const page = read("docs/extend/handler.md");
      const untold = membersOf(source("handler.ts"), type).filter(
        (name) => !page.includes(`\`${name}`),
      );
      expect(untold).toEqual([]);
    },
  );

  it("name each outcome where handlers are written, and where retries are explained", () => {
    const outcomes = literalsOf(source("handler.ts"), "Outcome");
    for (const page of ["docs/extend/handler.md", "docs/reference/retry.md"]) {
      const told = read(page);
      expect(outcomes.filter((name) => !new RegExp(`^\\| \`${name}\\b`, "m").test(told))).toEqual(
        [],
      );
    }
  });

  it("tell how many throttles are free", () => {
    expect(read("docs/reference/retry.md")).toContain(`not the first ${FREE_THROTTLES} times`);
  });

  it("tell how far chance moves a retry, and when it is too late for one", () => {
    const { jitter, maxAgeMs } = standardRetry;
    expect(slack().retry).toMatchObject({ jitter, maxAgeMs });
    const page = read("docs/reference/retry.md");
    expect(page).toContain(`between ${1 - jitter} and ${1 + jitter}`);
    expect(page).toContain(`older than ${maxAgeMs / 86_400_000} days`);
  });

  it("are all linked from the index, and all packages from the first page", () => {
    const index = read("docs/README.md");
    const unlinked = pages
      .filter((page) => page.startsWith("docs/") && page !== "docs/README.md")
      .filter((page) => !page.startsWith("docs/decisions/"))
      .filter((page) => !index.includes(`(${page.slice("docs/".length)})`));
    expect(unlinked).toEqual([]);
    const packages = globSync("packages/*/package.json", { cwd: root });
    const names = packages.map((path) => (JSON.parse(read(path)) as { name: string }).name);
    expect(names.filter((name) => !read("README.md").includes(`[\`${name}\`]`))).toEqual([]);
  });

  it("are short where npm shows them", () => {
    const prose = (page: string): string => read(page).replaceAll(/^```.*?^```$/gms, "");
    const long = pages
      .filter((page) => page.startsWith("packages/"))
      .filter((page) => prose(page).split("\n").length > 60);
    expect(long).toEqual([]);
  });

  it("link to an app with exactly the manifest that they show", () => {
    const [, link = ""] = /manifest_json=([^)]+)\)/.exec(read("docs/guides/slack-token.md")) ?? [];
    const manifest: unknown = JSON.parse(read("packages/handler-slack/manifest.json"));
    expect(JSON.parse(decodeURIComponent(link))).toEqual(manifest);
  });
});

describe("marked", () => {
  const page = [
    "<!-- table: one -->",
    "",
    "| a | b |",
    "|---|---|",
    "| `x` | 1 |",
    "",
    "<!-- output of: main.ts -->",
    "```text",
    "hello",
    "```",
    "after",
  ].join("\n");

  it("finds tables and outputs, and where they end", () => {
    expect(marked(page)).toEqual([
      { kind: "table", name: "one", lines: ["| a | b |", "|---|---|", "| `x` | 1 |"] },
      { kind: "output of", name: "main.ts", lines: ["hello"] },
    ]);
  });

  it("reads the codes of a table, and names a row that has none", () => {
    expect(codesOf(["| a |", "|---|", "| `x` | 1 |", "| y | 2 |"])).toEqual(["x", "| y | 2 |"]);
  });
});

describe("literalsOf and membersOf", () => {
  const declared = 'type A = "a" | "b"; interface I { readonly x: { y: 1 }; z?(): void }';

  it("read a source", () => {
    expect(literalsOf(declared, "A")).toEqual(["a", "b"]);
    expect(membersOf(declared, "I")).toEqual(["x", "z"]);
  });

  it("refuse a type that is not there", () => {
    expect(() => literalsOf(declared, "B")).toThrow("no type B");
  });
});

function scheduleTable({ delaysMs }: RetryPolicy): readonly string[] {
  const rows = delaysMs.map((delayMs, index) => {
    const elapsedMs = delaysMs.slice(0, index + 1).reduce((sum, delay) => sum + delay, 0);
    return [`${index + 2}`, duration(delayMs), duration(elapsedMs)];
  });
  const head = ["attempt", "waits", "since the first"];
  return toTable(head, [["1", "at once", "0 s"], ...rows]);
}

/** Exact, in the two largest units that it needs. */
function duration(ms: number): string {
  const units = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1_000 };
  let left = ms;
  const parts = Object.entries(units).flatMap(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count === 0 ? [] : [`${count} ${unit}`];
  });
  return parts.join(" ");
}

function slackTable(): readonly string[] {
  const codes = [
    "invalid_auth",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "not_allowed_token_type",
    "missing_scope",
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "restricted_action",
    "team_not_found",
  ];
  return toTable(
    ["Slack says", "what to do"],
    codes.map((code) => [`\`${code}\``, slackError(code)?.remedy ?? ""]),
  );
}

/** Routes name their handlers, which a description does not call. */
function routesTable(): readonly string[] {
  const routes = routeTable({
    webhooks: {},
    webhookTypes: {},
    deliveries: {},
    replays: {},
    eventTypes: {},
    description: {},
  } as never);
  return toTable(
    ["", "", "status", "action"],
    routes.map(({ method, path, summary, status, action }) => [
      `\`${method} ${path}\``,
      summary,
      `${status}`,
      `\`${action}\``,
    ]),
  );
}

async function problemsTable(): Promise<readonly string[]> {
  const codes = literalsOf(read("packages/rest/src/problems.ts"), "ProblemCode");
  const answers = codes.map((code) => problemResponse(new Problem(code as ProblemBody["code"])));
  const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<ProblemBody>));
  return toTable(
    ["status", "code", ""],
    bodies
      .toSorted((one, other) => one.status - other.status || (one.code < other.code ? -1 : 1))
      .map(({ status, code, title }) => [`${status}`, `\`${code}\``, title]),
  );
}
