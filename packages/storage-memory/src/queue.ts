import { type DueQueue, dueQueue } from "./due-queue.ts";
import type { Lane, Owed } from "./state.ts";

/** The deliveries of one ordering key in a lane that keeps an order. */
export interface Queue {
  /** Those whose turn it is. One, unless they waited already when the order was introduced. */
  readonly first: Set<Owed>;
  /** The others, by position. */
  readonly behind: DueQueue<Owed>;
}

/** Puts a delivery in its queue; by default at the end. Answers whether it is its turn. */
export function enter(owed: Owed, key: string, position?: number): boolean {
  const { queues } = owed.lane;
  const queue = queues.get(key) ?? { first: new Set(), behind: dueQueue() };
  queues.set(key, queue);
  owed.queue = key;
  if (queue.first.size === 0) {
    queue.first.add(owed);
    return true;
  }
  owed.queued = queue.behind.add(owed, position ?? lastOf(queue.behind) + 1);
  return false;
}

/** Takes a delivery out of its queue. Answers the one whose turn it is now, if there is one. */
export function leave(owed: Owed): Owed | null {
  const { queues } = owed.lane;
  const queue = owed.queue === null ? undefined : queues.get(owed.queue);
  if (queue === undefined) return null;
  queue.first.delete(owed);
  queue.behind.remove(owed.queued);
  owed.queued = undefined;
  if (queue.first.size > 0) return null;
  const next = queue.behind.first();
  if (next === undefined) {
    queues.delete(owed.queue as string);
    return null;
  }
  queue.behind.remove(next);
  queue.first.add(next.item);
  next.item.queued = undefined;
  return next.item;
}

/** From now on what waits, in the order given, is first in its queue. */
export function introduce(lane: Lane): void {
  for (const { item } of lane.waiting) {
    const key = item.occurrence.queue;
    const queue = lane.queues.get(key) ?? { first: new Set(), behind: dueQueue() };
    lane.queues.set(key, queue);
    queue.first.add(item);
    item.queue = key;
  }
}

/** Ends an order. Answers those that were queued. */
export function giveUp(lane: Lane): readonly Owed[] {
  const freed = queuedIn(lane);
  for (const { first } of lane.queues.values()) for (const owed of first) owed.queue = null;
  for (const owed of freed) {
    owed.queue = null;
    owed.queued = undefined;
  }
  lane.queues.clear();
  return freed;
}

export const queuedIn = ({ queues }: Lane): readonly Owed[] =>
  [...queues.values()].flatMap(({ behind }) => [...behind].map(({ item }) => item));

const lastOf = (behind: DueQueue<Owed>): number => [...behind].at(-1)?.at ?? 0;
