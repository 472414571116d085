import type {
  Attempt,
  Claim,
  Delivery,
  DeliveryStatus,
  Flight,
  NewDelivery,
  Next,
} from "./delivery.ts";
import type { Json, NewEvent, StoredEvent } from "./event.ts";
import type { Failing } from "./failing.ts";
import type { GateState } from "./gate.ts";
import type { Abilities, Admission, LaneDefinition, LaneState } from "./lane.ts";
import type { DeliveryOrder, Ruling } from "./order.ts";
import type { Replay, ReplayStep } from "./replay.ts";
import type { InFlight } from "./room.ts";
import type { SubscriptionRecord, SubscriptionStatus } from "./subscription.ts";

/**
 * The durable truth. Everything else may be lost; what a storage has acknowledged may not.
 *
 * Each method is a verb of the domain that no caller composes of two, and one transaction (a claim
 * may be two: what has lapsed is recorded even if nothing can be taken). Rules are
 * handed in as pure functions and run under the storage's locks; a storage decides nothing and
 * owns no clock. Instants are integer epoch milliseconds. Memory is this contract in code, and
 * every sentence below is a case of the published suite (`storageContract`).
 *
 * What comes out is never what went in by reference: callers cannot change the truth by mutation.
 * Every method may be called from any number of processes at once.
 */
export interface Storage<Tx = never> {
  /**
   * Adds events, each with a marker that says "not routed yet", in the order given; all or none.
   *
   * - An event whose id is already stored is not added again, nor marked again: an append whose
   *   answer was lost can be repeated.
   * - An event whose idempotency key its organization has used answers the earlier event, with
   *   `repeated: true`, and adds nothing; also within one call.
   * - With `tx`, it happens on the host's connection and becomes visible when the host commits;
   *   a rollback leaves nothing. A `tx` that this storage does not know, or that is not an open
   *   transaction, throws `unknown_transaction` before anything is written.
   */
  append(events: readonly NewEvent[], tx?: Tx): Promise<readonly Appended[]>;

  /** The same, synchronously, where the host's driver is synchronous. */
  appendSync?(events: readonly NewEvent[], tx: Tx): readonly Appended[];

  /**
   * Takes unrouted events, asks `plan` which deliveries they owe, and stores the answer.
   *
   * - Organizations take turns: `plan` gets one event of each organization, then a second one of each,
   *   and so on; of one organization they come in the order of their commits. Where more are unrouted
   *   than a route takes, each organization has its turn in one of the next routes, however much
   *   others have published, and however many deliveries their events owe.
   * - An event is routed once, whatever the number of routers; a crash before the commit leaves
   *   it unrouted.
   * - `plan` gets the events with every subscription of their organizations as of now, disabled
   *   ones too (deleted ones not), their lanes and gates. It may be called more than once.
   * - An event that the plan answers with a cursor stays unrouted, and is given again with it.
   * - If the plan throws, or what it answers cannot be stored, nothing of it is, and fewer events
   *   are tried. The first one that fails alone is put off, for `putOffMs` of the times it was, and
   *   answered in `unroutable`: it keeps no other event waiting.
   * - Planned deliveries that start now are in flight when it returns, and are in `claims`, each in
   *   a call of its own; the others wait, and their lanes know when they are due.
   * - In a lane with an order, only the first of each queue waits. A delivery whose queue has one
   *   that is pending is queued itself: nothing is due of it until all that were published before
   *   it have ended. Then it waits, due at once; whatever ended the one before it saw to that.
   * - An event whose publish began after another's commit is not routed before it in an
   *   organization that has a lane with an order, whatever the number of routers: what would
   *   overtake an event that another router is busy with is `left` for now. Events that were put
   *   off hold up none.
   */
  route(request: RouteRequest, plan: Plan): Promise<RouteResult>;

  /**
   * Takes due deliveries, lane by lane, as many as `rules.admit` lets through their gates.
   *
   * - First, flights whose lease is over end as lapses: `rules.lapse` says what becomes of each, and
   *   sees what those before it have changed of its subscription. An event that it answers is
   *   appended with what it rules: both, or neither.
   * - A delivery is in at most one flight. Its token is the request's.
   * - The gates that `rules.admit` answers are kept, also where it let nothing through.
   * - While first attempts are due in a lane, at most 30 % of what is taken of it are retries
   *   (rounded up, and on average where claims take few). What was throttled counts as a retry
   *   where each delivery goes alone.
   * - At most `slots` in all, and of one lane and one organization what `perLane` and
   *   `perOrganization` leave beside what is in flight; only lanes that are not parked and that
   *   the request's abilities can serve.
   * - All of that counts calls, and so do gates: each call passes them once. Where more is due in a
   *   lane than calls may go, calls take as many deliveries as `perCall` says of the lane's handler
   *   type, as `inCalls` decides: filled evenly, the earliest first. What was tried goes alone; what
   *   was throttled for free does not count as tried there, and goes before what has come since.
   *   Claims that go together have the same `call` and follow each other in their order; each flight
   *   of a call ends by itself.
   * - Deliveries with two or more lapses are suspects: claimed only with `alone`, one at a time
   *   and nothing else with it. `suspects` tells that some are due.
   * - Organizations take turns: none has a second lane while another that has something due has
   *   none, unless its turn went to a lane whose gates refuse. Where more lanes are due than a claim looks at, each organization has its turn in one
   *   of the next claims, however much is due in others.
   * - Of one organization, lanes whose delivery is due earliest come first (one that was canceled
   *   meanwhile may count once more); one lane's backlog never keeps another lane's first delivery
   *   out. What is free then is shared between organizations, and between the lanes of each.
   * - `nextDueAt` is the earliest instant at which a claim with the same abilities can find
   *   something, leases in flight included; null if there is nothing to wait for.
   */
  claim(request: ClaimRequest, rules: ClaimRules): Promise<ClaimResult>;

  /**
   * Records attempts and ends their flights, each as `apply` decides under the lock.
   *
   * - Accepted only while the delivery is in flight with that token: answers `settled`.
   * - A repeat of an accepted settlement answers `repeated` and changes nothing.
   * - Anything else answers `late`: the attempt is kept, marked late, and changes nothing more.
   * - Attempt, delivery, gates and subscription change together or not at all. An event that
   *   follows is one of them, appended as `append` does: it is routed like any other.
   * - One settlement that cannot be recorded does not keep others from it: they are recorded, and
   *   then its error is thrown.
   * - A delivery that ends is complete at the attempt's `startedAt + durationMs`, and what is next
   *   in its queue is due then.
   */
  settle(settlements: readonly Settlement[], apply: Apply): Promise<readonly SettleResult[]>;

  /**
   * Gives back deliveries that were not started: they wait again, due at `dueAt`, and nothing of
   * them is spent. Releases of flights that are over change nothing.
   */
  release(flights: readonly Flight[], dueAt: number): Promise<void>;

  readonly subscriptions: SubscriptionStore<Tx>;

  readonly history: HistoryReader;

  /**
   * Adds an event and one delivery of it to one subscription, past all matching and every order; the event is not
   * routed. Answers false, and adds nothing, if the organization has no such subscription. Sending
   * the same ids again adds nothing and answers true.
   */
  send(event: StoredEvent, delivery: NewDelivery): Promise<boolean>;

  /**
   * Adds a delivery that repeats one that has ended; both stay in the history. In a lane with an
   * order it goes to the end of its event's queue.
   * A pending one answers `pending`, a deleted subscription's `subscription_deleted`. The same
   * `newId` again adds nothing and answers `created`.
   */
  redeliver(request: RedeliverRequest): Promise<RedeliverResult>;

  /**
   * Ends a pending delivery without sending it. If it is in flight, its result comes late.
   */
  cancel(request: {
    readonly organization: string;
    readonly deliveryId: string;
    readonly reason: string;
    readonly now: number;
  }): Promise<"canceled" | "not_pending" | "not_found">;

  /**
   * Ends at most `max` pending deliveries of a subscription, as `cancel` does: those created from
   * `from` on and before `until`. Answers how many; less than `max` means that it is done.
   */
  cancelAll(request: CancelAllRequest): Promise<number>;

  readonly replays: ReplayStore;

  /**
   * Bounded housekeeping: cancels what still waits for deleted subscriptions, removes those that
   * nothing waits for, and ends deliveries created before `expireBefore` that still wait, parked
   * or not: dead, with a reason that begins with "expired". Answers how many rows it changed; less
   * than `max` means that it is done.
   */
  sweep(request: {
    readonly now: number;
    readonly expireBefore: number;
    readonly max: number;
  }): Promise<number>;

  /**
   * Forgets at most `max` events published before `before` whose deliveries have all ended (and
   * that are routed), with these deliveries and their attempts; of one organization only, if one
   * is given. Answers how many: fewer than `max` where many deliveries go with them, 0 when it is
   * done. Replays that ended before `before` go too.
   */
  prune(request: {
    readonly before: number;
    readonly max: number;
    readonly organization?: string | undefined;
  }): Promise<number>;

  /**
   * Notes that a dispatcher is at work until `aliveUntil`, and forgets those whose instant has
   * passed at `now`: this one too, if it has.
   */
  beat(heartbeat: Heartbeat): Promise<void>;

  /** What is waiting, due or not, and who is at work at `now`. Counts above 10,000 may be given as 10,000. */
  backlog(now: number): Promise<Backlog>;

  /** The storage's own clock, where processes that share it can have different ones. */
  clock?(): Promise<number>;

  /**
   * Releases connections. What is in flight lapses, and every later call rejects. Closing twice is
   * closing once.
   */
  close(): Promise<void>;
}

export interface Appended {
  /** What is stored: the event given, or the earlier one with its idempotency key. */
  readonly event: StoredEvent;
  readonly repeated: boolean;
}

/** On what terms deliveries are taken into flight, in calls of one or of several. */
export interface FlightTerms extends Abilities {
  readonly now: number;
  /** Names the flights that the request begins. Used for one request only. */
  readonly token: string;
  readonly leaseMs: number;
  /** How many calls the process can start at once. */
  readonly slots: number;
  /** How many calls may be of one lane, with what the process has in flight of it. */
  readonly perLane: number;
  /** How many calls may be of one organization, with what the process has in flight. Absent: any. */
  readonly perOrganization?: number;
  /** What the process has in flight already. Absent: nothing. */
  readonly inFlight?: InFlight;
  /** How many deliveries a call may take, by handler type. Absent: one. */
  readonly perCall?: ReadonlyMap<string, number>;
}

export interface RouteRequest extends FlightTerms {
  readonly maxEvents: number;
  readonly maxDeliveries: number;
}

/** An event that is being routed. */
export interface Unrouted {
  readonly event: StoredEvent;
  /** The last subscription (by id) that an earlier route transaction dealt with. */
  readonly after: string | null;
}

/** A subscription that an event might be owed to. */
export interface Candidate {
  readonly subscription: Pick<SubscriptionRecord, "id" | "type" | "eventTypes">;
  readonly lane: LaneState;
  readonly gates: readonly GateState[];
}

export interface RouteInput {
  readonly request: RouteRequest;
  readonly events: readonly Unrouted[];
  /**
   * The organization's subscriptions, in the order of their ids: at least all that one of the events
   * may match. Storage may leave out those that name event types, and none of the events'.
   */
  candidates(organization: string): readonly Candidate[];
}

export interface PlannedDelivery extends NewDelivery {
  /** Whom it follows, in a lane with an order: those with the same queue. See `queueOf`. */
  readonly queue: string;
  /** `start`: in flight at once. A reason: dead from the start. */
  readonly state: "wait" | "start" | { readonly deadReason: string };
}

export interface RoutePlan {
  readonly deliveries: readonly PlannedDelivery[];
  /** Events that owe more than fits: the last subscription dealt with, by event id. */
  readonly cursors: ReadonlyMap<string, string>;
}

/** Which deliveries the events owe, and which of them start at once. Pure. */
export type Plan = (input: RouteInput) => RoutePlan;

export interface RouteResult {
  readonly claims: readonly Claim[];
  /** The events that were routed to the end and that no publisher has announced. */
  readonly unannounced: readonly StoredEvent[];
  /** The event that could not be routed, if there was one, and why. */
  readonly unroutable: Unroutable | null;
  /** How many events it worked on. */
  readonly events: number;
  /** How many it left for now, lest they overtake others: there is more to do in a moment. */
  readonly left: number;
  /** How many deliveries it made. */
  readonly deliveries: number;
}

export interface Unroutable {
  readonly eventId: string;
  readonly error: unknown;
}

export interface ClaimRequest extends FlightTerms {
  /** Take one suspect, or nothing. */
  readonly alone: boolean;
}

export interface ClaimRules {
  admit(gates: readonly GateState[], now: number, wanted: number): Admission;
  lapse(delivery: Delivery, now: number, state: LapseState): Ruling;
}

/** What the rule of lapses sees beside the delivery. */
export interface LapseState {
  /** The order that the delivery keeps to: `none` where it passes beside its lane's. */
  readonly order: DeliveryOrder;
  /** Null once it is deleted. */
  readonly subscription: SubscriptionRecord | null;
}

export interface ClaimResult {
  readonly claims: readonly Claim[];
  readonly nextDueAt: number | null;
  readonly suspects: boolean;
  /** Deliveries whose flight ended as a lapse. */
  readonly lapsed: readonly Delivery[];
}

/** The end of one flight, as the process that flew it reports it. */
export interface Settlement extends Flight {
  /** As it was claimed, and still is: nothing changes of a delivery in flight. */
  readonly delivery: Delivery;
  /** The attempt; whether it counts is for `apply` to say. */
  readonly attempt: Omit<Attempt, "counted" | "late">;
  /**
   * Nothing but this delivery changes: it was delivered, and neither gate, subscription nor state
   * has anything to learn, and none is queued behind it. The storage then need not read or lock them,
   * and may ask `apply` with the delivery as it was claimed, to write what follows if the flight
   * is not over yet.
   */
  readonly plain: boolean;
}

/** What `apply` sees of the truth, under the lock. */
export interface SettleState {
  readonly delivery: Delivery;
  /** Null once it is deleted. Not read for a plain settlement: null as well. */
  readonly subscription: SubscriptionRecord | null;
  readonly gates: readonly GateState[];
  /** The order that the delivery keeps to: `none` where it passes beside its lane's. */
  readonly order: DeliveryOrder;
}

/** What changes when a flight settles; what is absent stays. */
export interface SettleChange {
  readonly next: Next;
  readonly counted: boolean;
  readonly gates?: readonly GateState[];
  readonly subscription?: SubscriptionFindings;
  /** Tells others what follows for the subscription. None follows from a plain settlement. */
  readonly event?: NewEvent;
}

/**
 * What Posthorn finds out about a subscription. Findings raise no version: they are not the
 * customer's. Only switching off does, lest an update that has not seen it switch on again.
 */
export interface SubscriptionFindings {
  readonly status?: SubscriptionStatus;
  readonly statusDetail?: string | null;
  readonly statusCheckedAt?: number;
  /** Sets `enabled` to false, and parks its lane. */
  readonly disabledReason?: string;
  readonly state?: Json;
  readonly failing?: Failing | null;
}

/** What follows from a settlement. Pure: it may be called more than once. */
export type Apply = (settlement: Settlement, state: SettleState) => SettleChange;

export type SettleResult = "settled" | "repeated" | "late";

/** Subscriptions, scoped by organization: a foreign one does not exist. */
export interface SubscriptionStore<Tx = never> {
  /**
   * Adds a subscription with its lane, in the host's transaction if `tx` is given, and answers
   * null; or adds nothing, and answers the subscription with its idempotency key, or id, that the
   * organization already has. Deleting a subscription frees its key.
   */
  create(
    record: SubscriptionRecord,
    lane: LaneDefinition,
    tx?: Tx,
  ): Promise<SubscriptionRecord | null>;

  get(reference: Reference, tx?: Tx): Promise<SubscriptionRecord | null>;

  list(request: PageRequest): Promise<PageOf<SubscriptionRecord>>;

  /**
   * Replaces the record and its lane's definition, if the stored version is still `record.version
   * - 1`; answers false otherwise, and if it is gone. What waits in the lane stays, and is due
   * when it was. Where the order is given up, what was queued waits, due at `record.updatedAt`;
   * where one is introduced, what waits goes on waiting, and what comes later is queued behind it.
   */
  update(record: SubscriptionRecord, lane: LaneDefinition, tx?: Tx): Promise<boolean>;

  /**
   * Takes the subscription out of sight and out of matching at once; its deliveries stay in the
   * history, and those that wait are canceled here or by `sweep`. Answers false if it is gone.
   */
  delete(reference: Reference, now: number, tx?: Tx): Promise<boolean>;

  /** Records findings, if the version is still the one given. */
  report(
    reference: Reference & { readonly version: number },
    findings: SubscriptionFindings,
  ): Promise<void>;

  /**
   * Subscriptions of any organization whose secrets need another key than `keyId`, or whose gates'
   * ids were not made with it: ids above `after`, in the order of ids.
   */
  sealedOtherwise(request: {
    readonly keyId: string;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly SubscriptionRecord[]>;
}

export interface Reference {
  readonly organization: string;
  readonly id: string;
}

/** A page in descending order of ids: newest first. */
export interface PageRequest {
  readonly organization: string;
  /** At most this many. */
  readonly limit: number;
  /** Only ids below this one: the page that follows it. */
  readonly after?: string | undefined;
  /** Only ids above this one: the page that precedes it (the `limit` ids nearest to it). */
  readonly before?: string | undefined;
}

export interface PageOf<Item> {
  readonly items: readonly Item[];
  /** Is there anything older than the page? */
  readonly older: boolean;
  /** Is there anything newer? */
  readonly newer: boolean;
}

/** What happened, scoped by organization. */
export interface HistoryReader {
  event(reference: Reference): Promise<StoredEvent | null>;
  events(
    request: PageRequest & { readonly type?: string | undefined },
  ): Promise<PageOf<StoredEvent>>;
  delivery(reference: Reference): Promise<Delivery | null>;
  deliveries(
    request: PageRequest & {
      readonly subscriptionId?: string | undefined;
      readonly eventId?: string | undefined;
      readonly status?: DeliveryStatus | undefined;
    },
  ): Promise<PageOf<Delivery>>;
  /** The attempts of a delivery, by when they started; none for a foreign one. */
  attempts(reference: Reference): Promise<readonly Attempt[]>;
}

export interface RedeliverRequest extends Reference {
  /** The id of the new delivery. */
  readonly newId: string;
  readonly now: number;
}

export type RedeliverResult = "created" | "not_found" | "pending" | "subscription_deleted";

export interface CancelAllRequest {
  readonly organization: string;
  readonly subscriptionId: string;
  readonly from: number;
  readonly until: number;
  readonly reason: string;
  readonly now: number;
  readonly max: number;
}

/** Replays, scoped by organization. */
export interface ReplayStore {
  /**
   * Begins a replay. Answers false, and begins nothing, if the organization has no such
   * subscription. Beginning one with the same id again answers true and changes nothing.
   */
  create(replay: Replay): Promise<boolean>;

  get(reference: Reference): Promise<Replay | null>;

  list(
    request: PageRequest & { readonly subscriptionId?: string | undefined },
  ): Promise<PageOf<Replay>>;

  /** Ends a running replay; what it has made stays. Answers false if it does not run. */
  cancel(reference: Reference, now: number): Promise<boolean>;

  /**
   * Takes the running replay that has rested for longest one step further: repeats at most `max`
   * of its deliveries, in the order of their ids, each as `redeliver` does.
   *
   * - Deliveries that are pending, that were repeated already, or whose event is gone, are passed
   *   over. A crash before the commit repeats the step, not its deliveries.
   * - A lane in which `max` or more deliveries wait is left alone: a replay never runs ahead of
   *   what its destination bears.
   * - A replay that finds less than `max` is done; one whose subscription is gone is canceled.
   */
  step(request: {
    readonly now: number;
    readonly max: number;
    newId(): string;
  }): Promise<ReplayStep>;
}

/** What a dispatcher says of itself from time to time. */
export interface Heartbeat {
  /** The dispatcher's: each process that begins to deliver has a new one. */
  readonly id: string;
  readonly now: number;
  /** Epoch milliseconds. */
  readonly aliveUntil: number;
}

/** What is waiting in a storage, and for whom, for health checks. */
export interface Backlog {
  /** Events not routed yet. */
  readonly unrouted: number;
  readonly inFlight: number;
  /** Waiting deliveries by what it takes to deliver them. */
  readonly waiting: readonly {
    readonly handlerType: string;
    readonly keyId: string | null;
    readonly count: number;
    readonly oldestDueAt: number;
  }[];
  /** Deliveries that wait in parked lanes; not in `waiting`. */
  readonly parked: number;
  /** Deliveries whose turn has not come, where an order is kept; not in `waiting` or `parked`. */
  readonly queued: number;
  /** Subscriptions whose latest attempts have failed. */
  readonly failing: number;
  /** Gates that let nothing pass: for as long as a destination asked to wait, or open. */
  readonly gates: { readonly paused: number; readonly open: number };
  /** Dispatchers that are at work, in any process. */
  readonly dispatchers: number;
}
