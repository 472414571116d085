import {
  type Claim,
  type Delivery,
  type FlightTerms,
  isSuspect,
  type NewDelivery,
  type Next,
} from "@posthorn/core";
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
  const owed: Owed = { delivery, occurrence, lane, attempts: [], token: null };
  deliveries.set(id, owed);
  occurrence.owed.push(owed);
  return owed;
}

export const wait = (state: State, owed: Owed, dueAt: number): void => move(state, owed, { dueAt });

export const end = (
  state: State,
  owed: Owed,
  { status, reason, now }: { status: "dead" | "canceled"; reason: string; now: number },
): void => move(state, owed, { status, reason, dueAt: null, completedAt: now });

/** A flight is over, and this is what becomes of its delivery. */
export function land(state: State, owed: Owed, next: Next, now: number): void {
  const { attempts, throttles, lapses, reason } = owed.delivery;
  const counters = {
    attempts: next.attempts ?? attempts,
    throttles: next.throttles ?? throttles,
    lapses: next.lapses ?? lapses,
  };
  if (next.status === "waiting") {
    move(state, owed, { ...counters, dueAt: next.dueAt, reason: next.reason ?? reason });
  } else {
    const why = next.status === "delivered" ? null : next.reason;
    move(state, owed, { ...counters, status: next.status, reason: why, completedAt: now });
  }
}

export function fly(
  state: State,
  owed: Owed,
  terms: FlightTerms,
  startBy: number | null = null,
): Claim {
  move(state, owed, { dueAt: null }, terms);
  return {
    deliveryId: owed.delivery.id,
    subscriptionId: owed.delivery.subscriptionId,
    token: terms.token,
    delivery: owed.delivery,
    event: owed.occurrence.event,
    subscription: owed.lane.record,
    gates: gatesOf(state, owed.lane).map(({ id, name, epoch }) => ({ id, name, epoch })),
    leaseUntil: terms.now + terms.leaseMs,
    startBy,
  };
}

/** The one way in which a delivery changes: out of where it was, into where it belongs. */
function move(state: State, owed: Owed, change: Partial<Delivery>, terms?: FlightTerms): void {
  const { suspects, flights } = state;
  const { lane, waiting } = owed;
  lane.waiting.remove(waiting);
  suspects.remove(owed.suspect);
  flights.remove(owed.flying);

  const delivery = Object.freeze({ ...owed.delivery, ...change, inFlight: terms !== undefined });
  const { dueAt } = delivery;
  owed.delivery = delivery;
  owed.token = terms?.token ?? null;
  owed.flying = terms && flights.add(owed, terms.now + terms.leaseMs);
  owed.waiting = dueAt === null ? undefined : lane.waiting.add(owed, dueAt);
  owed.suspect = dueAt === null || !isSuspect(delivery) ? undefined : suspects.add(owed, dueAt);

  if (waiting === undefined && dueAt === null) return;
  schedule(state, lane, Math.min(lane.asked?.at ?? 0, dueAt ?? Number.POSITIVE_INFINITY));
}

/** Puts a lane where claims find it: at its first delivery that is no suspect, not before `at`. */
export function schedule({ due }: State, lane: Lane, at: number): void {
  const first = lane.parked ? null : firstSound(lane);
  const askAt = first === null ? null : Math.max(first, at);
  if (lane.asked?.at === askAt) return;
  due.remove(lane.asked);
  lane.asked = askAt === null ? undefined : due.add(lane, askAt);
}

function firstSound(lane: Lane): number | null {
  for (const { item, at } of lane.waiting) if (!isSuspect(item.delivery)) return at;
  return null;
}
