import { type System, uuidv7 } from "@posthorn/core";
import type { Chance } from "../crash/chance.ts";
import type { Mortal, World } from "./world.ts";

/** One life of a process, from its start to its end; the next start is another one. */
export interface Life extends Mortal {
  /** The process and which of its lives: "b.2". */
  readonly name: string;
  readonly process: number;
  alive: boolean;
  pausedUntil: number;
  /** Its machine will sleep for so long as soon as a handler has sent something, so many times. */
  naps: { readonly ms: number; readonly left: number };
  /** It will be asked to stop at once as soon as a handler has sent something. */
  stopsOnceSent: boolean;
  /** It reaches nobody before this instant: a machine that wakes finds no network at first. */
  offlineUntil: number;
  /** It was asked to stop. */
  stopping: boolean;
  readonly system: System;
}

/** A process's clocks, which are wrong, each in its way. */
export interface Clocks {
  /** How far its wall clock is ahead. */
  skewMs: number;
  /** Between these instants its machine sleeps: its monotonic clock stands still. */
  asleep: { readonly from: number; readonly until: number };
  /** How long it has slept before. */
  sleptMs: number;
}

/** How long a machine has slept until now. */
export const sleptMs = ({ asleep, sleptMs: before }: Clocks, now: number): number =>
  before + Math.max(0, Math.min(now, asleep.until) - asleep.from);

export function begin(world: World, { name, process, clocks, chance }: Begun): Life {
  const wall = (): number => world.now + clocks.skewMs;
  const bytes = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => chance.between(0, 255));
  const life: Life = {
    name,
    process,
    alive: true,
    pausedUntil: 0,
    naps: { ms: 0, left: 0 },
    stopsOnceSent: false,
    offlineUntil: 0,
    stopping: false,
    system: {
      now: wall,
      mono: () => world.now - sleptMs(clocks, world.now),
      random: chance.next,
      bytes,
      id: uuidv7({ now: wall, bytes }),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          signal?.addEventListener("abort", () => resolve(), { once: true });
          world.at(ms, resolve, life);
        }),
    },
  };
  return life;
}

interface Begun {
  readonly name: string;
  readonly process: number;
  readonly clocks: Clocks;
  readonly chance: Chance;
}
