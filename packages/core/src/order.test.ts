import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { landed, type Next } from "./delivery.ts";
import { DELIVERY_ORDERS, inOrder, isSerial, queueOf } from "./order.ts";

const T = Date.UTC(2026, 0, 1);
const delivery = { id: "d-1", eventType: "invoice_paid" };
const dead: Next = { status: "dead", reason: "HTTP 400", attempts: 3 };

const next: fc.Arbitrary<Next> = fc.oneof(
  fc.constant<Next>({ status: "delivered", attempts: 1 }),
  fc.nat().map((ms): Next => ({ status: "waiting", dueAt: T + ms, reason: "HTTP 500" })),
  fc.nat(5).map((lapses): Next => ({ status: "dead", reason: "lapsed", lapses })),
  fc.constant<Next>({ status: "canceled", reason: "no" }),
);

describe("a delivery in an order", () => {
  it("is skipped when it is dead, where that is wished", () => {
    expect(inOrder(dead, "skip_dead", delivery, T)).toBe(dead);
  });

  it("waits in its place instead of being dead, where none is skipped, and says why", () => {
    expect(inOrder(dead, "stop_at_dead", delivery, T)).toEqual({
      status: "waiting",
      dueAt: T,
      reason: "HTTP 400",
      attempts: 3,
      disabledReason: expect.stringMatching(/^Delivery d-1 \("invoice_paid"\).*HTTP 400/),
    });
  });

  it("is never dead where none is skipped, and is else what it would be without an order", () => {
    fc.assert(
      fc.property(next, fc.constantFrom(...DELIVERY_ORDERS), (given, order) => {
        const ruling = inOrder(given, order, delivery, T);
        const isHeld = order === "stop_at_dead" && given.status === "dead";
        expect(ruling.status).toBe(isHeld ? "waiting" : given.status);
        expect(ruling.disabledReason !== undefined).toBe(isHeld);
        if (!isHeld) expect(ruling).toBe(given);
        else expect([ruling.lapses, ruling.attempts]).toEqual([given.lapses, given.attempts]);
      }),
    );
  });

  it("keeps what it has spent when it is held", () => {
    const flown = { attempts: 2, throttles: 1, lapses: 4, reason: null } as never;
    const { disabledReason: _, ...held } = inOrder(dead, "stop_at_dead", delivery, T);
    expect(landed(flown, held, T)).toMatchObject({ attempts: 3, throttles: 1, lapses: 4 });
  });
});

describe("a queue", () => {
  it("is that of the ordering key, or of all that have none", () => {
    expect(queueOf({ orderingKey: "project-1" })).toBe("project-1");
    expect(queueOf({ orderingKey: null })).toBe("");
  });

  it("is there in every order but none", () => {
    expect(DELIVERY_ORDERS.filter(isSerial)).toEqual(["skip_dead", "stop_at_dead"]);
  });
});
