import type { Clock } from "./clock.ts";
import type { System } from "./system.ts";

/**
 * The places of calls: how many may be claimed at a time, and when a look for more is worth it.
 *
 * As many calls as may be under way have a place, and beyond them as many as will have ended by the
 * time that the next ones are there: otherwise places would stand empty for as long as a look takes.
 * What was claimed ahead waits in the process, for some 20 ms at most if all goes on as it went.
 */
export interface Places {
  /** Calls that were claimed, and have not ended yet. */
  readonly taken: number;
  /** Calls that have ended, since the beginning. */
  readonly ended: number;
  /** Whether no call was claimed, and none has ended, for some time: their handlers are slow. */
  readonly isStill: boolean;
  /** A call was claimed. */
  take(): void;
  /** One has ended. */
  leave(): void;
  /** Resolves when the next one has ended. */
  left(): Promise<void>;
  /** A turn begins that looks at `free`. */
  beginTurn(): void;
  /** How many places are free. */
  readonly unused: number;
  /** How many calls may be claimed now; none where few places are free, and more will be in a moment. */
  free(): number;
  /** When free places are to be looked at (epoch milliseconds): 0 is at once. */
  worthALookAt(): number;
}

/** What will end within this time may be claimed ahead. */
const AHEAD_MS = 20;
/** How long a place that became free may wait for others, to be filled in one look. */
const REFILL_WITHIN_MS = 2;
/** Which part of the places of what may be under way is worth a look, and of those ahead. */
const REFILL_PART = 1 / 8;
const REFILL_PART_AHEAD = 1 / 2;
const STILL_MS = 50;

export function createPlaces({
  concurrency,
  clock,
  system,
}: {
  /** How many calls may be under way. */
  readonly concurrency: number;
  readonly clock: Pick<Clock, "now">;
  readonly system: Pick<System, "mono">;
}): Places {
  let taken = 0;
  let ended = 0;
  let ahead = 0;
  let movedAt = Number.NEGATIVE_INFINITY;
  let lookAt = 0;
  let listeners: (() => void)[] = [];
  let endedBefore = 0;
  const measured = { at: system.mono(), ended: 0 };

  const unused = (): number => Math.max(0, concurrency + ahead - taken);
  const worth = (): number => Math.max(REFILL_PART * concurrency, REFILL_PART_AHEAD * ahead);

  /** As many will end in the time to come as have ended in the same time before. */
  function measure(): void {
    const now = system.mono();
    const tookMs = now - measured.at;
    if (tookMs < AHEAD_MS) return;
    ahead = Math.min(concurrency, Math.floor(((ended - measured.ended) * AHEAD_MS) / tookMs));
    measured.at = now;
    measured.ended = ended;
  }

  return {
    get taken() {
      return taken;
    },
    get ended() {
      return ended;
    },
    get isStill() {
      return system.mono() - movedAt >= STILL_MS;
    },
    take: () => {
      taken += 1;
      movedAt = system.mono();
      lookAt = clock.now() + REFILL_WITHIN_MS;
    },
    leave: () => {
      taken -= 1;
      ended += 1;
      movedAt = system.mono();
      const told = listeners;
      listeners = [];
      for (const tell of told) tell();
    },
    left: () =>
      new Promise((resolve) => {
        listeners.push(resolve);
      }),
    beginTurn: () => {
      measure();
      endedBefore = ended;
    },
    get unused() {
      return unused();
    },
    free: () => {
      const areFew = taken > 0 && unused() < worth();
      return areFew && clock.now() < lookAt ? 0 : unused();
    },
    worthALookAt: () => {
      if (taken === 0 || ended - endedBefore >= worth()) return 0;
      const now = clock.now();
      if (lookAt <= now) lookAt = now + REFILL_WITHIN_MS;
      return lookAt;
    },
  };
}
