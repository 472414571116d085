import type { System } from "@posthorn/core";

/** Sleeps for `ms` milliseconds, or until one of the signals aborts, and leaves nothing on them. */
export async function sleepUntil(
  signals: readonly AbortSignal[],
  { ms, system }: { readonly ms: number; readonly system: Pick<System, "sleep"> },
): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return;
  const woken = new AbortController();
  const wake = (): void => woken.abort();
  for (const signal of signals) signal.addEventListener("abort", wake, { signal: woken.signal });
  await system.sleep(ms, woken.signal);
  wake();
}

/**
 * What `work` resolves to.
 *
 * @throws what `work` throws, the signal's reason if it aborts first, or an Error after `ms`
 * milliseconds
 */
export async function within<Result>(
  work: Promise<Result>,
  options: {
    readonly ms: number;
    readonly system: Pick<System, "sleep">;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Result> {
  const { ms, system, signal } = options;
  const settled = new AbortController();
  const watch = async (): Promise<never> => {
    await sleepUntil(signal === undefined ? [settled.signal] : [settled.signal, signal], {
      ms,
      system,
    });
    signal?.throwIfAborted();
    throw new Error(`PostgreSQL did not answer within ${ms} ms.`);
  };
  try {
    return await Promise.race([work, watch()]);
  } finally {
    settled.abort();
  }
}
