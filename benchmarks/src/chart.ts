import { median, short } from "./figures.ts";
import type { Result } from "./rounds.ts";

const WIDTH = 760;
const NAMES = 240;
const FIGURES = 130;
const BAR = 18;
const STEP = 26;
const HEAD = 46;
const GAP = 22;

/** The contests as bars, ours in a colour of their own; readable on light and dark pages. */
export function chartOf(results: readonly Result[], caption: string): string {
  let top = 12;
  const panels = results.map((result) => {
    const panel = panelOf(result, top);
    top += HEAD + result.rows.length * STEP + GAP;
    return panel;
  });
  const height = top + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(results.map(({ title }) => title).join("; "))}">
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.quiet { fill: #59636e }
.bar { fill: #afb8c1 }
.ours { fill: #0969da }
.reach { stroke: #59636e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.quiet { fill: #9198a1 }
.bar { fill: #57606a }
.ours { fill: #4493f8 }
.reach { stroke: #9198a1 }
}
</style>
${panels.join("\n")}
<text class="quiet" x="0" y="${height - 8}">${escaped(caption)}</text>
</svg>
`;
}

function panelOf({ title, columns, rows, better, baseline }: Result, top: number): string {
  const all = rows.map(({ figures: [first = []] }) => first);
  const most = Math.max(...all.flat());
  const room = WIDTH - NAMES - FIGURES;
  const at = (value: number): number => NAMES + (value / most) * room;
  const lines = rows.map(({ name, ratios }, index) => {
    const figures = all[index] as readonly number[];
    const y = top + HEAD + index * STEP;
    const end = at(median(figures));
    const middle = y + BAR / 2;
    const times = ratios.length === 0 ? "" : ` · ${short(median(ratios))} ×`;
    return [
      `<text x="${NAMES - 10}" y="${middle + 4.5}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="bar${name.startsWith("Posthorn") ? " ours" : ""}" x="${NAMES}" y="${y}" width="${Math.max(1, end - NAMES).toFixed(1)}" height="${BAR}" rx="2"/>`,
      `<path class="reach" d="M${at(Math.min(...figures)).toFixed(1)} ${middle}H${at(Math.max(...figures)).toFixed(1)}"/>`,
      `<text x="${(at(Math.max(...figures)) + 8).toFixed(1)}" y="${middle + 4.5}">${short(median(figures))}<tspan class="quiet">${times}</tspan></text>`,
    ].join("\n");
  });
  const told = [
    `${columns[0]}, ${better} is better`,
    ...(baseline === null ? [] : [`× ${baseline}`]),
  ];
  return `<text class="title" x="0" y="${top + 14}">${escaped(title)}</text>
<text class="quiet" x="0" y="${top + 32}">${escaped(told.join(" · "))}</text>
${lines.join("\n")}`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
