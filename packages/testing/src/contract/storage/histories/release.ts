import fc from "fast-check";
import { flightOf, type WhichFlight, whichFlight } from "./flight.ts";
import { isOn, land, type Owed } from "./model.ts";
import { type Verb, verb } from "./world.ts";

interface Release {
  readonly flights: readonly WhichFlight[];
  readonly waitMs: number;
}

export const release: Verb = verb<Release>(
  4,
  {
    flights: fc.array(whichFlight, { minLength: 1, maxLength: 4 }),
    waitMs: fc.constantFrom(0, 1, 5_000),
  },
  async ({ storage, model }, { flights, waitMs }) => {
    const given = flights.flatMap((which) => flightOf(model, which) ?? []);
    const dueAt = model.now + waitMs;
    await storage.release(given, dueAt);
    for (const flight of given) {
      if (!isOn(model, flight)) continue;
      land(model.owed.get(flight.deliveryId) as Owed, { status: "waiting", dueAt }, model.now);
    }
  },
);
