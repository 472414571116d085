import type { Storage } from "./storage.ts";
import type { System } from "./system.ts";

/** How far wall clock and monotonic clock may part before time is measured anew. */
const TOLERANCE_MS = 1_000;
const REMEASURE_AFTER_MS = 60_000;
/**
 * An answer that was on its way for longer tells the time of long ago: the network was slow, or the
 * process stood still. Then it is asked for again, a few times at once and soon after.
 */
const LONGEST_ANSWER_MS = 250;
const TRIES = 3;
/** No network is so slow: the process stood still meanwhile. */
const INTERRUPTED_MS = 5_000;
/** Nor does any process stand still so often while it asks: some clock is broken. */
const INTERRUPTIONS = 10;
const REMEASURE_SLOW_AFTER_MS = 5_000;

/**
 * The time that processes sharing a storage agree on: the storage's clock where it has one, else
 * this process's, carried forward by the monotonic clock. A process whose wall clock jumps
 * neither steals leases nor breaks limits.
 */
export interface Clock {
  /** Integer epoch milliseconds. */
  now(): number;
  /** Measures anew if the clocks have parted (a jump, a sleep) or the last measurement is old. */
  refresh(): Promise<void>;
  /** The time, measured anew if need be: what the storage is told, where nothing has told it lately. */
  told(): Promise<number>;
}

export function storageClock(storage: Pick<Storage, "clock">, system: System): Clock {
  interface Anchor {
    readonly at: number;
    readonly wall: number;
    readonly mono: number;
    /** How long the answer took, by the clock that says more: one of them may have stood still. */
    readonly tookMs: number;
  }
  const anchor = (at: number, since: Pick<Anchor, "wall" | "mono"> | null): Anchor => {
    const [wall, mono] = [system.now(), system.mono()];
    const tookMs = since === null ? 0 : Math.max(Math.abs(wall - since.wall), mono - since.mono);
    return { at, wall, mono, tookMs };
  };
  let anchored = anchor(system.now(), null);
  let measured = false;
  const elapsed = (): number => system.mono() - anchored.mono;
  const partedSince = ({ wall, mono }: Pick<Anchor, "wall" | "mono">): boolean =>
    Math.abs(system.now() - wall - (system.mono() - mono)) > TOLERANCE_MS;
  let measuring: Promise<void> | null = null;
  async function measure(): Promise<void> {
    let best: Anchor | null = null;
    // A try in which the process stood still, or the machine slept, tells nothing of the next one.
    for (let [tries, interruptions] = [0, 0]; tries < TRIES && interruptions < INTERRUPTIONS; ) {
      const since = { wall: system.now(), mono: system.mono() };
      const at = storage.clock === undefined ? system.now() : await storage.clock();
      const found = anchor(at, since);
      if (best === null || partedSince(best) || found.tookMs < best.tookMs) best = found;
      if (best.tookMs <= LONGEST_ANSWER_MS) break;
      if (partedSince(since) || found.tookMs > INTERRUPTED_MS) interruptions += 1;
      else tries += 1;
    }
    anchored = best ?? anchored;
    measured = true;
  }
  const keepsMs = (): number =>
    anchored.tookMs <= LONGEST_ANSWER_MS ? REMEASURE_AFTER_MS : REMEASURE_SLOW_AFTER_MS;
  const now = (): number => Math.floor(anchored.at + elapsed());
  async function refresh(): Promise<void> {
    if (measured && !partedSince(anchored) && elapsed() < keepsMs()) return;
    measuring ??= measure().finally(() => {
      measuring = null;
    });
    await measuring;
  }
  return {
    now,
    refresh,
    told: async () => {
      await refresh();
      return now();
    },
  };
}
