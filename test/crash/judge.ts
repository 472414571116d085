import { contradictions, succeeded } from "./contradictions.ts";
import type { Arrival, Evidence, Order, Remembered, Subscribed } from "./evidence.ts";

export interface Verdict {
  readonly kills: number;
  readonly events: number;
  readonly sends: number;
  /** Events that a matching subscription never got. */
  readonly lost: number;
  /** Requests about what was never committed, or that nobody subscribed to. */
  readonly phantom: number;
  /** Successful requests beyond the first, of one event to one subscription. */
  readonly duplicates: number;
  readonly explained: number;
  /** The longest time from publishing to the first success. */
  readonly longestMs: number;
  /** The laws that were broken, and by what; empty if all is well. */
  readonly broken: readonly string[];
}

/** Judges a run by what arrived, what the host committed, and what was done to the processes. */
export function judge(evidence: Evidence): Verdict {
  const { kills, committed, arrivals, deliveries, maxAttempts, maxLapses } = evidence;
  const broken: string[] = [];
  const bySend = Map.groupBy(arrivals, ({ label, subscription }) => key(label, subscription));
  const byDelivery = Map.groupBy(arrivals, ({ delivery }) => delivery);
  const remembered = new Map(deliveries.map((delivery) => [delivery.id, delivery]));
  const owed = new Map(
    committed.flatMap((order) =>
      evidence.subscriptions
        .filter((subscription) => isOwed(order, subscription))
        .map(({ id }) => [key(order.label, id), order] as const),
    ),
  );

  let lost = 0;
  let longestMs = 0;
  for (const [send, { at }] of owed) {
    const first = bySend.get(send)?.find(succeeded);
    if (first === undefined) {
      lost += 1;
      broken.push(`lost: ${send}`);
    } else {
      longestMs = Math.max(longestMs, first.at - at);
    }
  }

  let phantom = 0;
  let duplicates = 0;
  let explained = 0;
  for (const [send, sent] of bySend) {
    if (!owed.has(send)) {
      phantom += sent.length;
      broken.push(`phantom: ${send}`);
    }
    const ids = new Set(sent.map(({ delivery }) => delivery));
    if (ids.size > 1) broken.push(`more than one delivery: ${send}: ${[...ids].join(", ")}`);
    for (const earlier of sent.filter(succeeded).slice(0, -1)) {
      duplicates += 1;
      if (isExplained(earlier, remembered.get(earlier.delivery), evidence)) explained += 1;
      else broken.push(`unexplained duplicate: ${send}, after ${JSON.stringify(earlier)}`);
    }
  }

  for (const [id, sent] of byDelivery) {
    if (sent.length > maxAttempts + maxLapses) broken.push(`${sent.length} sends: delivery ${id}`);
    if (!remembered.has(id)) broken.push(`forgotten: delivery ${id}`);
  }
  for (const delivery of deliveries) {
    const sent = byDelivery.get(delivery.id) ?? [];
    broken.push(...contradictions(delivery, sent).map((what) => `${what}: ${describe(delivery)}`));
  }
  if (committed.length < kills) broken.push(`too few events to judge by: ${committed.length}`);
  return {
    kills,
    events: committed.length,
    sends: arrivals.length,
    lost,
    phantom,
    duplicates,
    explained,
    longestMs,
    broken,
  };
}

/**
 * A success is repeated only if its attempt says that it failed, or if its flight lapsed because
 * something was done to its process, or to all of them, before its settlement. What a process had
 * sent when it was killed may arrive after it, and nobody settles that.
 */
function isExplained(
  { at, process }: Arrival,
  delivery: Remembered | undefined,
  { faults, settleMs }: Evidence,
): boolean {
  if (delivery === undefined) return false;
  const saidToHaveFailed = delivery.attemptLog.some(
    ({ outcome, startedAt, durationMs }) =>
      outcome !== "delivered" && startedAt <= at && at <= startedAt + durationMs,
  );
  const isStruck = faults.some(
    (fault) =>
      (fault.process === null || fault.process === process) &&
      fault.from <= at + settleMs &&
      (fault.to >= at || fault.kind === "kill"),
  );
  return saidToHaveFailed || (delivery.lapses > 0 && isStruck);
}

const isOwed = ({ organization, type }: Order, subscription: Subscribed): boolean =>
  organization === subscription.organization &&
  subscription.eventTypes.some((pattern) =>
    pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
  );

const key = (label: string, subscription: string): string => `${label} to ${subscription}`;

const describe = (delivery: Remembered): string => JSON.stringify(delivery);
