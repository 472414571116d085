import fc from "fast-check";
import { agreeOnTraffic } from "./histories/account.ts";
import { end } from "./histories/end.ts";
import { emptyModel } from "./histories/model.ts";
import { shorten } from "./histories/shorten.ts";
import { historiesOf, type Step, VERBS } from "./histories/step.ts";
import type { World } from "./histories/world.ts";
import type { StorageHarness } from "./stage.ts";

export interface HistoryOptions {
  /** How many histories are played. Default 100. */
  readonly runs?: number;
  /** How many steps the longest may have. Default 100. */
  readonly steps?: number;
  /**
   * After so long (milliseconds) no history is begun. Default 30,000. Give the test 20 seconds more:
   * when one goes wrong, a shorter one is looked for.
   */
  readonly withinMs?: number;
  /** What the first history is drawn from, the second from the number after it. Default: chance. */
  readonly seed?: number;
  /** Plays this history alone, as a failure printed it. */
  readonly history?: string;
}

/**
 * Random histories: what many verbs of the port do, one after the other, in virtual time.
 *
 * A model of the port goes along. It follows where the port leaves the storage a choice (which of
 * two lanes comes first, say) and rejects every answer that the port does not allow. In the end
 * all that is owed is delivered, and all that has ended is forgotten.
 *
 * ```ts
 * it(storageHistories.name, () => storageHistories.run(harness), 60_000);
 * ```
 */
export const storageHistories: {
  readonly name: string;
  /** Rejects with a short history that goes wrong, on one line that replays it. */
  run(harness: StorageHarness, options?: HistoryOptions): Promise<void>;
} = {
  name: "random histories: every answer is one that the port allows, and nothing is lost",
  run: async (harness, options = {}) => {
    const { runs = 100, steps = 100, withinMs = 30_000, history } = options;
    const { seed = Math.floor(Math.random() * 1e9) } = options;
    if (history !== undefined) {
      const mishap = await play(harness, stepsOf(history));
      if (mishap !== null) throw errorOf(mishap);
      return;
    }
    const until = performance.now() + withinMs;
    for (let run = 0; run < runs && performance.now() < until; run += 1) {
      const [drawn = []] = fc.sample(historiesOf(steps), { numRuns: 1, seed: seed + run });
      const mishap = await play(harness, drawn);
      if (mishap !== null) throw errorOf(await shortestOf(harness, mishap), seed + run);
    }
  },
};

/** How a history went wrong. */
interface Mishap {
  /** What of it was played. */
  readonly steps: readonly Step[];
  readonly at: string;
  readonly problem: unknown;
}

async function play(harness: StorageHarness, steps: readonly Step[]): Promise<Mishap | null> {
  const storage = await harness.open();
  const other = (await harness.reopen?.()) ?? storage;
  const world: World = { storage, transaction: harness.transaction, model: emptyModel() };
  let played = 0;
  try {
    for (const [name, given, handle] of steps) {
      played += 1;
      await VERBS[name]?.play(handle === "other" ? { ...world, storage: other } : world, given);
      await agreeOnTraffic(world);
    }
    played += 1;
    await end(world);
    return null;
  } catch (problem) {
    const at = played > steps.length ? "the end" : `its step ${played}, ${steps[played - 1]?.[0]}`;
    return { steps: steps.slice(0, played), at, problem };
  } finally {
    await storage.close();
    await other.close();
  }
}

const SHORTEN_WITHIN_MS = 15_000;

async function shortestOf(harness: StorageHarness, first: Mishap): Promise<Mishap> {
  const until = performance.now() + SHORTEN_WITHIN_MS;
  let last = first;
  await shorten(first.steps, async (shorter) => {
    const mishap = performance.now() < until ? await play(harness, shorter) : null;
    last = mishap ?? last;
    return mishap?.steps ?? null;
  });
  return last;
}

function errorOf({ steps, at, problem }: Mishap, seed?: number): Error {
  const history = JSON.stringify(steps).replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  return new Error(
    [
      `A history goes wrong at ${at}: ${problem instanceof Error ? problem.message : String(problem)}`,
      ...(seed === undefined ? [] : [`It was drawn from the seed ${seed}, and shortened.`]),
      "To replay it:",
      `storageHistories.run(harness, { history: '${history}' })`,
    ].join("\n"),
    { cause: problem },
  );
}

function stepsOf(history: string): readonly Step[] {
  try {
    const steps = JSON.parse(history) as readonly Step[];
    if (steps.every(([name, given]) => name in VERBS && typeof given === "object")) return steps;
  } catch {}
  throw new Error(`'${history}' is no history. Copy the whole line that a failure printed.`);
}
