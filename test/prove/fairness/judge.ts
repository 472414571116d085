import type { Hit } from "../hit.ts";
import { shown } from "../percentile.ts";
import type { Verdict } from "../proof.ts";
import { hitsOf, p99Of, ratio } from "../quiet.ts";

export interface FairnessEvidence {
  readonly hits: readonly Hit[];
  /** How many quiet events were published in each of the phases `idle` and `busy`. */
  readonly samples: number;
  /** The path of the organization at full blast, and how many events it published. */
  readonly blast: { readonly path: string; readonly published: number };
  /** How many deliveries the process has in flight at most. */
  readonly concurrency: number;
  /** Whether the ratio of times is judged too. */
  readonly timed: boolean;
}

/** How many times its places in flight may overtake what is quiet. */
const MOST_TURNS = 3;
const MOST_RATIO = 2;

/**
 * Whatever one organization publishes, others hardly notice: few of its deliveries are sent while an
 * event of theirs is on its way, and their p99 is at most twice what it is without it.
 */
export function judgeFairness(evidence: FairnessEvidence): Verdict {
  const { hits, samples, blast, concurrency, timed } = evidence;
  const broken: string[] = [];
  for (const phase of ["idle", "busy"]) {
    const arrived = hitsOf(hits, phase).length;
    if (arrived < samples) broken.push(`lost in phase ${phase}: ${samples - arrived}`);
  }
  const loud = hits.filter(({ path }) => path === blast.path);
  const busy = hitsOf(hits, "busy");
  const sentAt = loud.map(({ sent }) => sent).sort((a, b) => a - b);
  const overtaken = busy.map(({ published, sent }) => between(sentAt, published, sent));
  const most = Math.max(...overtaken);
  if (most > MOST_TURNS * concurrency) {
    broken.push(`${most} deliveries of one organization while an event of another waited`);
  }
  const from = Math.min(...busy.map(({ published }) => published));
  const until = Math.max(...busy.map(({ at }) => at));
  const meanwhile = loud.filter(({ at }) => at >= from && at <= until).length;
  const behind = blast.published - loud.length;
  if (behind < concurrency) broken.push(`too little of a blast to judge by: ${behind} waited`);

  const [idle, loaded] = [p99Of(hits, "idle"), p99Of(hits, "busy")];
  const times = ratio(loaded, idle);
  if (timed && times > MOST_RATIO) {
    broken.push(`p99 ${times.toFixed(2)} times that of an idle bus`);
  }
  return {
    figures: {
      "samples in each phase": samples,
      "idle p99": shown(idle),
      "p99 beside the blast": shown(loaded),
      ratio: times.toFixed(2),
      "blast: published": blast.published,
      "blast: sent in a second": Math.round((meanwhile * 1_000) / (until - from)),
      "blast: waiting at the end": behind,
      "most of it sent while one waited": most,
    },
    broken,
  };
}

/** How many of sorted instants lie between two others. */
function between(sorted: readonly number[], from: number, until: number): number {
  const before = (instant: number): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as number) < instant) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return before(until) - before(from);
}
