import type { Posted } from "./post.ts";

/** What the receiver wrote down about one request; instants are of `clock`. */
export interface Hit extends Posted {
  readonly path: string;
  /** When it had arrived. */
  readonly at: number;
  /** When it was answered. */
  readonly answered: number;
  readonly status: number;
}

/** How the receiver answers requests to a path from now on; 200 at once if it was told nothing. */
export interface Manner {
  readonly path: string;
  readonly status: 200 | 429 | 503;
  readonly afterMs: number;
  /** Seconds, with a 429. */
  readonly retryAfter?: number;
}
