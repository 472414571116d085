import {
  type Attempt,
  type Delivery,
  type DeliveryOrder,
  type GateState,
  PosthornError,
  type Reference,
  type Replay,
  type StoredEvent,
  type SubscriptionRecord,
  type Unrouted,
} from "@posthorn/core";
import { type DueQueue, dueQueue, type Entry } from "./due-queue.ts";
import { frozen } from "./frozen.ts";
import type { Queue } from "./queue.ts";

/** An event with what is owed of it. */
export interface Occurrence {
  readonly event: StoredEvent;
  readonly key: string | null;
  readonly announced: boolean;
  /** Its place among all events. */
  readonly position: number;
  /** Whom its deliveries follow, where an order is kept. */
  readonly queue: string;
  readonly owed: Owed[];
}

/** A subscription with its queue. */
export interface Lane {
  record: SubscriptionRecord;
  keyId: string | null;
  gateKeyId: string | null;
  order: DeliveryOrder;
  parked: boolean;
  deleted: boolean;
  gateIds: readonly string[];
  readonly waiting: DueQueue<Owed>;
  /** What of it was not tried yet. */
  readonly firsts: DueQueue<Owed>;
  /** What keeps to its order, by ordering key. */
  readonly queues: Map<string, Queue>;
  /** Where claims find the lane. */
  asked?: Entry<Lane> | undefined;
}

/** A delivery with its attempts, and where it waits or flies. */
export interface Owed {
  delivery: Delivery;
  readonly occurrence: Occurrence;
  readonly lane: Lane;
  readonly attempts: Attempt[];
  token: string | null;
  /** The queue that it is in; null if it keeps to no order, and once it has ended. */
  queue: string | null;
  /** Its place behind the first of that queue. */
  queued?: Entry<Owed> | undefined;
  waiting?: Entry<Owed> | undefined;
  first?: Entry<Owed> | undefined;
  suspect?: Entry<Owed> | undefined;
  flying?: Entry<Owed> | undefined;
}

export interface State {
  readonly events: Map<string, Occurrence>;
  readonly eventsByKey: Map<string, Occurrence>;
  /** Events to be routed by organization and id, in the order of their commits. */
  readonly unrouted: Map<string, Map<string, Unrouted>>;
  /** Events that could not be routed: how often, and before when they are not tried again. */
  readonly putOff: Map<string, { readonly tries: number; readonly until: number }>;
  readonly deliveries: Map<string, Owed>;
  readonly lanes: Map<string, Lane>;
  /** Those that are not deleted, by organization and id. */
  readonly rosters: Map<string, readonly Lane[]>;
  readonly gates: Map<string, GateState>;
  /** Lanes by organization, and by when their first delivery that is no suspect is due. */
  readonly due: Map<string, DueQueue<Lane>>;
  /** When organizations last had a turn: in which claim. */
  readonly turns: Map<string, number>;
  /** How many claims took something. */
  claims: number;
  /** When events of organizations were last routed: in which route. */
  readonly routed: Map<string, number>;
  routes: number;
  readonly suspects: DueQueue<Owed>;
  /** What is in flight, by the end of its lease. */
  readonly flights: DueQueue<Owed>;
  readonly replays: Map<string, Replaying>;
  /** How many events were added so far. */
  added: number;
  /** Until when who delivers is at work. */
  readonly dispatchers: Map<string, number>;
  closed: boolean;
}

/** A replay, with how far it has come and when it last went on. */
export interface Replaying {
  replay: Replay;
  after: string;
  steppedAt: number;
}

export const emptyState = (): State => ({
  events: new Map(),
  eventsByKey: new Map(),
  unrouted: new Map(),
  putOff: new Map(),
  deliveries: new Map(),
  lanes: new Map(),
  rosters: new Map(),
  gates: new Map(),
  due: new Map(),
  turns: new Map(),
  claims: 0,
  routed: new Map(),
  routes: 0,
  suspects: dueQueue(),
  flights: dueQueue(),
  replays: new Map(),
  added: 0,
  dispatchers: new Map(),
  closed: false,
});

/** Every method of the storage begins with it. */
export function ready({ closed }: State, tx?: unknown): void {
  if (closed) {
    throw new PosthornError(
      "bus_stopped",
      "This memory storage was closed, and what it held is gone. Create a new one with memoryStorage().",
    );
  }
  if (tx !== undefined) {
    throw new PosthornError(
      "unknown_transaction",
      "The memory storage knows no transactions. Call it without `tx`, or use a storage that knows yours; `createTestBus` of @posthorn/testing understands transactions.",
    );
  }
}

export function findLane({ lanes }: State, { organization, id }: Reference): Lane | null {
  const lane = lanes.get(id);
  return lane?.record.organization === organization && !lane.deleted ? lane : null;
}

export function findOwed({ deliveries }: State, { organization, id }: Reference): Owed | null {
  const owed = deliveries.get(id);
  return owed?.delivery.organization === organization ? owed : null;
}

export const gatesOf = ({ gates }: State, { gateIds }: Lane): readonly GateState[] =>
  gateIds.map((id) => gates.get(id) as GateState);

export function keepGates({ gates }: State, states: Iterable<GateState>): void {
  for (const gate of states) gates.set(gate.id, frozen(gate));
}
