import fc from "fast-check";
import { pick } from "./lists.ts";
import { type Flown, freshId, isOn, type Model } from "./model.ts";
import { which } from "./world.ts";

/** A flight that is on, one that is over, one with a wrong token, or one of no known delivery. */
export interface WhichFlight {
  readonly kind: "on" | "over" | "mistaken" | "unknown";
  readonly number: number;
}

export const whichFlight: fc.Arbitrary<WhichFlight> = fc.record({
  kind: fc.oneof(
    { withCrossShrink: true },
    { weight: 12, arbitrary: fc.constant<WhichFlight["kind"]>("on") },
    { weight: 4, arbitrary: fc.constant<WhichFlight["kind"]>("over") },
    { weight: 1, arbitrary: fc.constantFrom<WhichFlight["kind"]>("mistaken", "unknown") },
  ),
  number: which,
});

/** Undefined if there is none. */
export function flightOf(model: Model, { kind, number }: WhichFlight): Flown | undefined {
  const known = pick(
    model.flights.filter(
      (flight) => kind === "mistaken" || isOn(model, flight) === (kind === "on"),
    ),
    number,
  );
  if (known === undefined || kind === "on" || kind === "over") return known;
  const token = freshId(model);
  return kind === "mistaken"
    ? { ...known, token }
    : { ...known, token, deliveryId: freshId(model) };
}
