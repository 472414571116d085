import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { chartOf } from "./chart.ts";
import { prepareGround } from "./ground.ts";
import { machine } from "./machine.ts";
import { contest, type Result } from "./rounds.ts";
import { textOf } from "./text.ts";
import type { Contest, Size } from "./workload.ts";
import { workloads } from "./workloads/all.ts";

// pnpm bench: Posthorn beside the engines that people would pick instead, and beside what can be
// written by hand. Contestants of a table run one after the other, in rounds that begin with another
// one each time; what is compared was measured in the same round.

const usage = `pnpm bench [name…] [--quick] [--rounds N] [--scale N] [--only TEXT] [--json FILE] [--svg FILE]

  --quick     everything, as small as it goes: says that it works, and nothing about speed
  --rounds N  how often each contestant runs (default 5; 1 with --quick)
  --scale N   N times as much to do, 0.01 to 100
  --only TEXT tables with this in their title
  --json FILE, --svg FILE  the figures, and a chart of them

${workloads.map(({ name, about }) => `  ${name.padEnd(17)}${about}`).join("\n")}
`;

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        scale: { type: "string", default: "1" },
        only: { type: "string", default: "" },
        json: { type: "string" },
        svg: { type: "string" },
      },
    });
    const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
    const scale = Number(values.scale);
    const unknown = positionals.filter((name) => !workloads.some((each) => each.name === name));
    if (unknown.length > 0) throw new Error(`There is no workload ${unknown.join(", ")}.`);
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes 1 or more.");
    if (!(scale >= 0.01 && scale <= 100)) throw new Error("--scale takes 0.01 to 100.");
    return { ...values, rounds, scale, names: positionals };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

const { quick, rounds, scale, only, json, svg, names } = options();
const size: Size = {
  quick,
  of: (full, small) => (quick ? small : Math.max(1, Math.round(full * scale))),
};
const chosen = workloads.filter(({ name }) => names.length === 0 || names.includes(name));

const ground = await prepareGround();
const about = [...machine(), ...ground.servers];
for (const line of about) console.log(line);
if (ground.leftOut !== null) console.log(`Left out: ${ground.leftOut}`);
console.log();

const results: Result[] = [];
let passed = 0;
let failed = 0;
try {
  for (const workload of chosen) {
    const contests = workload
      .contests(ground, size)
      .filter(({ title }) => title.toLowerCase().includes(only.toLowerCase()));
    if (contests.length === 0) continue;
    try {
      for (const each of contests) await run(each);
      passed += 1;
    } catch (error) {
      failed += 1;
      console.error(`${workload.name}:`, error);
    }
  }
} finally {
  await ground.release();
}

if (json !== undefined) writeFileSync(json, `${JSON.stringify({ about, results }, null, 1)}\n`);
if (svg !== undefined) writeFileSync(svg, chartOf(results, about[0] ?? ""));
if (!quick) {
  const verdicts = results.flatMap((result) => result.verdicts);
  console.log(`${verdicts.filter(({ met }) => met).length} of ${verdicts.length} targets met`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function run(each: Contest): Promise<void> {
  const result = await contest(each, rounds, (name, round) => {
    if (process.stderr.isTTY)
      process.stderr.write(`\r\x1b[K${each.title}: ${name}, round ${round + 1}`);
  });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  results.push(result);
  console.log(quick ? `${result.title}: ${result.rows.length} contestants` : textOf(result));
}
