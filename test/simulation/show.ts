import { play } from "./cluster.ts";
import { drawPlan } from "./plan.ts";
const [seed, id, n = "40"] = process.argv.slice(2);
const r = await play(drawPlan(Number(seed)));
const lines = r.log.filter((e) => !id || id==="-" || JSON.stringify(e, (k, v) => v instanceof Map ? [...v] : v).includes(id)).slice(-Number(n));
for (const e of lines) { const s = JSON.stringify(e, (k, v) => (k==="at"||/(At|Until|By|now)$/.test(k)) && typeof v === "number" ? v - Date.UTC(2026,0,1) : v instanceof Map ? [...v] : k==="handlerTypes"||k==="keyIds"?undefined:v); console.log(s.slice(0, Number(process.env.W??900))); }
console.log(r.broken);
