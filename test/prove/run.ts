import { parseArgs } from "node:util";
import type { StorageName } from "../ground/grounds.ts";
import { playOn, type Result } from "../ground/play-on.ts";
import { fairness } from "./fairness/fairness.ts";
import { lanes } from "./lanes/lanes.ts";
import { limit } from "./limit/limit.ts";
import { outage } from "./outage/outage.ts";
import { type Bug, bugs } from "./part.ts";
import type { Proof, Verdict } from "./proof.ts";
import { full, type Sizes, small } from "./sizes.ts";

// pnpm prove PROOF…: real processes on a real database, judged from outside, by what a receiver
// wrote down with a clock of its own.
//
// limit     8 processes and 4 lanes against one gate of 10 in a second; then a 429
// fairness  one organization that publishes more than can be delivered, beside 99 quiet ones
// outage    a destination that is dead while very many deliveries wait for it, and returns
// lanes     very many lanes that are always due, and new ones
//
// Small sizes prove the laws. `--full` takes the sizes of docs/reference/dispatch.md, and judges
// what depends on time too, which on a busy machine says more about the machine. Single sizes can
// be given: what is judged stays. `--bug` plays a mistake that must be found.

const proofs: Readonly<Record<string, { readonly proof: Proof; readonly bugs: readonly Bug[] }>> = {
  limit: { proof: limit, bugs: ["gate-per-process", "pause-is-ignored"] },
  fairness: { proof: fairness, bugs: ["no-turns"] },
  outage: { proof: outage, bugs: ["no-breaker", "no-ramp"] },
  lanes: { proof: lanes, bugs: ["no-turns"] },
};
const storageNames = ["sqlite", "postgres"] as const satisfies readonly StorageName[];
const sizeNames = Object.keys(small) as (keyof Sizes)[];
const usage = `pnpm prove [${Object.keys(proofs).join("|")}]… [--storage ${storageNames.join("|")}|all] [--full] [--keep]
  ${sizeNames.map((name) => `[--${name} N]`).join(" ")}
  [--bug ${bugs.join("|")}]`;

const options = {
  storage: { type: "string", default: "all" },
  full: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
  bug: { type: "string" },
  ...Object.fromEntries(sizeNames.map((name) => [name, { type: "string" }] as const)),
} as const;
const { values, positionals } = understood();
const chosen = positionals.length === 0 ? Object.keys(proofs) : positionals;
const storages = storageNames.filter((name) => [name, "all"].includes(String(values["storage"])));
const bug = bugs.find((name) => name === values["bug"]) ?? null;
const given = sizeNames.filter((name) => values[name] !== undefined);
const sizes: Sizes = {
  ...(values["full"] ? full : small),
  ...Object.fromEntries(given.map((name) => [name, Number(values[name])])),
};
const isWrong =
  storages.length === 0 ||
  chosen.some((name) => !(name in proofs)) ||
  given.some((name) => !(Number.isInteger(sizes[name]) && sizes[name] > 0)) ||
  (values["bug"] !== undefined && bug === null) ||
  (bug !== null && chosen.some((name) => !proofs[name]?.bugs.includes(bug)));
if (isWrong) refuse();

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const results: { [result in Result]: number } = { passed: 0, failed: 0, "left out": 0 };
for (const name of chosen) {
  const table: { [storage: string]: Verdict["figures"] } = {};
  for (const storage of storages) results[await prove(name, storage, table)] += 1;
  if (Object.keys(table).length > 0) console.table(transposed(table));
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed === 0 ? 0 : 1);

/** Plays on one storage; fails if a law was broken. */
function prove(
  name: string,
  storage: StorageName,
  table: { [storage: string]: Verdict["figures"] },
): Promise<Result> {
  const { proof } = proofs[name] as (typeof proofs)[string];
  const keep = Boolean(values["keep"]);
  return playOn(storage, { name, keep }, async ({ site, folder }) => {
    const began = Date.now();
    const { figures, broken } = await proof({
      ...{ storage, site, folder, bug, sizes },
      full: Boolean(values["full"]),
    }).catch((error: Error): Verdict => ({ figures: {}, broken: [error.message] }));
    table[storage] = { ...figures, seconds: Math.round((Date.now() - began) / 1_000) };
    console.log(`${name} on ${storage}: ${broken.length === 0 ? "kept" : "broken"}`);
    if (broken.length === 0) return "passed";
    console.log(`  ${broken.length} times; what was written down is in ${folder}`);
    for (const law of broken.slice(0, 10)) console.log(`  ${law}`);
    return "failed";
  });
}

/** One line for each figure: there are more figures than storages. */
function transposed(table: { readonly [storage: string]: Verdict["figures"] }): object {
  const names = [...new Set(Object.values(table).flatMap(Object.keys))];
  return Object.fromEntries(
    names.map((name) => [
      name,
      Object.fromEntries(
        Object.entries(table).map(([storage, figures]) => [storage, figures[name] ?? ""]),
      ),
    ]),
  );
}

function understood() {
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    return { values: values as Readonly<Record<string, unknown>>, positionals };
  } catch {
    return refuse();
  }
}

function refuse(): never {
  process.stderr.write(`${usage}\n`);
  process.exit(2);
}
