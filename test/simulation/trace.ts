import type { Outcome } from "./cluster.ts";
import type { Entry } from "./log.ts";
import { STARTS_AT } from "./world.ts";

const LONGEST_LINE = 400;

/** The last lines of a run's log: those about what broke, or about all, in seconds since it began. */
export function traceOf({ log, broken }: Outcome, lines: number): readonly string[] {
  const ids = broken?.what.match(/[0-9a-f]{8}-[0-9a-f-]{27}|event \d+/g) ?? [];
  const texts = log.map(textOf);
  const about = texts.filter((text) => ids.some((id) => text.includes(id)));
  return (about.length > 0 ? about : texts).slice(-lines);
}

function textOf({ at, type, ...entry }: Entry): string {
  const seconds = ((at - STARTS_AT) / 1_000).toFixed(3).padStart(9);
  const text = JSON.stringify(entry, (_key, value: unknown) => {
    if (value instanceof Map) return Object.fromEntries(value);
    const isInstant = typeof value === "number" && value > STARTS_AT / 2;
    return isInstant ? `${(value - STARTS_AT) / 1_000} s` : value;
  });
  return `${seconds} ${type} ${text}`.slice(0, LONGEST_LINE);
}
