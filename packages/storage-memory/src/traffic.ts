import {
  type Claim,
  type Delivery,
  type DeliveryOrder,
  type FlightTerms,
  isRetry,
  isSerial,
  isSuspect,
  landed,
  type NewDelivery,
  type Next,
  passed,
} from "@posthorn/core";
import { dueQueue } from "./due-queue.ts";
import { enter, leave } from "./queue.ts";
import { gatesOf, type Lane, type Owed, type State } from "./state.ts";

/** A new delivery, which neither waits nor flies yet. */
export function owe(
  { deliveries }: State,
  { occurrence, lane }: Pick<Owed, "occurrence" | "lane">,
  fresh: NewDelivery,
  redeliveryOf: string | null = null,
): Owed {
  const { id, organization, eventId, eventType, subscriptionId, handlerType, createdAt } = fresh;
  const delivery: Delivery = Object.freeze({
    id,
    organization,
    eventId,
    eventType,
    subscriptionId,
    handlerType,
    status: "pending",
    inFlight: false,
    dueAt: null,
    attempts: 0,
    throttles: 0,
    lapses: 0,
    reason: null,
    redeliveryOf,
    createdAt,
    completedAt: null,
  });
  const owed: Owed = { delivery, occurrence, lane, attempts: [], token: null, queue: null };
  deliveries.set(id, owed);
  occurrence.owed.push(owed);
  return owed;
}

export const wait = (state: State, owed: Owed, dueAt: number): void => move(state, owed, { dueAt });

/** Waits, due when it was made, or is queued behind those that its lane's order puts before it. */
export function waitInTurn(state: State, owed: Owed, queue: string, position?: number): void {
  if (isSerial(owed.lane.order) && !enter(owed, queue, position)) return;
  wait(state, owed, owed.delivery.createdAt);
}

/** The order that a delivery keeps to. */
export const orderOf = ({ lane, queue }: Owed): DeliveryOrder =>
  queue === null ? "none" : lane.order;

export const end = (
  state: State,
  owed: Owed,
  { status, reason, now }: { status: "dead" | "canceled"; reason: string; now: number },
): void => move(state, owed, { status, reason, dueAt: null, completedAt: now });

/** A flight is over, and this is what becomes of its delivery. */
export const land = (state: State, owed: Owed, next: Next, now: number): void =>
  move(state, owed, landed(owed.delivery, next, now));

export function fly(
  state: State,
  owed: Owed,
  terms: FlightTerms,
  how: Pick<Claim, "startBy" | "call"> = { startBy: null, call: null },
): Claim {
  move(state, owed, { dueAt: null }, terms);
  return {
    deliveryId: owed.delivery.id,
    subscriptionId: owed.delivery.subscriptionId,
    token: terms.token,
    delivery: owed.delivery,
    event: owed.occurrence.event,
    subscription: owed.lane.record,
    gates: gatesOf(state, owed.lane).map(passed),
    leaseUntil: terms.now + terms.leaseMs,
    ...how,
  };
}

/** The one way in which a delivery changes: out of where it was, into where it belongs. */
function move(state: State, owed: Owed, change: Partial<Delivery>, terms?: FlightTerms): void {
  const { suspects, flights } = state;
  const { lane, waiting } = owed;
  lane.waiting.remove(waiting);
  lane.firsts.remove(owed.first);
  suspects.remove(owed.suspect);
  flights.remove(owed.flying);

  const delivery = Object.freeze({ ...owed.delivery, ...change, inFlight: terms !== undefined });
  const { dueAt } = delivery;
  owed.delivery = delivery;
  owed.token = terms?.token ?? null;
  owed.flying = terms && flights.add(owed, terms.now + terms.leaseMs);
  owed.waiting = dueAt === null ? undefined : lane.waiting.add(owed, dueAt);
  owed.first = dueAt === null || isRetry(delivery) ? undefined : lane.firsts.add(owed, dueAt);
  owed.suspect = dueAt === null || !isSuspect(delivery) ? undefined : suspects.add(owed, dueAt);

  if (waiting !== undefined || dueAt !== null) {
    schedule(state, lane, Math.min(lane.asked?.at ?? 0, dueAt ?? Number.POSITIVE_INFINITY));
  }
  if (delivery.completedAt === null) return;
  const next = leave(owed);
  if (next !== null) wait(state, next, delivery.completedAt);
}

/** Puts a lane where claims find it: at its first delivery that is no suspect, not before `at`. */
export function schedule(state: State, lane: Lane, at: number): void {
  const first = lane.parked ? null : firstSound(lane);
  const askAt = first === null ? null : Math.max(first, at);
  if (lane.asked?.at === askAt) return;
  unschedule(state, lane);
  if (askAt === null) return;
  const { organization } = lane.record;
  const lanes = state.due.get(organization) ?? dueQueue();
  state.due.set(organization, lanes);
  lane.asked = lanes.add(lane, askAt);
}

/** Takes a lane away from where claims find it. */
export function unschedule({ due }: State, lane: Lane): void {
  const { organization } = lane.record;
  const lanes = due.get(organization);
  lanes?.remove(lane.asked);
  if (lanes?.size === 0) due.delete(organization);
  lane.asked = undefined;
}

function firstSound(lane: Lane): number | null {
  for (const { item, at } of lane.waiting) if (!isSuspect(item.delivery)) return at;
  return null;
}
