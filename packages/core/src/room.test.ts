import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countFlights, roomIn } from "./room.ts";

const places = fc.record({
  subscriptionId: fc.constantFrom("s1", "s2", "s3"),
  organization: fc.constantFrom("a", "b"),
});
const cap = fc.integer({ min: 1, max: 6 });

describe("room", () => {
  it("is what slots, lane and organization all leave", () => {
    const flights = countFlights();
    const place = { subscriptionId: "s", organization: "acme" };
    flights.begin(place);
    const terms = { slots: 9, perLane: 3, perOrganization: 5, inFlight: flights };
    expect(roomIn(terms).of(place)).toBe(2);
    expect(roomIn({ ...terms, perOrganization: 2 }).of(place)).toBe(1);
    expect(roomIn({ ...terms, slots: 0 }).of(place)).toBe(0);
    expect(roomIn({ slots: 9, perLane: 3 }).of(place)).toBe(3);
    expect(roomIn(terms).ofOrganization("acme")).toBe(4);
    expect(roomIn({ ...terms, perOrganization: 1 }).ofOrganization("acme")).toBe(0);
    expect(roomIn(terms).ofOrganization("umbrella")).toBe(5);
  });

  it("never lets more fly than any limit says, whatever began and ended before", () => {
    fc.assert(
      fc.property(
        fc.array(places, { maxLength: 40 }),
        fc.array(fc.boolean(), { maxLength: 40 }),
        cap,
        cap,
        (wishes, ends, perLane, perOrganization) => {
          const flights = countFlights();
          for (const [index, place] of wishes.entries()) {
            const room = roomIn({ slots: 1, perLane, perOrganization, inFlight: flights });
            if (room.of(place) === 1) flights.begin(place);
            for (const count of flights.byLane.values()) expect(count).toBeLessThanOrEqual(perLane);
            for (const count of flights.byOrganization.values()) {
              expect(count).toBeLessThanOrEqual(perOrganization);
            }
            const isIn = (flights.byLane.get(place.subscriptionId) ?? 0) > 0;
            const isOf = (flights.byOrganization.get(place.organization) ?? 0) > 0;
            if (ends[index] && isIn && isOf) flights.end(place);
          }
        },
      ),
    );
  });

  it("is used up by what is taken of it", () => {
    fc.assert(
      fc.property(
        fc.array(places),
        fc.nat(9),
        cap,
        cap,
        (wishes, slots, perLane, perOrganization) => {
          const room = roomIn({ slots, perLane, perOrganization });
          let taken = 0;
          for (const place of wishes) {
            const before = room.of(place);
            if (before === 0) continue;
            room.take(place, 1);
            taken += 1;
            expect(room.of(place)).toBe(before - 1);
          }
          expect(taken).toBeLessThanOrEqual(slots);
        },
      ),
    );
  });

  it("remembers nothing of flights that have ended", () => {
    const flights = countFlights();
    const place = { subscriptionId: "s", organization: "acme" };
    flights.begin(place);
    expect(flights.isFull({ perLane: 1 })).toBe(true);
    flights.end(place);
    expect([flights.byLane.size, flights.byOrganization.size]).toEqual([0, 0]);
    expect(flights.isFull({ perLane: 1, perOrganization: 1 })).toBe(false);
  });
});
