/** The p-th part of samples, by nearest rank, and where it lies with 95 % confidence. */
export interface Percentile {
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly samples: number;
}

/**
 * Of samples in any order; `part` is in (0, 1). How many samples lie below the true percentile is
 * binomial, so its confidence interval is one of ranks (normal approximation).
 */
export function percentile(samples: readonly number[], part: number): Percentile {
  const sorted = samples.toSorted((a, b) => a - b);
  const { length } = sorted;
  const at = (rank: number): number =>
    sorted[Math.min(length, Math.max(1, Math.ceil(rank))) - 1] ?? Number.NaN;
  const spread = 1.96 * Math.sqrt(length * part * (1 - part));
  return {
    value: at(length * part),
    least: at(length * part - spread),
    most: at(length * part + spread),
    samples: length,
  };
}

export const p99 = (samples: readonly number[]): Percentile => percentile(samples, 0.99);

/** In milliseconds, with its interval. */
export const shown = ({ value, least, most }: Percentile): string =>
  `${value.toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)})`;
