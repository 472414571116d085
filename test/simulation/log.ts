import type { Remembered } from "../crash/evidence.ts";

/** What the host calls an event; those that Posthorn makes itself have no name but their id. */
export const labelOf = (id: string, payload: string): string =>
  (JSON.parse(payload) as { readonly label?: string }).label ?? `own ${id}`;

/** What is written down of a run, by the world and not by Posthorn. `at` is the true time. */
export type Entry =
  | Publishing
  | Acknowledged
  | Acting
  | Stored
  | Subscribed
  | Unsubscribed
  | Routed
  | Claimed
  | Settled
  | Released
  | Made
  | Found
  | Pruned
  | Sent
  | Taken
  | Landed
  | Struck
  | Lost
  | Stopped
  | Recalled;

/** A host begins to publish. */
interface Publishing {
  readonly type: "publishing";
  readonly at: number;
  readonly process: string;
  readonly label: string;
}

/** A host was told that its event is committed. */
interface Acknowledged {
  readonly type: "acknowledged";
  readonly at: number;
  readonly label: string;
}

/** Somebody begins to do something to a subscription. */
interface Acting {
  readonly type: "acting";
  readonly at: number;
  readonly what: string;
  readonly subscriptionId: string;
}

/** An event is in the storage, committed. */
export interface Stored {
  readonly type: "stored";
  readonly at: number;
  readonly event: {
    readonly id: string;
    readonly label: string;
    /** The subscription that it tells of, which is not told itself; null for all that hosts publish. */
    readonly about: string | null;
    readonly organization: string;
    readonly type: string;
    readonly orderingKey: string | null;
    readonly idempotencyKey: string | null;
    /** As the event itself says. */
    readonly publishedAt: number;
  };
}

export interface GateNamed {
  readonly id: string;
  readonly name: string;
  readonly limit: { readonly limit: number; readonly perMs: number; readonly burst: number } | null;
}

/** A subscription was created or changed, by its owner. */
export interface Subscribed {
  readonly type: "subscribed";
  readonly at: number;
  readonly id: string;
  readonly organization: string;
  readonly handlerType: string;
  readonly keyId: string | null;
  readonly eventTypes: readonly string[];
  readonly order: "none" | "skip_dead" | "stop_at_dead";
  readonly enabled: boolean;
  readonly version: number;
  /** Names what its owner configured. */
  readonly tag: string;
  /** How many attempts have failed in a row, as is remembered with it. */
  readonly failures: number;
  readonly gates: readonly GateNamed[];
}

interface Unsubscribed {
  readonly type: "unsubscribed";
  readonly at: number;
  readonly id: string;
}

/** What a process asked for when it asked for work. */
interface Asked {
  readonly at: number;
  readonly process: string;
  /** When the process sent the request. */
  readonly sentAt: number;
  /** What time it was, by its own account. */
  readonly now: number;
  readonly token: string;
  readonly slots: number;
  readonly handlerTypes: readonly string[];
  readonly keyIds: readonly string[];
  readonly claims: readonly Flown[];
}

/** A delivery that was taken into flight. */
export interface Flown {
  readonly deliveryId: string;
  readonly subscriptionId: string;
  readonly leaseUntil: number;
  readonly startBy: number | null;
  /** The subscription, as it was handed out. */
  readonly version: number;
  readonly failures: number;
  /** The delivery, as it was handed out. */
  readonly attempts: number;
  readonly throttles: number;
  readonly lapses: number;
  readonly gates: readonly { readonly id: string; readonly name: string; readonly epoch: number }[];
  /** The call that it goes in with others; null if it goes alone. */
  readonly call: string | null;
}

export interface Routed extends Asked {
  readonly type: "routed";
  /** Those that were routed, or on the way to it. */
  readonly events: readonly {
    readonly id: string;
    /** The last subscription that was dealt with before, and now; null if there was none, or all were. */
    readonly after: string | null;
    readonly cursor: string | null;
  }[];
  readonly deliveries: readonly {
    readonly id: string;
    readonly eventId: string;
    readonly subscriptionId: string;
    readonly state: "wait" | "start" | "dead";
  }[];
}

export interface Claimed extends Asked {
  readonly type: "claimed";
  readonly alone: boolean;
  readonly perLane: number;
  /** How many deliveries a call may take, by handler type. */
  readonly perCall: ReadonlyMap<string, number>;
  /** When the gates that were asked have room again, by their own reckoning, before this claim: epoch microseconds. */
  readonly tats: ReadonlyMap<string, number>;
  /** What the process has in flight already, by subscription. */
  readonly inFlight: ReadonlyMap<string, number>;
  readonly lapsed: readonly {
    readonly id: string;
    readonly status: Status;
    readonly lapses: number;
    /** Its subscription was switched off for it. */
    readonly disabled: boolean;
  }[];
  readonly nextDueAt: number | null;
}

export type Status = "pending" | "delivered" | "dead" | "canceled";

export interface GateSeen {
  readonly epoch: number;
  readonly openUntil: number | null;
  /** All that its breaker remembers, as text. */
  readonly breaker: string;
}

/** Flights were reported to have ended. */
interface Settled {
  readonly type: "settled";
  readonly at: number;
  readonly process: string;
  readonly flights: readonly SettledFlight[];
}

export interface SettledFlight {
  readonly deliveryId: string;
  readonly token: string;
  readonly result: "settled" | "repeated" | "late";
  readonly outcome: string;
  readonly endedAt: number;
  /** Reported as something that nobody has to learn from. */
  readonly plain: boolean;
  /** What follows, if it was accepted. */
  readonly change: {
    readonly status: Status;
    readonly dueAt: number | null;
    readonly counted: boolean;
    readonly throttles: number;
    readonly lapses: number;
    /** Its subscription was switched off with it. */
    readonly disabled: boolean;
    readonly gates: readonly {
      readonly id: string;
      readonly before: GateSeen;
      readonly after: GateSeen;
    }[];
  } | null;
}

/** Flights were given back. */
interface Released {
  readonly type: "released";
  readonly at: number;
  readonly process: string;
  readonly flights: readonly { readonly deliveryId: string; readonly token: string }[];
  readonly dueAt: number;
}

/** Deliveries were made without a route: sent, redelivered or replayed. */
export interface Made {
  readonly type: "made";
  readonly at: number;
  readonly deliveries: readonly {
    readonly id: string;
    readonly eventId: string;
    readonly subscriptionId: string;
    readonly redeliveryOf: string | null;
    readonly createdAt: number;
  }[];
}

/** Deliveries that ended by something that named none of them. */
interface Found {
  readonly type: "found";
  readonly at: number;
  readonly by: string;
  readonly now: number;
  readonly deliveries: readonly { readonly id: string; readonly status: Status }[];
}

/** Events were forgotten, with these deliveries. */
interface Pruned {
  readonly type: "pruned";
  readonly at: number;
  readonly before: number;
  readonly events: readonly string[];
  readonly deliveries: readonly string[];
}

/** A handler began to send. */
export interface Sent {
  readonly type: "sent";
  readonly at: number;
  readonly send: number;
  /** The first of those that went with it, in one request; itself if it went alone. */
  readonly call: number;
  readonly process: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly label: string;
  readonly organization: string;
  readonly subscriptionId: string;
  readonly handlerType: string;
  /** What the handler was configured with. */
  readonly tag: string;
  readonly secret: string | null;
}

/** The receiver has it, whatever the sender will hear. */
interface Taken {
  readonly type: "taken";
  readonly at: number;
  readonly send: number;
}

/** A handler answered its bus. */
export interface Landed {
  readonly type: "landed";
  readonly at: number;
  readonly send: number;
  readonly outcome: string;
  readonly askedMs: number;
  readonly gate: string | null;
  /** The bus was stopping and had told the handler to end. */
  readonly interrupted: boolean;
}

/** Something was done to a process; to all of them if it is null. */
export interface Struck {
  readonly type: "struck";
  readonly at: number;
  readonly what: "kill" | "pause" | "stop" | "restart";
  readonly process: string | null;
  readonly until: number;
}

/** A process was told that a call of the storage failed. */
export interface Lost {
  readonly type: "lost";
  readonly at: number;
  readonly process: string;
  readonly method: string;
  /** Before it had an effect, or after. */
  readonly when: "before" | "after";
}

/** What the storage remembers of a delivery in the end. */
interface Recalled {
  readonly type: "recalled";
  readonly at: number;
  readonly delivery: Remembered;
}

/** A bus has stopped, as far as it says. */
interface Stopped {
  readonly type: "stopped";
  readonly at: number;
  readonly process: string;
  readonly askedAt: number;
  readonly deadlineMs: number;
}
