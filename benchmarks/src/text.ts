import { median, short } from "./figures.ts";
import type { Result } from "./rounds.ts";

/** A table of one contest, as people read it. */
export function textOf({ title, columns, baseline, rows, verdicts, better }: Result): string {
  const head = ["", ...columns, ...(baseline === null ? [] : [`× ${baseline}`])];
  const body = rows.map(({ name, figures, ratios }) => [
    name,
    ...figures.map(spread),
    ...(baseline === null ? [] : [spread(ratios)]),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((cells) => [...(cells[column] ?? "")].length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, at) => (at === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [
    `## ${title} (${better} is better)`,
    "",
    line(head),
    rule,
    ...body.map(line),
    ...(verdicts.length === 0 ? [] : [""]),
    ...verdicts.map(
      ({ says, value, met }) => `${met ? "met    " : "not met"}  ${says}: ${short(value)}`,
    ),
    "",
    ...rows.flatMap(({ name, note }) => (note === "" ? [] : [`${name}: ${note}`])),
    "",
  ].join("\n");
}

/** Median (least-most). */
const spread = (values: readonly number[]): string =>
  values.length === 1
    ? short(values[0] as number)
    : `${short(median(values))} (${short(Math.min(...values))}-${short(Math.max(...values))})`;
