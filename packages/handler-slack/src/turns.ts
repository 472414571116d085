/** Runs what has the same key one after the other, in the order in which it was asked to. */
export type InTurn = <Result>(
  key: string,
  signal: AbortSignal,
  run: () => Promise<Result>,
) => Promise<Result>;

/**
 * What is posted to a channel at once arrives in any order. Whose signal aborts while it waits has its
 * turn at once: it will find that it is too late.
 */
export function createTurns(): InTurn {
  const last = new Map<string, Promise<void>>();
  return async (key, signal, run) => {
    const before = last.get(key);
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const mine = Promise.all([before, over]).then(() => {
      if (last.get(key) === mine) last.delete(key);
    });
    last.set(key, mine);
    try {
      await Promise.race([before, aborted(signal, over)]);
      return await run();
    } finally {
      end();
    }
  };
}

/** Resolves when the signal aborts, and listens no longer than it has to. */
const aborted = (signal: AbortSignal, over: Promise<void>): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    const listener = (): void => resolve();
    signal.addEventListener("abort", listener, { once: true });
    void over.then(() => signal.removeEventListener("abort", listener));
  });
