import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { root } from "./break.ts";
import caught from "./caught.json" with { type: "json" };
import type { Figures } from "./cluster.ts";
import { play } from "./cluster.ts";
import corpus from "./corpus.json" with { type: "json" };
import { playAll, playVariants } from "./crew.ts";
import { drawPlan, faultsIn } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { traceOf } from "./trace.ts";
import { variants } from "./variants.ts";

// pnpm simulate: whole clusters in virtual time, one for each seed. Chaos for a minute or two, then
// peace; every promise is checked at every step (checker/). First the seeds that have found something
// before (corpus.json), then new ones, other ones for each commit. At last the promises themselves are
// tried: builds in which one rule is broken (variants.ts) must be found out.

const usage = "pnpm simulate [--seeds N] [--base N] [--seed N] [--variants [NAME...]]";
const { values, positionals } = parseArgs({
  options: {
    seeds: { type: "string", default: "4000" },
    base: { type: "string" },
    seed: { type: "string" },
    variants: { type: "boolean", default: false },
  },
  allowPositionals: true,
});

const SHOWN = 3;
const TRACE_LINES = 40;
const TWICE = 50;
const VARIANT_SEEDS = 500;
const MOST_SEEDS = 2 ** 31;

const count = Number(values.seeds);
const base = values.base === undefined ? baseOfCommit() : Number(values.base);
const names = variants
  .map(({ name }) => name)
  .filter((name) => positionals.length === 0 || positionals.includes(name));
const isUnknown = positionals.some((name) => !names.includes(name));
if (!Number.isInteger(count) || !Number.isInteger(base) || isUnknown) {
  process.stderr.write(`${usage}\nVariants: ${variants.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
if (values.seed !== undefined) {
  await replay(Number(values.seed));
} else {
  if (!values.variants) {
    await playSeeds(
      "corpus",
      corpus.map(({ seed }) => seed),
      false,
    );
    const seeds = Array.from({ length: count }, (_, index) => (base + index) % MOST_SEEDS);
    await playSeeds(`twice, from ${base}`, seeds.slice(0, TWICE), true);
    await playSeeds(`from ${base + TWICE}`, seeds.slice(TWICE), false);
  }
  await tryVariants();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function playSeeds(title: string, seeds: readonly number[], twice: boolean): Promise<void> {
  if (seeds.length === 0) return;
  const began = performance.now();
  const played = await playAll(seeds, { twice });
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  const broken = played.filter((one) => one.broken !== null);
  passed += played.length - broken.length;
  failed += broken.length;
  console.log(`${title}: ${played.length} seeds, ${broken.length} broken, ${seconds} s`);
  say(sumOf(played.map(({ figures }) => figures)));
  if (seeds.length > TWICE) {
    const found = new Map<string, number>();
    for (const { met } of played) {
      for (const what of met) found.set(what, (found.get(what) ?? 0) + 1);
    }
    const parts = [...found]
      .toSorted((a, b) => b[1] - a[1])
      .map(([what, times]) => `${what} ${times}`);
    console.log(`  seeds that met: ${parts.join(", ")}`);
  }
  for (const { seed } of broken.slice(0, SHOWN)) await explain(seed);
  for (const { seed, broken: why } of broken.slice(SHOWN)) {
    console.log(`  pnpm simulate --seed ${seed}: ${why?.rule}: ${why?.what}`);
  }
}

async function replay(seed: number): Promise<void> {
  const plan = drawPlan(seed);
  const outcome = await play(plan);
  console.log(`seed ${seed}: ${faultsIn(plan).join(", ")}`);
  say(outcome.figures);
  if (outcome.broken === null) passed += 1;
  else {
    failed += 1;
    await explain(seed);
  }
}

/** All that helps to find out why: what broke, the least that breaks it, and what happened then. */
async function explain(seed: number): Promise<void> {
  const plan = drawPlan(seed);
  const outcome = await play(plan);
  if (outcome.broken === null) return;
  const { faults, plan: least, outcome: shrunk } = await shrink(plan, outcome);
  console.log(`  pnpm simulate --seed ${seed}`);
  console.log(`  broken: ${outcome.broken.rule} (${outcome.broken.laws}): ${outcome.broken.what}`);
  console.log(
    `  still broken with ${faults.join(", ") || "no fault"}, within ${least.chaosMs} ms:`,
  );
  console.log(`  ${shrunk.broken?.what}`);
  for (const line of traceOf(shrunk, TRACE_LINES)) console.log(`  ${line}`);
}

async function tryVariants(): Promise<void> {
  const from = values.base === undefined ? 1 : base;
  const seeds = Array.from({ length: VARIANT_SEEDS }, (_, index) => from + index);
  const caughtBy: Readonly<Record<string, number>> = caught;
  const seedsOf = (name: string): readonly number[] => {
    const last = caughtBy[name] ?? from;
    return [last, ...seeds.filter((seed) => seed !== last)].slice(0, VARIANT_SEEDS);
  };
  const table: { [variant: string]: object } = {};
  const began = performance.now();
  await playVariants(names, seedsOf, (name, played) => {
    const { broken, seed } = played.at(-1) ?? {};
    if (broken) passed += 1;
    else failed += 1;
    const rule = broken?.rule ?? "NOT CAUGHT";
    const law = variants.find((variant) => variant.name === name)?.law;
    table[name] = { law, seed: broken ? seed : null, tried: played.length, by: rule };
  });
  const inOrder = Object.fromEntries(names.map((name) => [name, table[name]]));
  console.table(inOrder);
  const found = Object.values(table).filter((row) => !Object.values(row).includes(null)).length;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`variants: ${found} of ${names.length} caught, ${seconds} s`);
}

function sumOf(all: readonly Figures[]): Figures {
  const faults: { [why: string]: number } = {};
  for (const each of all) {
    for (const [why, times] of Object.entries(each.faults))
      faults[why] = (faults[why] ?? 0) + times;
  }
  const sum = (of: (figures: Figures) => number): number =>
    all.reduce((total, figures) => total + of(figures), 0);
  return {
    happenings: sum(({ happenings }) => happenings),
    events: sum(({ events }) => events),
    deliveries: sum(({ deliveries }) => deliveries),
    sends: sum(({ sends }) => sends),
    crashes: sum(({ crashes }) => crashes),
    lapses: sum(({ lapses }) => lapses),
    duplicates: sum(({ duplicates }) => duplicates),
    faults,
  };
}

function say({ happenings, faults, ...figures }: Figures): void {
  const parts = Object.entries(figures).map(([name, value]) => `${value} ${name}`);
  const whose = Object.entries(faults).map(([why, times]) => `${times} because ${why}`);
  console.log(`  ${happenings} things happened: ${parts.join(", ")}`);
  if (whose.length > 0) console.log(`  duplicates: ${whose.join(", ")}`);
}

/** Each commit tries seeds that none has tried before. */
function baseOfCommit(): number {
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  return Number.parseInt(commit.slice(0, 7), 16);
}
