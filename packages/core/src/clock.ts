import type { Storage } from "./storage.ts";
import type { System } from "./system.ts";

/** How far wall clock and monotonic clock may part before time is measured anew. */
const TOLERANCE_MS = 1_000;
const REMEASURE_AFTER_MS = 60_000;

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
}

export function storageClock(storage: Pick<Storage, "clock">, system: System): Clock {
  const anchor = (at: number): { at: number; wall: number; mono: number } => ({
    at,
    wall: system.now(),
    mono: system.mono(),
  });
  let anchored = anchor(system.now());
  let measured = false;
  const elapsed = (): number => system.mono() - anchored.mono;
  const parted = (): boolean => Math.abs(system.now() - anchored.wall - elapsed()) > TOLERANCE_MS;
  let measuring: Promise<void> | null = null;
  async function measure(): Promise<void> {
    anchored = anchor(storage.clock === undefined ? system.now() : await storage.clock());
    measured = true;
  }
  return {
    now: () => Math.floor(anchored.at + elapsed()),
    refresh: async () => {
      if (measured && !parted() && elapsed() < REMEASURE_AFTER_MS) return;
      measuring ??= measure().finally(() => {
        measuring = null;
      });
      await measuring;
    },
  };
}
