/** How large a proof is. */
export interface Sizes {
  /** How long hits are counted against a limit. */
  readonly seconds: number;
  /** How often a 429 is answered, and the seconds of its Retry-After. */
  readonly pauses: number;
  readonly retryAfter: number;
  /** How many quiet events each phase has. */
  readonly samples: number;
  /** How many events an organization at full blast publishes in a second. */
  readonly blast: number;
  /** How many milliseconds its destinations take to answer. */
  readonly answersAfter: number;
  /** How many deliveries wait for a dead destination. */
  readonly waiting: number;
  /** How many seconds of a drain are watched. */
  readonly drain: number;
  /** How many lanes are always due, and how many new ones come. */
  readonly lanes: number;
  readonly newcomers: number;
}

export const small: Sizes = {
  seconds: 6,
  pauses: 1,
  retryAfter: 2,
  samples: 200,
  blast: 200,
  answersAfter: 500,
  waiting: 10_000,
  drain: 8,
  lanes: 1_000,
  newcomers: 6,
};

/** What the figures of docs/reference/dispatch.md were measured with. */
export const full: Sizes = {
  seconds: 60,
  pauses: 3,
  retryAfter: 5,
  samples: 2_000,
  blast: 60,
  answersAfter: 2_000,
  waiting: 1_000_000,
  drain: 20,
  lanes: 5_000,
  newcomers: 20,
};
