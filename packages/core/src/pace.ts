/**
 * How much a step takes at once, so that one lasts some 25 ms and keeps nobody else waiting for long:
 * a bit more after each that was short, half after one that was much too long.
 *
 * D.-M. Chiu, R. Jain, Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in
 * Computer Networks, 1989.
 */
export interface Pace {
  /** How many sixteenths of the most. */
  readonly parts: number;
  /**
   * What a step takes that does hardly anything, in milliseconds. Where that is long, as on a database
   * far away, small steps gain nothing: one may take twice as long, whatever the aim. Null before
   * the first.
   */
  readonly leastMs: number | null;
}

export interface Step {
  readonly tookMs: number;
  /** How much of what it could take was there: 1 if it was all. */
  readonly filled: number;
}

const PARTS = 16;
const AIM_MS = 25;
/** How much one step counts for what the least takes: V. Jacobson, Congestion Avoidance and Control, 1988. */
const GAIN = 1 / 8;

export const FIRST_PACE: Pace = { parts: 1, leastMs: null };

/** The pace after a step. One that found less than it could take does not ask for more. */
export function paced({ parts, leastMs }: Pace, { tookMs, filled }: Step): Pace {
  const done = filled * parts;
  const isLeast = done <= 1;
  const known = leastMs ?? tookMs;
  const least = isLeast ? known + GAIN * (tookMs - known) : known;
  const aim = Math.max(AIM_MS, 2 * least);
  const isLong = tookMs > 2 * aim && !isLeast;
  const isShort = tookMs < aim && filled >= 1;
  const next = isLong ? Math.floor(Math.min(parts / 2, done)) : parts + (isShort ? 1 : 0);
  return { parts: Math.min(PARTS, Math.max(1, next)), leastMs: least };
}

/** As many as the pace allows, of `most`. */
export const atPace = ({ parts }: Pace, most: number): number => Math.ceil((most * parts) / PARTS);
