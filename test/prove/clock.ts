/**
 * Milliseconds of the machine's monotonic clock: the same for all of its processes, and nobody sets
 * it. Fractions are real.
 */
export const clock = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
