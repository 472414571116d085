import { type RateLimit, START_WITHIN_MS } from "@posthorn/core";
import type { Hit } from "../hit.ts";
import type { Throttle } from "../noted.ts";
import type { Verdict } from "../proof.ts";

export interface LimitEvidence {
  /** In the order of arrival. */
  readonly hits: readonly Hit[];
  readonly throttles: readonly Throttle[];
  readonly limit: RateLimit & { readonly burst: number };
  /** How long the limit was watched, and how often a 429 was answered afterwards. */
  readonly seconds: number;
  readonly pauses: number;
  readonly retryAfterMs: number;
}

/**
 * Law 7: in any window at most the burst, and what the rate allows for the window and 250 ms. The
 * law ends where the handler is called; what arrives is as much later as its request was on its
 * way, so the spread of that time, as it was in this run, widens the window.
 *
 * And a 429 closes the gate: what comes before it is due was on its way, or taken, before the pause
 * was written.
 */
export function judgeLimit(evidence: LimitEvidence): Verdict {
  const { hits, limit, seconds, pauses } = evidence;
  const broken: string[] = [];

  const rate = limit.limit / limit.perMs;
  const fullest = fullestWindow(hits, rate);
  const travels = hits.map(({ sent, at }) => at - sent);
  const spread = Math.max(...travels) - Math.min(...travels);
  const promised = limit.burst + rate * START_WITHIN_MS;
  if (fullest.beyond > promised + rate * spread) {
    broken.push(
      `${fullest.count} hits in ${fullest.ms.toFixed(1)} ms: ${fullest.beyond.toFixed(1)} beyond the rate, of ${promised} that are allowed and ${(rate * spread).toFixed(1)} for the way`,
    );
  }
  const fewest = Math.floor((rate * seconds * 1_000) / 2);
  if (hits.length < fewest) broken.push(`too few hits to judge by: ${hits.length}`);

  const stops = pausesOf(evidence);
  if (stops.length < pauses) broken.push(`too few pauses to judge by: ${stops.length}`);
  for (const { answered, due, late } of stops) {
    broken.push(
      ...late.map(
        ({ at }) =>
          `a hit ${(at - answered).toFixed(0)} ms after a 429, ${(due - at).toFixed(0)} ms before it was due`,
      ),
    );
  }
  const sum = (count: (stop: Pause) => number): number =>
    stops.reduce((all, stop) => all + count(stop), 0);
  return {
    figures: {
      hits: hits.length,
      processes: new Set(hits.map(({ by }) => by)).size,
      "most beyond the rate": `${fullest.beyond.toFixed(2)} of ${promised}`,
      "in a window of (ms)": Math.round(fullest.ms),
      "longest on its way (ms)": Math.round(Math.max(...travels)),
      pauses: stops.length,
      "on their way at the 429": sum(({ onTheirWay }) => onTheirWay),
      "taken before it was written": sum(({ taken }) => taken),
      "first after it was due (ms)": Math.round(Math.min(...stops.map(({ first }) => first))),
      "before it was due": sum(({ late }) => late.length),
    },
    broken,
  };
}

interface Window {
  readonly count: number;
  readonly ms: number;
  /** How many more it holds than the rate allows for its length. */
  readonly beyond: number;
}

/** Of all windows that begin and end with a hit, the one that is fullest for its length. */
export function fullestWindow(hits: readonly Pick<Hit, "at">[], rate: number): Window {
  let fullest: Window = { count: 0, ms: 0, beyond: 0 };
  let best = { index: 0, at: 0, lead: Number.POSITIVE_INFINITY };
  for (const [index, { at }] of hits.entries()) {
    const lead = index - rate * at;
    if (lead < best.lead) best = { index, at, lead };
    const beyond = lead - best.lead + 1;
    if (beyond > fullest.beyond) {
      fullest = { count: index - best.index + 1, ms: at - best.at, beyond };
    }
  }
  return fullest;
}

interface Pause {
  readonly answered: number;
  readonly due: number;
  /** Those that had been sent before the 429 was answered. */
  readonly onTheirWay: number;
  /** Those that had been taken before the pause was written: they begin within 250 ms. */
  readonly taken: number;
  readonly late: readonly Hit[];
  /** How long after it was due the next one came. */
  readonly first: number;
}

function pausesOf({ hits, throttles, retryAfterMs }: LimitEvidence): readonly Pause[] {
  const pauses: Pause[] = [];
  let over = Number.NEGATIVE_INFINITY;
  for (const { answered, status } of hits.toSorted((a, b) => a.answered - b.answered)) {
    if (status !== 429 || answered < over) continue;
    const due = answered + retryAfterMs;
    over = due;
    const written = throttles.find(({ at }) => at >= answered)?.at ?? Number.NEGATIVE_INFINITY;
    const within = hits.filter(({ at }) => at > answered && at < due);
    const onTheirWay = within.filter(({ sent }) => sent <= answered);
    const taken = within.filter(({ sent }) => sent > answered && sent <= written + START_WITHIN_MS);
    const late = within.filter((hit) => !onTheirWay.includes(hit) && !taken.includes(hit));
    const next = hits.find(({ at }) => at >= due);
    pauses.push({
      answered,
      due,
      onTheirWay: onTheirWay.length,
      taken: taken.length,
      late,
      first: (next?.at ?? Number.POSITIVE_INFINITY) - due,
    });
  }
  return pauses;
}
