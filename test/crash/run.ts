import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { grounds, type StorageName } from "../ground/grounds.ts";
import { playOn, type Result } from "../ground/play-on.ts";
import { chaos } from "./chaos.ts";
import { judge } from "./judge.ts";
import { bugs } from "./life.ts";

// pnpm crash: a publisher and three dispatchers share a database while events flow to a receiver.
// They are killed, stopped and cut off at random, and the database with them (deck.ts); then all are
// left in peace until nothing is owed any more. Judged from outside, by the host's own table and by
// what the receiver wrote down: nothing lost, nothing of a rolled-back transaction sent, and every
// duplicate somebody's fault (judge.ts). The seed repeats the choices, not the moments.
//
// --bug plays a mistake that must be found: the settlement is lost, the handler sends after it has
// answered, or what was rolled back is published anyway.

const storageNames = Object.keys(grounds) as StorageName[];
const usage = `pnpm crash [--storage ${storageNames.join("|")}|all] [--kills N] [--seed N] [--bug ${bugs.join("|")}] [--keep]`;

const { values } = parseArgs({
  options: {
    storage: { type: "string", default: "all" },
    kills: { type: "string", default: "40" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    bug: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const kills = Number(values.kills);
const seed = Number(values.seed);
const chosen = storageNames.filter((name) => values.storage === "all" || values.storage === name);
const bug = bugs.find((name) => name === values.bug) ?? null;
const isKnown = values.bug === undefined || bug !== null;
if (chosen.length === 0 || !isKnown || !(kills > 0) || !Number.isInteger(seed)) {
  process.stderr.write(`${usage}\n`);
  process.exit(2);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const table: { [storage: string]: object } = {};
const results = { passed: 0, failed: 0, "left out": 0 };
for (const name of chosen) results[await crash(name)] += 1;
if (results.passed + results.failed > 0) console.table(table);
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed === 0 ? 0 : 1);

/** Plays on one storage; fails if a law was broken. */
function crash(storage: StorageName): Promise<Result> {
  const began = Date.now();
  return playOn(storage, { name: "crash", keep: values.keep }, async ({ site, folder }) => {
    console.log(`${storage}: --kills ${kills} --seed ${seed}`);
    const evidence = await chaos({ storage, site, folder, kills, seed, bug });
    const { broken, longestMs, ...figures } = judge(evidence);
    const seconds = Math.round((Date.now() - began) / 1_000);
    table[storage] = { ...figures, "longest recovery (ms)": longestMs, seconds };
    if (broken.length > 0 || values.keep) {
      writeFileSync(join(folder, "evidence.json"), JSON.stringify(evidence));
    }
    if (broken.length === 0) return "passed";
    console.log(
      `${storage}: ${broken.length} times a law was broken; evidence and logs in ${folder}`,
    );
    for (const law of broken.slice(0, 20)) console.log(`  ${law}`);
    return "failed";
  });
}
