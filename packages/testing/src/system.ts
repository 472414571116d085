import { type System, uuidv7 } from "@posthorn/core";

/** A System whose time stands still until a test moves it, and whose chance comes from a seed. */
export interface VirtualSystem extends System {
  /** The earliest instant (epoch milliseconds) that somebody sleeps until; null if nobody does. */
  readonly nextWakeAt: number | null;
  /**
   * Sets the time, and wakes whoever slept until then, in order. Time never goes back: an earlier
   * instant is taken for now.
   */
  moveTo(instant: number): void;
}

export interface VirtualSystemOptions {
  /** Epoch milliseconds. Default: 2026-01-01T00:00:00Z. */
  readonly startAt?: number | undefined;
  /** Same seed, same ids, bytes and random numbers. Default 1. */
  readonly seed?: number | undefined;
}

interface Sleeper {
  readonly at: number;
  wake(): void;
}

export function virtualSystem({
  startAt = Date.UTC(2026, 0, 1),
  seed = 1,
}: VirtualSystemOptions = {}): VirtualSystem {
  let time = startAt;
  let sleepers: readonly Sleeper[] = [];
  const random = mulberry32(seed);
  const bytes = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => Math.floor(random() * 256));
  const now = (): number => time;

  return {
    now,
    mono: () => time - startAt,
    random,
    bytes,
    id: uuidv7({ now, bytes }),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || ms <= 0) return resolve();
        const wake = (): void => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper: Sleeper = { at: Math.ceil(time + ms), wake };
        const after = sleepers.findIndex(({ at }) => at > sleeper.at);
        sleepers = sleepers.toSpliced(after === -1 ? sleepers.length : after, 0, sleeper);
        signal?.addEventListener("abort", wake);
      }),
    get nextWakeAt() {
      return sleepers[0]?.at ?? null;
    },
    moveTo: (instant) => {
      time = Math.max(time, instant);
      for (const sleeper of sleepers) if (sleeper.at <= time) sleeper.wake();
    },
  };
}

/** A small seeded generator of numbers in [0, 1): https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
