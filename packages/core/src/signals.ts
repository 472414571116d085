import { constants } from "node:os";
import type { EventBus } from "./bus.ts";
import type { Catalog } from "./catalog.ts";

export type StopSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGBREAK" | "SIGUSR2";

/**
 * Stops the bus on the first of these signals, and then lets the signal do what it does without
 * this function: if nobody else listens to it, it ends the process; if somebody does, they have
 * heard it too, and end the process when they are ready. Further signals while the bus stops are
 * not worth more: package managers send them twice.
 *
 * With `exit` the process ends once the bus has stopped, with 128 and the signal's number, whoever
 * else listens. A container whose first process is yours needs it, or a listener of your own: Linux
 * does not end a first process by a signal that it does not listen to.
 *
 * @returns how to take it back; a stop that has begun goes on
 */
export function stopOnSignals(
  bus: Pick<EventBus<Catalog>, "stop">,
  options: {
    /** Default: SIGTERM and SIGINT. */
    readonly signals?: readonly StopSignal[] | undefined;
    /** As of `bus.stop`: how long handlers may take to end. Milliseconds, default 10,000. */
    readonly deadlineMs?: number | undefined;
    readonly exit?: boolean | undefined;
  } = {},
): () => void {
  const { signals = ["SIGTERM", "SIGINT"], deadlineMs, exit = false } = options;
  let stopping = false;

  const unlisten = (): void => {
    for (const signal of signals) process.removeListener(signal, stop);
  };

  function stop(signal: NodeJS.Signals): void {
    if (stopping) return;
    stopping = true;
    void bus.stop({ deadlineMs }).finally(() => {
      unlisten();
      if (exit) process.exit(128 + constants.signals[signal]);
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }

  for (const signal of signals) process.on(signal, stop);
  return unlisten;
}
