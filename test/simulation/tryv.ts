import { breakRule } from "./break.ts";
import { variants } from "./variants.ts";
const [name, most = "100"] = process.argv.slice(2);
const v = variants.find((x) => x.name === name)!;
breakRule(v);
const { play } = await import("./cluster.ts");
const { drawPlan } = await import("./plan.ts");
process.on("unhandledRejection", () => {});
let seed = 1;
for (; seed <= Number(most); seed += 1) {
  const r = await play(drawPlan(seed));
  if (r.broken) { console.log(`${v.name} | ${seed} | ${r.broken.rule} | ${r.broken.what.slice(0, 120)}`); process.exit(0); }
}
console.log(`${v.name} | NOT CAUGHT`);
process.exit(1);
