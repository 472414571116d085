import type { Attempt, Delivery } from "@posthorn/core";
import type { TYPES } from "./orders.ts";

/** A subscription, as the host knows it. */
export interface Subscribed {
  readonly id: string;
  readonly organization: string;
  /** Names, or beginnings of names that end in `*`. */
  readonly eventTypes: readonly string[];
}

/** An event of the host: it names its events itself, so that nothing of Posthorn's is believed. */
export interface Order {
  readonly label: string;
  readonly organization: string;
  readonly type: (typeof TYPES)[number];
  /** When it was published: epoch milliseconds. */
  readonly at: number;
}

/** What the receiver wrote down about one request, before it answered. */
export interface Arrival {
  readonly at: number;
  readonly label: string;
  readonly delivery: string;
  readonly subscription: string;
  /** The dispatcher that sent it. Each start of a process has a name of its own. */
  readonly process: string;
  readonly status: number;
}

/** What was done to a process; to all of them if `process` is null. */
export interface Fault {
  readonly kind: "kill" | "stop" | "cut" | "database stop";
  readonly process: string | null;
  readonly from: number;
  readonly to: number;
}

/** A delivery and its attempts, as the storage remembers them. */
export interface Remembered extends Delivery {
  readonly attemptLog: readonly Attempt[];
}

/** Everything that is known after a run. */
export interface Evidence {
  /** How many processes were killed. */
  readonly kills: number;
  readonly subscriptions: readonly Subscribed[];
  /** What is true: rows of the host's own table, and publishes that were acknowledged. */
  readonly committed: readonly Order[];
  readonly arrivals: readonly Arrival[];
  readonly faults: readonly Fault[];
  readonly deliveries: readonly Remembered[];
  readonly maxAttempts: number;
  readonly maxLapses: number;
  /** From the arrival of a request to the commit of its settlement it takes at most this long. */
  readonly settleMs: number;
}
