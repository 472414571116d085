import {
  type Attempt,
  type Claim,
  type Delivery,
  type Flight,
  type FlightTerms,
  type GateState,
  isSuspect,
  type LaneDefinition,
  type NewDelivery,
  type Next,
  passed,
  type Reference,
  type StoredEvent,
  type SubscriptionFindings,
  type SubscriptionRecord,
} from "@posthorn/core";
import { NOW } from "../stage.ts";

/**
 * What the port says is true after what has happened so far. Where it leaves a storage a choice,
 * the model follows what the storage chose.
 */
export interface Model {
  now: number;
  /** How many ids were made. */
  made: number;
  readonly events: Map<string, Published>;
  /** Events that are not routed to the end, in the order of their commits. */
  readonly unrouted: Map<string, Marker>;
  readonly lanes: Map<string, Lane>;
  readonly gates: Map<string, GateState>;
  readonly owed: Map<string, Owed>;
  /** Every flight that ever began, the latest last. */
  readonly flights: Flown[];
}

/** A flight, and the delivery as it was claimed. */
export type Flown = Flight & Pick<Claim, "delivery">;

export interface Published {
  readonly event: StoredEvent;
  readonly key: string | null;
  readonly announced: boolean;
}

export interface Marker {
  /** The last subscription that was dealt with. */
  readonly after: string | null;
  /** How often it could not be routed, and until when it rests. */
  readonly tries: number;
  readonly restsUntil: number;
}

export const NOT_ROUTED: Marker = { after: null, tries: 0, restsUntil: 0 };

export interface Lane {
  record: SubscriptionRecord;
  definition: LaneDefinition;
  parked: boolean;
  deleted: boolean;
  /**
   * From when on its next turn may come, even if what waits is due later: something was canceled,
   * or the subscription was saved.
   */
  turnFrom: number;
  /** When its gates were last asked. */
  askedAt: number;
  /** Until when a rule's answer lets it rest. Suspects rest on their own. */
  restsUntil: number;
  /** How many claims in a row have left it out although it was its turn. */
  leftOut: number;
}

export interface Owed {
  delivery: Delivery;
  readonly lane: Lane;
  flight: { readonly token: string; readonly leaseUntil: number } | null;
  /** Until when a rule's answer lets it rest, as a suspect that waits. */
  restsUntil: number;
  readonly attempts: Attempt[];
}

export const emptyModel = (): Model => ({
  now: NOW,
  made: 0,
  events: new Map(),
  unrouted: new Map(),
  lanes: new Map(),
  gates: new Map(),
  owed: new Map(),
  flights: [],
});

/** A new id. Not always above the one before it, as those of several processes are not. */
export function freshId(model: Model): string {
  model.made += 1;
  return `01a3185c-5000-7000-8000-${(model.made ^ 3).toString(16).padStart(12, "0")}`;
}

export const laneOf = ({ lanes }: Model, { organization, id }: Reference): Lane | null => {
  const lane = lanes.get(id);
  return lane?.record.organization === organization && !lane.deleted ? lane : null;
};

export const gateIdsOf = ({ definition }: Lane): readonly string[] =>
  definition.gates.map(({ id }) => id);

export const gatesOf = ({ gates }: Model, lane: Lane): readonly GateState[] =>
  gateIdsOf(lane).map((id) => gates.get(id) as GateState);

export const isWaiting = ({ delivery, flight }: Owed): boolean =>
  delivery.status === "pending" && flight === null;

export const isOn = ({ owed }: Model, { deliveryId, token }: Flight): boolean =>
  owed.get(deliveryId)?.flight?.token === token;

/** What waits in a lane, by when it is due. */
export const waitingIn = ({ owed }: Model, lane: Lane): readonly Owed[] =>
  [...owed.values()]
    .filter((each) => each.lane === lane && isWaiting(each))
    .sort((a, b) => dueAtOf(a) - dueAtOf(b));

export const dueAtOf = ({ delivery }: Owed): number => delivery.dueAt as number;

export const soundIn = (model: Model, lane: Lane): readonly Owed[] =>
  waitingIn(model, lane).filter(({ delivery }) => !isSuspect(delivery));

export const suspectsIn = (model: Model, lane: Lane): readonly Owed[] =>
  waitingIn(model, lane).filter(({ delivery }) => isSuspect(delivery));

/** A delivery that did not exist, and waits. */
export function owe(model: Model, fresh: NewDelivery, redeliveryOf: string | null = null): Owed {
  const { id, organization, eventId, eventType, subscriptionId, handlerType, createdAt } = fresh;
  const owed: Owed = {
    delivery: {
      id,
      organization,
      eventId,
      eventType,
      subscriptionId,
      handlerType,
      status: "pending",
      inFlight: false,
      dueAt: createdAt,
      attempts: 0,
      throttles: 0,
      lapses: 0,
      reason: null,
      redeliveryOf,
      createdAt,
      completedAt: null,
    },
    lane: model.lanes.get(subscriptionId) as Lane,
    flight: null,
    restsUntil: 0,
    attempts: [],
  };
  model.owed.set(id, owed);
  return owed;
}

/** Takes a delivery into flight; answers the claim that the storage has to answer. */
export function fly(
  model: Model,
  owed: Owed,
  { now, leaseMs, token }: FlightTerms,
  { startBy, call }: Pick<Claim, "startBy" | "call">,
): Claim {
  owed.flight = { token, leaseUntil: now + leaseMs };
  owed.delivery = { ...owed.delivery, inFlight: true, dueAt: null };
  const { delivery, lane } = owed;
  const flight = {
    deliveryId: delivery.id,
    subscriptionId: delivery.subscriptionId,
    token,
    delivery,
  };
  model.flights.push(flight);
  return {
    ...flight,
    event: (model.events.get(delivery.eventId) as Published).event,
    subscription: lane.record,
    gates: gatesOf(model, lane).map(passed),
    leaseUntil: now + leaseMs,
    startBy,
    call,
  };
}

/** Ends a flight, or what waits. */
export function land(owed: Owed, next: Next, at: number): void {
  const { delivery, lane } = owed;
  if (isWaiting(owed)) lane.turnFrom = Math.min(lane.turnFrom, dueAtOf(owed));
  const waits = next.status === "waiting";
  owed.flight = null;
  owed.restsUntil = 0;
  owed.delivery = {
    ...delivery,
    inFlight: false,
    status: waits ? "pending" : next.status,
    dueAt: waits ? next.dueAt : null,
    completedAt: waits ? null : at,
    attempts: next.attempts ?? delivery.attempts,
    throttles: next.throttles ?? delivery.throttles,
    lapses: next.lapses ?? delivery.lapses,
    reason: next.status === "delivered" ? null : (next.reason ?? delivery.reason),
  };
}

export const learned = (
  record: SubscriptionRecord,
  findings: SubscriptionFindings,
): SubscriptionRecord => ({
  ...record,
  ...findings,
  ...(findings.disabledReason !== undefined && {
    enabled: false,
    version: record.version + (record.enabled ? 1 : 0),
  }),
});

export function learn(lane: Lane, findings: SubscriptionFindings): void {
  lane.record = learned(lane.record, findings);
  if (findings.disabledReason !== undefined) lane.parked = true;
}
