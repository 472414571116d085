import type { System } from "./system.ts";

/** Calls `onOver` once `ms` milliseconds have passed, unless what it answers was called before. */
export type SetDeadline = (ms: number, onOver: () => void) => () => void;

interface Waiting {
  readonly at: number;
  readonly onOver: () => void;
}

/** Deadlines that are hardly ever reached: of those that are equally long, one sleep waits for all. */
export function createDeadlines(system: Pick<System, "mono" | "sleep">): SetDeadline {
  const queues = new Map<number, ReturnType<typeof queueOf>>();

  /** The first to come is the first to be over. */
  function queueOf(ms: number): (onOver: () => void) => () => void {
    const queue = new Set<Waiting>();
    let isWatched = false;
    let sleeper: AbortController | null = null;

    async function watch(): Promise<void> {
      isWatched = true;
      for (let [first] = queue; first !== undefined; [first] = queue) {
        const left = first.at - system.mono();
        if (left <= 0) {
          queue.delete(first);
          first.onOver();
          continue;
        }
        sleeper = new AbortController();
        await system.sleep(left, sleeper.signal);
        sleeper = null;
      }
      isWatched = false;
    }

    return (onOver) => {
      const waiting = { at: system.mono() + ms, onOver };
      queue.add(waiting);
      if (!isWatched) void watch();
      return () => {
        // With a reason, or one is made, stack and all.
        if (queue.delete(waiting) && queue.size === 0) sleeper?.abort("nothing to wait for");
      };
    };
  }

  return (ms, onOver) => {
    let queue = queues.get(ms);
    if (queue === undefined) {
      queue = queueOf(ms);
      queues.set(ms, queue);
    }
    return queue(onOver);
  };
}
