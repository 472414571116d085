import type { Chance } from "../crash/chance.ts";

/** Something that can die, and stand still: what it waits for then never comes, or comes later. */
export interface Mortal {
  readonly alive: boolean;
  /** Nothing happens to it before this instant. */
  readonly pausedUntil: number;
}

/** Virtual time: one thing happens after the other, in an order that a seed gives. */
export interface World {
  /** Epoch milliseconds, whole. */
  readonly now: number;
  /** How many things have happened. */
  readonly events: number;
  /** Lets something happen in `delayMs`, unless `who` is dead by then; later, if it stands still. */
  at(delayMs: number, act: () => unknown, who?: Mortal): void;
  /** Runs until nothing is left, `isOver` says so, or the time is `until`. */
  run(isOver: () => boolean, until: number): Promise<void>;
}

interface Happening {
  at: number;
  /** Decides between what happens at the same time. */
  readonly priority: number;
  sequence: number;
  readonly who: Mortal | undefined;
  readonly act: () => unknown;
}

export const STARTS_AT = Date.UTC(2026, 0, 1);

export function createWorld(chance: Chance): World {
  const heap: Happening[] = [];
  let now = STARTS_AT;
  let events = 0;
  let sequence = 0;

  function push(happening: Happening): void {
    heap.push(happening);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(heap[index] as Happening, heap[parent] as Happening)) return;
      swap(index, parent);
      index = parent;
    }
  }

  function pop(): Happening {
    const first = heap[0] as Happening;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        const candidate = heap[child];
        if (candidate !== undefined && isBefore(candidate, heap[least] as Happening)) least = child;
      }
      if (least === index) return first;
      swap(index, least);
      index = least;
    }
  }

  function swap(a: number, b: number): void {
    const item = heap[a] as Happening;
    heap[a] = heap[b] as Happening;
    heap[b] = item;
  }

  return {
    get now() {
      return now;
    },
    get events() {
      return events;
    },
    at: (delayMs, act, who) => {
      if (delayMs === Number.POSITIVE_INFINITY) return;
      sequence += 1;
      const at = now + Math.max(0, Math.ceil(delayMs));
      push({ at, priority: chance.next(), sequence, who, act });
    },
    run: async (isOver, until) => {
      while ((heap[0]?.at ?? Number.POSITIVE_INFINITY) <= until && !isOver()) {
        const happening = pop();
        const { who, act } = happening;
        now = happening.at;
        if (who !== undefined) {
          if (!who.alive) continue;
          if (who.pausedUntil > now) {
            sequence += 1;
            happening.at = who.pausedUntil;
            happening.sequence = sequence;
            push(happening);
            continue;
          }
        }
        events += 1;
        act();
        await settled();
      }
      if (!isOver()) now = Math.max(now, until);
    },
  };
}

/**
 * Everything that follows at once has happened: promises have no time of their own. Ticks come after
 * all of them, and nothing here waits for the loop, which costs more than what happens between.
 */
const settled = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

const isBefore = (a: Happening, b: Happening): boolean =>
  a.at !== b.at
    ? a.at < b.at
    : a.priority !== b.priority
      ? a.priority < b.priority
      : a.sequence < b.sequence;
