import { afterAll, beforeAll, expect, it } from "vitest";
import type { MaybePromise } from "../../src/script.ts";
import { type SqlStorage, sqlStorage } from "../../src/storage.ts";
import { CROWD, type Crowd } from "./crowd.ts";
import { type Cost, type Observation, type Observed, observe, type Probe } from "./probe.ts";
import { type Verb, verbs } from "./verbs.ts";

/** Set, the cost of each statement is printed. */
const PRINT = "POSTHORN_PRINT_PLANS";

const BUILD_MS = 300_000;
const VERB_MS = 60_000;

/**
 * With a million deliveries waiting in one lane and 5,000 other lanes, what a statement looks at
 * depends on what was asked, and on nothing else.
 */
export function describePlans(open: () => MaybePromise<Probe>, crowd: Crowd = CROWD): void {
  let probe: Probe;
  let observed: Observed;
  let storage: SqlStorage<never>;
  const costs: string[] = [];

  beforeAll(async () => {
    probe = await open();
    observed = observe(probe);
    const { naming, schema } = probe;
    storage = sqlStorage({ database: observed.database, naming, schema });
    await storage.migrate();
    await probe.fill(crowd);
  }, BUILD_MS);

  afterAll(async () => {
    if (process.env[PRINT]) process.stdout.write(`${costs.join("\n")}\n`);
    await storage.close();
  });

  async function excessesOf(verb: Verb): Promise<readonly string[]> {
    const observations = await observed.during(await verb.prepare(storage));
    expect(observations).not.toEqual([]);
    costs.push(`${verb.name} (${verb.asked})`, ...observations.map(told));
    return observations.flatMap((observation) => excesses(observation, verb));
  }

  const all = verbs(crowd);
  for (const verb of all) {
    it(`${verb.name} looks at no more than it is about`, { timeout: VERB_MS }, async () => {
      expect(await excessesOf(verb)).toEqual([]);
    });
  }

  const hot = all.filter(({ isHousekeeping = false }) => !isHousekeeping);
  it("looks at no more, whatever the planner has been told of the tables", {
    timeout: VERB_MS,
  }, async () => {
    const found: { readonly [when: string]: readonly string[] }[] = [];
    for (const [when, bring] of Object.entries(probe.otherwise)) {
      await bring();
      for (const verb of hot) found.push({ [`${verb.name}, ${when}`]: await excessesOf(verb) });
    }
    expect(found.filter((each) => Object.values(each).flat().length > 0)).toEqual([]);
  });

  it("misses an index that is gone", { timeout: VERB_MS }, async () => {
    await probe.dropIndex("lanes", "due");
    const claim = all.find(({ name }) => name === "claim");
    if (claim === undefined) throw new Error("there is no claim to try");
    expect(await excessesOf(claim)).not.toEqual([]);
  });
}

/** Sorting, locking and writing look at each row several times; the rest is for tables' roots. */
const mostRows = (asked: number): number => 20 * asked + 500;
/** Writing a delivery takes a few pages in each of nine indexes. */
const mostPages = (asked: number): number => 40 * asked + 500;

/** Tables that grow without end, and those that grow with the number of subscriptions. */
const LARGE = /^(events|deliveries|attempts|lanes|gates|subscriptions|[edalgst])$/;

function excesses({ statement, costs }: Observation, { asked, readsAll = [] }: Verb): string[] {
  return costs.flatMap((cost) => {
    const { rows, pages, scans } = cost;
    const isExcessive =
      (rows ?? 0) > mostRows(asked) ||
      (pages ?? 0) > mostPages(asked) ||
      scans.some((name) => LARGE.test(name) && !readsAll.includes(name));
    return isExcessive ? [`${shown(cost)}: ${statement.text}`] : [];
  });
}

const told = ({ statement, costs }: Observation): string =>
  `    ${nameOf(statement.text).padEnd(50)} ${costs.map(shown).join(" | ")}`;

const shown = ({ rows, pages, indexes, scans }: Cost): string =>
  [
    ...(rows === null ? [] : [`${rows} rows`]),
    ...(pages === null ? [] : [`${pages} pages`]),
    ...new Set(indexes),
    ...scans.map((name) => `all of ${name}`),
  ].join(", ");

/** `update lanes deliveries`: what a statement does, and its tables. */
function nameOf(text: string): string {
  const [kind] =
    /insert|update|delete|select/.exec(text.replace(/^with .*?insert/, "insert")) ?? [];
  const tables = text.matchAll(
    /posthorn["`]?[._]["`]?(events|unrouted|lanes|gates|deliveries|attempts|subscriptions)\b(?!_)/g,
  );
  return [kind, ...new Set([...tables].map(([, name]) => name))].join(" ");
}
