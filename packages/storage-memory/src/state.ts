import {
  type Attempt,
  type Delivery,
  type GateState,
  PosthornError,
  type Reference,
  type StoredEvent,
  type SubscriptionRecord,
  type Unrouted,
} from "@posthorn/core";
import { type DueQueue, dueQueue, type Entry } from "./due-queue.ts";
import { frozen } from "./frozen.ts";

/** An event with what is owed of it. */
export interface Occurrence {
  readonly event: StoredEvent;
  readonly key: string | null;
  readonly announced: boolean;
  readonly owed: Owed[];
}

/** A subscription with its queue. */
export interface Lane {
  record: SubscriptionRecord;
  keyId: string | null;
  gateKeyId: string | null;
  parked: boolean;
  deleted: boolean;
  gateIds: readonly string[];
  readonly waiting: DueQueue<Owed>;
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
  waiting?: Entry<Owed> | undefined;
  suspect?: Entry<Owed> | undefined;
  flying?: Entry<Owed> | undefined;
}

export interface State {
  readonly events: Map<string, Occurrence>;
  readonly eventsByKey: Map<string, Occurrence>;
  readonly unrouted: Map<string, Unrouted>;
  readonly deliveries: Map<string, Owed>;
  readonly lanes: Map<string, Lane>;
  /** Those that are not deleted, by organization and id. */
  readonly rosters: Map<string, readonly Lane[]>;
  readonly gates: Map<string, GateState>;
  /** Lanes, by when their first delivery that is no suspect is due. */
  readonly due: DueQueue<Lane>;
  readonly suspects: DueQueue<Owed>;
  /** What is in flight, by the end of its lease. */
  readonly flights: DueQueue<Owed>;
  closed: boolean;
}

export const emptyState = (): State => ({
  events: new Map(),
  eventsByKey: new Map(),
  unrouted: new Map(),
  deliveries: new Map(),
  lanes: new Map(),
  rosters: new Map(),
  gates: new Map(),
  due: dueQueue(),
  suspects: dueQueue(),
  flights: dueQueue(),
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
