import {
  type GateDefinition,
  type GateState,
  isCalm,
  opensAt,
  pass,
  room,
  START_WITHIN_MS,
} from "./gate.ts";
import { type DeliveryOrder, isSerial } from "./order.ts";

/** What storage is told of a subscription's queue, whenever the subscription is saved. */
export interface LaneDefinition {
  /** The gates that each of its deliveries passes. */
  readonly gates: readonly GateDefinition[];
  /** The key that opens the subscription's secrets; null if it has none. */
  readonly keyId: string | null;
  /** The key that made the gates' ids; null without gates, and without keys. */
  readonly gateKeyId: string | null;
  readonly order: DeliveryOrder;
  /** A disabled subscription's lane keeps what it has, and nothing in it is due. */
  readonly parked: boolean;
}

/** A subscription's queue, as the rules see it. Its deliveries are rows of their own. */
export interface LaneState {
  readonly subscriptionId: string;
  readonly organization: string;
  readonly handlerType: string;
  readonly keyId: string | null;
  readonly order: DeliveryOrder;
  readonly parked: boolean;
  readonly gateIds: readonly string[];
  /**
   * When to look for its earliest waiting delivery: never later than that is due, or its gates
   * let it through; null if none waits.
   */
  readonly nextDueAt: number | null;
}

/** What a process can do: deliveries of other lanes are left to processes that can. */
export interface Abilities {
  readonly handlerTypes: readonly string[];
  readonly keyIds: readonly string[];
}

/** Can a process with these abilities deliver what is in the lane? */
export const canServe = (
  lane: Pick<LaneState, "handlerType" | "keyId">,
  { handlerTypes, keyIds }: Abilities,
): boolean =>
  handlerTypes.includes(lane.handlerType) && (lane.keyId === null || keyIds.includes(lane.keyId));

/** What a lane's gates grant to a claim. */
export interface Admission {
  /** How many calls may go. */
  readonly count: number;
  /** The lane's gates after they went. */
  readonly gates: readonly GateState[];
  /** When the lane may be asked again (epoch milliseconds). */
  readonly againAt: number;
  /** A rate-limited delivery that has not started by then must be given back. */
  readonly startBy: number | null;
}

/**
 * How many of the calls that are `wanted` for a lane may go at `now`: the least room of its gates.
 * Each that goes passes every gate, with however many deliveries.
 */
export function admit(gates: readonly GateState[], now: number, wanted: number): Admission {
  const count = gates.reduce((least, gate) => room(gate, now, least), wanted);
  const after = gates.map((gate) => pass(gate, now, count));
  return {
    count,
    gates: after,
    againAt: after.reduce((latest, gate) => Math.max(latest, opensAt(gate, now)), now),
    startBy: gates.some(({ limit }) => limit !== null) ? now + START_WITHIN_MS : null,
  };
}

/**
 * May new deliveries of this lane start without passing through a claim? Only if they overtake
 * nothing, no order binds them, no gate counts them, and none has anything to learn from them.
 */
export function isFree(lane: LaneState, gates: readonly GateState[], now: number): boolean {
  const nothingDue = lane.nextDueAt === null || lane.nextDueAt > now;
  return (
    !lane.parked &&
    !isSerial(lane.order) &&
    nothingDue &&
    gates.every((gate) => gate.limit === null && gate.pausedUntil <= now && isCalm(gate))
  );
}
