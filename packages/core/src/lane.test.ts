import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freshGate, pause } from "./gate.ts";
import { canServe, isFree, type LaneState } from "./lane.ts";
import { DELIVERY_ORDERS } from "./order.ts";

const T = Date.UTC(2026, 0, 1);
const lane: LaneState = {
  subscriptionId: "s",
  organization: "acme",
  handlerType: "slack",
  keyId: "k1",
  order: "none",
  parked: false,
  gateIds: ["g"],
  nextDueAt: null,
};
const open = freshGate({ id: "g", name: "channel", limit: null });
const remembering = { ...open, throttles: 1 };
const counting = freshGate({ id: "h", name: "host", limit: { limit: 1, perMs: 1 } });

describe("a process can serve a lane", () => {
  const able = { handlerTypes: ["http", "slack"], keyIds: ["k0", "k1"] };

  it.each([
    ["with its handler and its key", lane, able, true],
    [
      "without a key if the lane needs none",
      { ...lane, keyId: null },
      { ...able, keyIds: [] },
      true,
    ],
    ["not without its key", lane, { ...able, keyIds: ["k0"] }, false],
    ["not without its handler", lane, { ...able, handlerTypes: ["http"] }, false],
    ["not with nothing", lane, { handlerTypes: [], keyIds: [] }, false],
  ])("%s", (_, lane, abilities, expected) => {
    expect(canServe(lane, abilities)).toBe(expected);
  });
});

describe("a lane is free", () => {
  it.each([
    ["without gates", lane, [], true],
    ["behind gates that are open and count nothing", lane, [open], true],
    ["while what waits is not due yet", { ...lane, nextDueAt: T + 1 }, [open], true],
    ["not when something is due", { ...lane, nextDueAt: T }, [open], false],
    ["not when it is parked", { ...lane, parked: true }, [open], false],
    ["not when it keeps an order", { ...lane, order: "skip_dead" as const }, [open], false],
    ["not behind a gate that counts", lane, [open, counting], false],
    ["not behind a gate that is paused", lane, [open, pause(open, T + 1)], false],
    ["not behind a gate that has something to learn", lane, [remembering], false],
    ["again once the pause is over", lane, [pause(open, T)], true],
  ])("%s", (_, lane, gates, expected) => {
    expect(isFree(lane, gates, T)).toBe(expected);
  });

  it("only if every reason against it is gone", () => {
    const state = fc.record({
      parked: fc.boolean(),
      order: fc.constantFrom(...DELIVERY_ORDERS),
      due: fc.constantFrom(null, T - 1, T, T + 1),
      gates: fc.subarray([open, counting, remembering, pause(open, T + 1), pause(open, T - 1)]),
    });
    fc.assert(
      fc.property(state, ({ parked, order, due, gates }) => {
        const reasons = [
          parked,
          order !== "none",
          due !== null && due <= T,
          ...gates.map(
            ({ limit, pausedUntil, throttles }) =>
              limit !== null || pausedUntil > T || throttles > 0,
          ),
        ];
        const own = { ...lane, parked, order, nextDueAt: due };
        expect(isFree(own, gates, T)).toBe(!reasons.includes(true));
      }),
    );
  });
});
