import {
  freshGate,
  type GateDefinition,
  type LaneDefinition,
  type RateLimit,
  type SubscriptionRecord,
} from "@posthorn/core";
import fc from "fast-check";
import type { Lane, Model } from "./model.ts";
import { type Draw, type Ending, ending, seldom } from "./world.ts";

/** What a customer asks for. */
export interface Wish {
  readonly eventTypes: readonly string[];
  readonly keyId: string | null;
  readonly gates: readonly number[];
  /** The gates have other limits than usual, and another key made their ids. */
  readonly isOther: true | undefined;
  readonly isOff: true | undefined;
  readonly tx: Ending;
}

export const wish: Draw<Wish> = {
  eventTypes: fc.constantFrom(
    ["*"],
    ["thing_made", "webhook_disabled"],
    ["other", "thing_*"],
    ["other"],
  ),
  keyId: fc.constantFrom(null, "key-1", "key-2"),
  gates: fc.constantFrom([], [0], [1], [0, 2], [2, 1]),
  isOther: seldom(fc.constant(true)),
  isOff: seldom(fc.constant(true)),
  tx: ending,
};

const LIMITS: readonly (RateLimit | null)[] = [
  null,
  { limit: 1, perMs: 1_000 },
  { limit: 2, perMs: 1_000, burst: 3 },
];

export const definitionOf = (
  { organization, order, enabled }: SubscriptionRecord,
  { gates, isOther, keyId }: Pick<Wish, "gates" | "isOther" | "keyId">,
): LaneDefinition => ({
  gates: gates.map(
    (number): GateDefinition => ({
      id: `gate-${number} of ${organization}`,
      name: `gate ${number}`,
      limit: LIMITS[(number + (isOther ? 1 : 0)) % LIMITS.length] ?? null,
    }),
  ),
  keyId,
  gateKeyId: gates.length === 0 ? null : isOther ? "key-2" : "key-1",
  order,
  parked: !enabled,
});

export function define(
  { gates, lanes }: Model,
  lane: Lane,
  record: SubscriptionRecord,
  definition: LaneDefinition,
): void {
  lane.record = record;
  lane.definition = definition;
  lane.parked = definition.parked;
  lane.restsUntil = 0;
  lane.turnFrom = 0;
  for (const gate of definition.gates) {
    gates.set(gate.id, { ...freshGate(gate), ...gates.get(gate.id), ...gate });
  }
  // Its next turn may come at once, whomever it overtakes.
  for (const other of lanes.values()) other.leftOut = 0;
}
