import type { Ledger } from "./checker/ledger.ts";
import { MAX_LAPSES, SUSPECT_LAPSES } from "./checker/rule.ts";
import type { Entry, Struck } from "./log.ts";

const STRIKES: Readonly<Record<Struck["what"], string>> = {
  kill: "a kill",
  pause: "a pause",
  stop: "a stop",
  restart: "a database restart",
};

/** What a run has met: a simulation that never gets there proves nothing about it. */
export function met(
  log: readonly Entry[],
  { deliveries, sends, gates }: Ledger,
): readonly string[] {
  const found = new Set<string>();
  for (const entry of log) {
    if (entry.type === "found" && entry.by === "sweep") found.add("old age");
    if (entry.type === "pruned" && entry.events.length > 0) found.add("events forgotten");
    if (entry.type === "released") found.add("deliveries given back");
    if (entry.type === "struck") found.add(STRIKES[entry.what]);
    if (entry.type === "sent" && entry.call !== entry.send) found.add("calls for several");
    if (entry.type === "lost" && entry.when === "after") found.add("ambiguous commits");
    if (entry.type === "claimed" && entry.lapsed.some(({ disabled }) => disabled)) {
      found.add("switched off for a lapse");
    }
    if (entry.type !== "settled") continue;
    for (const { result, outcome, change } of entry.flights) {
      if (result !== "settled") found.add(`${result} settlements`);
      if (change?.disabled === true) found.add(`switched off (${outcome})`);
      if (change?.status === "dead") found.add(`dead (${outcome})`);
    }
  }
  for (const { lapses, redeliveryOf, subscription, sends: own } of deliveries.values()) {
    if (lapses > 0) found.add("lapses");
    if (lapses >= SUSPECT_LAPSES) found.add("suspects");
    if (lapses >= MAX_LAPSES) found.add("a fifth lapse");
    if (redeliveryOf !== null && own.length > 0) found.add("redeliveries");
    if (subscription?.order !== "none" && own.length > 1) found.add("retries in an order");
  }
  for (const { epoch, closedUntil } of gates.values()) {
    if (epoch > 0) found.add("an open breaker");
    if (epoch > 1) found.add("a breaker that opened again, or closed");
    if (closedUntil > 0) found.add("a destination that asked to wait");
  }
  if (sends.size === 0) found.add("nothing sent");
  return [...found];
}
