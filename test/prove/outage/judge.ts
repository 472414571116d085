import type { Hit } from "../hit.ts";
import type { Weight } from "../noted.ts";
import { type Percentile, shown } from "../percentile.ts";
import type { Verdict } from "../proof.ts";
import { hitsOf, p99Of, ratio } from "../quiet.ts";

export interface OutageEvidence {
  /** In the order of arrival. */
  readonly hits: readonly Hit[];
  readonly path: string;
  /** How many deliveries waited when the destination was watched, and when it had drained a while. */
  readonly waiting: number;
  readonly left: number;
  /** When all of them waited, and when the destination returned. */
  readonly from: number;
  readonly until: number;
  /** Of the process that delivers, from its start until the destination returned. */
  readonly weights: readonly Weight[];
  /** How many quiet events were published in each of the phases `idle`, `dead` and `drain`. */
  readonly samples: number;
  /** How many deliveries of one lane a process has in flight at most. */
  readonly perLane: number;
  /** Whether times are judged too. */
  readonly timed: boolean;
}

/** The rule of breaker.ts, as a destination sees it. */
const FAILURES_TO_OPEN = 10;
const SHORTEST_OPEN_MS = 30_000 * 0.8;
const SUCCESSES_TO_CLOSE = 6;

/** By how much a process may become larger while all wait: V8 takes some for what it is busy with. */
const MOST_RSS_MB = 40;
const MOST_HEAP_MB = 5;
const MOST_RATIO = 2;
const MB = 2 ** 20;

/**
 * A dead destination gets its ten failures, with what began beside them, and then one probe each
 * time; when it is back, twice as many at once after each success. What waits costs no memory, and
 * no time of others. In the drain the machine is busy with what it takes; times are told, not judged.
 */
export function judgeOutage(evidence: OutageEvidence): Verdict {
  const { hits, path, waiting, left, from, until, weights, samples, perLane, timed } = evidence;
  const broken: string[] = [];

  const own = hits.filter((hit) => hit.path === path);
  const refused = own.filter(({ status }) => status === 503);
  const drained = own.filter(({ status }) => status === 200);
  const lasted = until - (refused[0]?.at ?? until);
  const probes = Math.floor(lasted / SHORTEST_OPEN_MS) + 1;
  const most = FAILURES_TO_OPEN - 1 + perLane + probes;
  if (refused.length > most) {
    broken.push(`${refused.length} hits while it was dead, of ${most} that the breaker allows`);
  }
  const ramp = rampOf(drained);
  for (const { index, outstanding, successes } of ramp) {
    const width = successes < SUCCESSES_TO_CLOSE ? 2 ** successes : perLane;
    if (outstanding <= width) continue;
    broken.push(`hit ${index + 1} after its return: ${outstanding} at once, of ${width}`);
  }
  if (drained.length === 0) broken.push("nothing was delivered after its return");
  if (left > waiting) broken.push(`more waited after the drain than before: ${left}`);

  const before = weights.filter(({ at }) => at < from);
  const meanwhile = weights.filter(({ at }) => at >= from && at <= until);
  const [rssBefore, rss] = [mostRss(before), mostRss(meanwhile)];
  const slope = slopeOf(meanwhile.map(({ at, heap }) => [at, heap]));
  const growth = (slope * (until - from)) / MB;
  if (rss - rssBefore > MOST_RSS_MB) {
    broken.push(`${rss.toFixed(0)} MB of memory, and ${rssBefore.toFixed(0)} MB before`);
  }
  if (growth > MOST_HEAP_MB) broken.push(`the heap grew by ${growth.toFixed(1)} MB`);
  if (Math.min(before.length, meanwhile.length) < 3) {
    broken.push(`too few weights to judge by: ${before.length} and ${meanwhile.length}`);
  }

  for (const phase of ["idle", "dead", "drain"]) {
    const lost = samples - hitsOf(hits, phase).length;
    if (lost > 0) broken.push(`lost in phase ${phase}: ${lost}`);
  }
  const [idle, dead, drain] = ["idle", "dead", "drain"].map((phase) => p99Of(hits, phase)) as [
    Percentile,
    Percentile,
    Percentile,
  ];
  const times = ratio(dead, idle);
  if (timed && times > MOST_RATIO) {
    broken.push(`p99 of others ${times.toFixed(2)} times that of an idle bus`);
  }
  const returned = drained[0]?.at ?? until;
  const heaps = meanwhile.map(({ heap }) => heap / MB);
  return {
    figures: {
      waiting,
      "hits while dead": `${refused.length} in ${Math.round(lasted / 1_000)} s, of ${most}`,
      "RSS before, and meanwhile (MB)": `${rssBefore.toFixed(0)}, ${rss.toFixed(0)}`,
      "heap after gc (MB)": `${Math.min(...heaps).toFixed(1)} to ${Math.max(...heaps).toFixed(1)}`,
      "heap slope (MB in a minute)": ((slope * 60_000) / MB).toFixed(2),
      "others: samples in each phase": samples,
      "others: idle p99": shown(idle),
      "others: p99 while dead": shown(dead),
      "others: ratio": times.toFixed(2),
      "others: p99 in the drain": shown(drain),
      "others: ratio in the drain": ratio(drain, idle).toFixed(2),
      "first hit after the return (s)": ((returned - until) / 1_000).toFixed(1),
      "at once, after each success": widestBy(ramp).join(", "),
      "hits in each second": perSecond(drained, returned).join(", "),
    },
    broken,
  };
}

const mostRss = (weights: readonly Weight[]): number =>
  Math.max(...weights.map(({ rss }) => rss)) / MB;

interface Step {
  readonly index: number;
  /** How many had arrived and were not answered, this one with them. */
  readonly outstanding: number;
  /** How many had been answered before it arrived. */
  readonly successes: number;
}

/** How the load on a destination grows that answers everything. */
export function rampOf(hits: readonly Pick<Hit, "at" | "answered">[]): readonly Step[] {
  const answers = hits.map(({ answered }) => answered).sort((a, b) => a - b);
  let successes = 0;
  return hits.map(({ at }, index) => {
    while ((answers[successes] ?? Number.POSITIVE_INFINITY) < at) successes += 1;
    return { index, outstanding: index + 1 - successes, successes };
  });
}

/** The most that were out at once after 0, 1, 2 … successes, until the gate has closed. */
const widestBy = (ramp: readonly Step[]): readonly number[] =>
  Array.from({ length: SUCCESSES_TO_CLOSE + 1 }, (_, successes) =>
    Math.max(
      0,
      ...ramp
        .filter((step) => Math.min(step.successes, SUCCESSES_TO_CLOSE) === successes)
        .map(({ outstanding }) => outstanding),
    ),
  );

function perSecond(hits: readonly Hit[], from: number): readonly number[] {
  const counts = Map.groupBy(hits, ({ at }) => Math.floor((at - from) / 1_000));
  const seconds = Math.max(0, ...counts.keys());
  return Array.from(
    { length: Math.min(seconds, 20) },
    (_, second) => counts.get(second)?.length ?? 0,
  );
}

/** By least squares. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  const under = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
