/** A claim, or a route that began flights. */
export interface Taken {
  readonly at: number;
  readonly until: number;
  readonly by: string;
  /** The name of the subscription of each. */
  readonly lanes: readonly string[];
}

/** How much memory a process has: in all, and what it uses of its heap after a collection. Bytes. */
export interface Weight {
  readonly at: number;
  readonly by: string;
  readonly rss: number;
  readonly heap: number;
}

/** A 429 is written down, and the gate is paused. */
export interface Throttle {
  readonly at: number;
  readonly by: string;
}
