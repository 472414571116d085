import { someData } from "./event.ts";
import type { Ground, Place } from "./ground.ts";
import type { Opened, Peer, Work } from "./peers/peer.ts";

/** Opens a peer in a place of its own, and closes both whatever happens. */
export async function inPlace<Result>(
  ground: Ground,
  peer: Peer,
  play: (opened: Opened, place: Place) => Promise<Result>,
): Promise<Result> {
  const place = await ground.place(peer.on);
  try {
    const opened = await peer.open(place.at);
    try {
      return await play(opened, place);
    } finally {
      await opened.close();
    }
  } finally {
    await place.remove();
  }
}

/** How many jobs a second a peer does that has so many waiting, until all of them are done. */
export const drained = (
  ground: Ground,
  peer: Peer,
  count: number,
  work: Pick<Work, "concurrency" | "handle">,
): Promise<number> =>
  inPlace(ground, peer, async (opened, place) => {
    await inFlight(chunks(someData(count), 500), 2, opened.enqueueMany);
    await place.rest();
    const { over, done } = countdown(count);
    let stop = async (): Promise<void> => {};
    const perSecond = await rate(count, async () => {
      stop = await opened.work({ aim: "throughput", ...work, onDone: done });
      await over;
    });
    await stop();
    await opened.check?.(count);
    return perSecond;
  });

/** Those of the peers for which there is something to run on. */
export const present = (ground: Ground, peers: readonly Peer[]): readonly Peer[] =>
  peers.filter(({ on }) => on !== "redis" || ground.redis !== null);

/** How many a second, if `work` did so many. */
export async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (count / (performance.now() - begun)) * 1_000;
}

/** Does all, so many at once. */
export async function inFlight<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

export function chunks<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Resolves when `done` was told of so many; fails if nothing was for a minute. */
export function countdown(count: number): {
  readonly over: Promise<void>;
  readonly done: (some: number) => void;
} {
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  let left = count;
  let told = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - told < 60_000) return;
    clearInterval(watch);
    reject(new Error(`${left} of ${count} were not done, and none for a minute.`));
  }, 1_000);
  return {
    over,
    done: (some) => {
      told = performance.now();
      left -= some;
      if (left > 0) return;
      clearInterval(watch);
      resolve();
    },
  };
}
