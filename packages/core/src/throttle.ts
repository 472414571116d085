/** A destination may ask for a pause of an hour; more is not believed. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000;
export const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_WIDENED_PAUSE_MS = 15 * 60_000;

/**
 * How long to pause when a destination has asked for `askedMs`, the `times`th time in a row: what
 * it asks, doubled with each time, up to 15 minutes. One that asks for longer gets it.
 */
export const pauseMs = (askedMs: number, times: number): number =>
  Math.max(askedMs, Math.min(askedMs * 2 ** (times - 1), LONGEST_WIDENED_PAUSE_MS));
