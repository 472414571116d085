import { type Outcome, throttled } from "@posthorn/core";

/** Runs what has the same key one after the other, in the order in which it was asked to. */
export type InTurn = (
  key: string,
  signal: AbortSignal,
  run: () => Promise<Outcome>,
) => Promise<Outcome>;

/**
 * What is posted to a channel at once arrives in any order. Whose signal aborts while it waits has its
 * turn at once: it will find that it is too late. Where one is asked to wait, so are those behind it,
 * without asking: they would be refused as well, or overtake it.
 */
export function createTurns(): InTurn {
  const last = new Map<string, Promise<Outcome | undefined>>();
  return async (key, signal, run) => {
    const before = last.get(key);
    const { promise: over, resolve: end } = Promise.withResolvers<Outcome | undefined>();
    const mine = Promise.all([before, over]).then(([, outcome]) => {
      if (last.get(key) === mine) last.delete(key);
      return outcome;
    });
    last.set(key, mine);
    let outcome: Outcome | undefined;
    try {
      const ahead = await Promise.race([before, aborted(signal, over)]);
      outcome = ahead?.type === "throttled" ? behind(ahead) : await run();
      return outcome;
    } finally {
      end(outcome);
    }
  };
}

const behind = ({ retryAfterMs, gate, remedy }: Throttled): Outcome =>
  throttled({ reason: BEHIND, retryAfterMs, gate, remedy });

type Throttled = Extract<Outcome, { type: "throttled" }>;

const BEHIND = "Waits behind a message that Slack asked to wait with";

/** Resolves when the signal aborts, and listens no longer than it has to. */
const aborted = (signal: AbortSignal, over: Promise<unknown>): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    const listener = (): void => resolve(undefined);
    signal.addEventListener("abort", listener, { once: true });
    void over.then(() => signal.removeEventListener("abort", listener));
  });
