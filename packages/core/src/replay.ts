/** An order to deliver again what a subscription was owed in some time, step by step. */
export interface Replay {
  /** UUIDv7. */
  readonly id: string;
  readonly organization: string;
  readonly subscriptionId: string;
  /** Deliveries that were created from then on (epoch milliseconds) … */
  readonly from: number;
  /** … and before then; never later than the replay itself. */
  readonly until: number;
  /** Those that died, or all that have ended. What was repeated already is not repeated again. */
  readonly which: "dead" | "all";
  readonly status: ReplayStatus;
  /** How many deliveries it has made so far. */
  readonly redelivered: number;
  readonly createdAt: number;
  /** When it was done, or canceled (epoch milliseconds); null while it runs. */
  readonly endedAt: number | null;
}

export type ReplayStatus = "running" | "done" | "canceled";

/** What one step of replays did. */
export interface ReplayStep {
  /** How many deliveries it made. */
  readonly made: number;
  /** Whether a replay goes on, now or once its lane has less waiting. */
  readonly running: boolean;
  /** The replay that ended with this step, if one did. */
  readonly ended: Replay | null;
}
