import type { Logger, System } from "@posthorn/core";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Begins a session again whenever one has ended, until the signal aborts. Pauses double from one
 * failure to the next; a random half of each keeps processes apart. Never rejects.
 */
export async function reconnect(
  session: (onUp: () => void) => Promise<never>,
  options: {
    readonly system: System;
    readonly signal: AbortSignal;
    log(level: keyof Logger, fields: object, message: string): void;
  },
): Promise<void> {
  const { system, signal, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await session(() => {
        if (failures > 0) log("info", { failures }, "The transport listens again.");
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      log(
        failures === 0 ? "warn" : "debug",
        { error: reasonOf(error) },
        "The transport lost its connection, or got none; trying again. Meanwhile each process finds what is due by itself.",
      );
      await system.sleep(pauseMs(failures, system.random()), signal);
      failures += 1;
    }
  }
}

const pauseMs = (failures: number, random: number): number =>
  ((1 + random) / 2) * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);

/** Node gathers a host's addresses in an AggregateError, whose own message is empty. */
const reasonOf = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(reasonOf).join("; ")
    : error instanceof Error
      ? error.message
      : String(error);
