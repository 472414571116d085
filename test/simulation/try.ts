import { play } from "./cluster.ts";
import { drawPlan, faultsIn } from "./plan.ts";
const [from = 1, to = 20] = process.argv.slice(2).map(Number);
const t = performance.now();
let n = 0, bad = 0, hap = 0; const rules: Record<string, number[]> = {};
for (let seed = from; seed <= to; seed += 1) {
  const plan = drawPlan(seed);
  const r = await play(plan); n += 1; hap += r.figures.happenings;
  if (to - from < 3) console.log(JSON.stringify(r.figures), r.fingerprint);
  if (r.broken) { bad += 1; (rules[r.broken.rule] ??= []).push(seed); if (rules[r.broken.rule]!.length < 3) console.log(seed, r.broken.rule, "|", r.broken.what, "|", (r.broken.at - Date.UTC(2026,0,1)) / 1000, faultsIn(plan).join(",")); }
}
console.log(n, "bad", bad, hap, Math.round(performance.now() - t), "ms", rules);
