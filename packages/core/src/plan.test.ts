import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "./event.ts";
import { freshGate, type GateState, pause } from "./gate.ts";
import type { LaneState } from "./lane.ts";
import { matches } from "./pattern.ts";
import { planDeliveries } from "./plan.ts";
import type { Candidate, PlannedDelivery, RouteInput, RouteRequest, Unrouted } from "./storage.ts";
import type { SubscriptionRecord } from "./subscription.ts";

const T = Date.UTC(2026, 0, 1);
const types = ["project_created", "project_deleted", "invoice_paid"];

const request: RouteRequest = {
  now: T,
  token: "flight",
  leaseMs: 60_000,
  slots: 100,
  perLane: 100,
  handlerTypes: ["slack"],
  keyIds: ["k1"],
  maxEvents: 500,
  maxDeliveries: 5_000,
};

const open = freshGate({ id: "open", name: "host", limit: null });
const counting = freshGate({ id: "counting", name: "host", limit: { limit: 1, perMs: 1_000 } });

function subscription(more: Partial<SubscriptionRecord> = {}): SubscriptionRecord {
  return {
    id: "s1",
    organization: "acme",
    name: "To the team",
    eventTypes: ["*"],
    type: "slack",
    configuration: {},
    secrets: {},
    order: "none",
    enabled: true,
    disabledReason: null,
    status: "ok",
    statusDetail: null,
    statusCheckedAt: null,
    createdAt: T,
    updatedAt: T,
    state: null,
    failing: null,
    version: 1,
    idempotencyKey: null,
    fingerprint: null,
    ...more,
  };
}

function candidate(
  more: Partial<SubscriptionRecord> = {},
  lane: Partial<LaneState> = {},
  gates: readonly GateState[] = [],
): Candidate {
  const record = subscription(more);
  return {
    subscription: record,
    gates,
    lane: {
      subscriptionId: record.id,
      organization: record.organization,
      handlerType: record.type,
      keyId: null,
      order: record.order,
      parked: !record.enabled,
      gateIds: gates.map(({ id }) => id),
      nextDueAt: null,
      ...lane,
    },
  };
}

function event(id: string, type = "invoice_paid", organization = "acme"): StoredEvent {
  return {
    id,
    type,
    organization,
    occurredAt: T,
    publishedAt: T,
    actor: null,
    trace: null,
    payload: "{}",
    orderingKey: null,
  };
}

const unrouted = (...events: readonly StoredEvent[]): readonly Unrouted[] =>
  events.map((event) => ({ event, after: null }));

function inputOf(
  all: readonly Candidate[],
  events: readonly Unrouted[],
  more: Partial<RouteRequest> = {},
): RouteInput {
  return {
    request: { ...request, ...more },
    events,
    candidates: (organization) => all.filter(({ lane }) => lane.organization === organization),
  };
}

function ids(): () => string {
  let made = 0;
  return () => {
    made += 1;
    return `d${made}`;
  };
}

const plan = (...args: Parameters<typeof inputOf>) => planDeliveries(inputOf(...args), ids());

/** Routes to the end, as a storage does: events with a cursor come again with it. */
function routeAll(
  all: readonly Candidate[],
  events: readonly StoredEvent[],
  more: Partial<RouteRequest>,
) {
  const plans: (readonly PlannedDelivery[])[] = [];
  const newId = ids();
  let left = unrouted(...events);
  while (left.length > 0) {
    const { deliveries, cursors } = planDeliveries(inputOf(all, left, more), newId);
    plans.push(deliveries);
    expect(plans.length).toBeLessThan(1_000);
    left = left.flatMap(({ event }) => {
      const after = cursors.get(event.id);
      return after === undefined ? [] : [{ event, after }];
    });
  }
  return plans;
}

describe("a plan", () => {
  const patterns = fc.uniqueArray(fc.constantFrom(...types, "*", "project_*", "nothing_*"), {
    minLength: 1,
  });
  const organization = fc.constantFrom("acme", "globex");
  const lane = fc.record({
    keyId: fc.constantFrom(null, "k1", "k2"),
    parked: fc.boolean(),
    nextDueAt: fc.constantFrom(null, T - 1, T, T + 1),
  });
  const gates = fc.subarray([open, counting, pause(open, T + 1), pause(open, T)]);
  const candidates = fc
    .array(
      fc.record({
        organization,
        eventTypes: patterns,
        type: fc.constantFrom("slack", "http"),
        lane,
        gates,
      }),
      { maxLength: 10 },
    )
    .map((drawn) =>
      drawn.map(({ organization, eventTypes, type, lane, gates }, index) =>
        candidate(
          { id: `s${String(index).padStart(3, "0")}`, organization, eventTypes, type },
          lane,
          gates,
        ),
      ),
    );
  const events = fc
    .array(fc.tuple(fc.constantFrom(...types, "left_the_catalog"), organization), { maxLength: 8 })
    .map((drawn) => drawn.map(([type, owner], index) => event(`e${index}`, type, owner)));

  it("owes each event to each subscription that matches exactly once, however it is cut", () => {
    fc.assert(
      fc.property(candidates, events, fc.integer({ min: 1, max: 12 }), (all, events, most) => {
        const plans = routeAll(all, events, { maxDeliveries: most });
        for (const deliveries of plans) expect(deliveries.length).toBeLessThanOrEqual(most);
        const owed = events.flatMap(({ id, type, organization }) =>
          all
            .filter(({ lane }) => lane.organization === organization)
            .filter(({ subscription }) =>
              subscription.eventTypes.some((pattern) => matches(pattern, type)),
            )
            .map(({ subscription }) => `${id} ${subscription.id}`),
        );
        const planned = plans.flat().map((each) => `${each.eventId} ${each.subscriptionId}`);
        expect(planned.toSorted()).toEqual(owed.toSorted());
        for (const { id } of events) {
          const mine = planned.filter((each) => each.startsWith(`${id} `));
          expect(mine).toEqual(mine.toSorted());
        }
        expect(new Set(plans.flat().map(({ id }) => id)).size).toBe(planned.length);
      }),
    );
  });

  it("starts no more than there are slots, in all and in each lane", () => {
    const slots = fc.nat(6);
    const perLane = fc.integer({ min: 1, max: 3 });
    fc.assert(
      fc.property(candidates, events, slots, perLane, (all, events, slots, perLane) => {
        const { deliveries } = plan(all, unrouted(...events), { slots, perLane });
        const started = deliveries.filter(({ state }) => state === "start");
        expect(started.length).toBeLessThanOrEqual(slots);
        const lanes = Map.groupBy(started, ({ subscriptionId }) => subscriptionId);
        for (const inLane of lanes.values()) expect(inLane.length).toBeLessThanOrEqual(perLane);
      }),
    );
  });

  it("starts all that a free lane is owed while slots last, and nothing in any other", () => {
    fc.assert(
      fc.property(candidates, events, (all, events) => {
        for (const { subscriptionId, state } of plan(all, unrouted(...events)).deliveries) {
          const { lane, gates } = all.find(
            ({ subscription }) => subscription.id === subscriptionId,
          ) as Candidate;
          const free =
            !lane.parked &&
            lane.handlerType === "slack" &&
            lane.keyId !== "k2" &&
            (lane.nextDueAt === null || lane.nextDueAt > T) &&
            gates.every(({ limit, pausedUntil }) => limit === null && pausedUntil <= T);
          expect(state).toBe(free ? "start" : "wait");
        }
      }),
    );
  });

  it("lets nothing overtake: once something of a lane waits, all that follows waits", () => {
    fc.assert(
      fc.property(candidates, events, fc.nat(6), (all, events, slots) => {
        const { deliveries } = plan(all, unrouted(...events), { slots, perLane: 2 });
        for (const inLane of Map.groupBy(deliveries, (each) => each.subscriptionId).values()) {
          const states = inLane.map(({ state }) => state);
          expect(states).toEqual(states.toSorted());
        }
      }),
    );
  });

  it("never takes one organization's question for another's", () => {
    const all = [candidate({ id: "s1", organization: "b c" })];
    const events = unrouted(event("e1", "a", "b c"), event("e2", "a b", "c"));
    expect(plan(all, events).deliveries.map((each) => each.eventId)).toEqual(["e1"]);
  });

  it("asks for an organization's subscriptions once for all events of a type", () => {
    const asked: string[] = [];
    const input = inputOf([candidate()], unrouted(event("e1"), event("e2"), event("e3")));
    const candidates = (organization: string): readonly Candidate[] => {
      asked.push(organization);
      return input.candidates(organization);
    };
    planDeliveries({ ...input, candidates }, ids());
    expect(asked).toEqual(["acme"]);
  });

  it("starts nothing where an order is kept, and tells whom each delivery follows", () => {
    const events = unrouted(event("e1"), { ...event("e2"), orderingKey: "a" });
    const lane = candidate({ order: "skip_dead" });
    const owed = plan([lane], events).deliveries;
    expect(owed.map(({ state, queue }) => [state, queue])).toEqual([
      ["wait", ""],
      ["wait", "a"],
    ]);
  });

  it("tells each delivery what it is", () => {
    expect(plan([candidate()], unrouted(event("e1"))).deliveries).toEqual([
      {
        id: "d1",
        organization: "acme",
        eventId: "e1",
        eventType: "invoice_paid",
        subscriptionId: "s1",
        handlerType: "slack",
        createdAt: T,
        queue: "",
        state: "start",
      },
    ]);
  });

  it("owes nothing of an event that nobody wants, and is done with it", () => {
    const { deliveries, cursors } = plan([], unrouted(event("e1")));
    expect(deliveries).toEqual([]);
    expect(cursors.size).toBe(0);
  });

  it("goes on after the cursor, and is done when nothing lies behind it", () => {
    const all = ["s1", "s2", "s3"].map((id) => candidate({ id }));
    const after = (cursor: string) => plan(all, [{ event: event("e1"), after: cursor }]);
    expect(after("s1").deliveries.map((each) => each.subscriptionId)).toEqual(["s2", "s3"]);
    expect(after("s3")).toEqual({ deliveries: [], cursors: new Map() });
  });

  it("finishes an event that fits before it cuts one that does not", () => {
    const all = ["s1", "s2"].map((id) => candidate({ id }));
    const events = unrouted(event("e1"), event("e2"));
    const { deliveries, cursors } = plan(all, events, { maxDeliveries: 3 });
    expect(deliveries).toHaveLength(3);
    expect(cursors).toEqual(new Map([["e2", "s1"]]));
  });
});

describe("an operational event", () => {
  const watchers = [
    candidate({ id: "s1", eventTypes: ["webhook_disabled"] }),
    candidate({ id: "s2", eventTypes: ["webhook_disabled", "*"] }),
    candidate({ id: "s3", eventTypes: ["*"] }),
    candidate({ id: "s4", eventTypes: ["webhook_failing"] }),
  ];
  const told = (about: string, after: string | null = null): readonly string[] => {
    const payload = JSON.stringify({ webhook_id: about });
    const given = { ...event("e1", "webhook_disabled"), payload };
    const { deliveries } = plan(watchers, [{ event: given, after }]);
    return deliveries.map(({ subscriptionId }) => subscriptionId);
  };

  it("is owed to those that name it, and not to the one that it tells of", () => {
    expect(told("s9")).toEqual(["s1", "s2"]);
    expect(told("s1")).toEqual(["s2"]);
    expect(told("s2")).toEqual(["s1"]);
    expect(told("s9", "s1")).toEqual(["s2"]);
  });
});

describe("a subscription that cannot be matched", () => {
  it.each([
    ["null", null],
    ["a text", "invoice_paid"],
    ["a number in it", [5]],
    ["null in it", ["nothing", null]],
    ["an object", { "0": "*" }],
  ])("because its event types are %s gets one dead delivery and harms nobody", (_, garbage) => {
    const all = [
      candidate({ id: "s1" }),
      candidate({ id: "s2", eventTypes: garbage as never }),
      candidate({ id: "s3" }),
    ];
    const { deliveries, cursors } = plan(all, unrouted(event("e1")));
    expect(deliveries.map(({ subscriptionId, state }) => [subscriptionId, state])).toEqual([
      ["s1", "start"],
      ["s2", { deadReason: expect.stringMatching(/^match_error: /) }],
      ["s3", "start"],
    ]);
    expect(cursors.size).toBe(0);
  });

  it("takes no slot from those that can", () => {
    const all = [candidate({ id: "s1", eventTypes: null as never }), candidate({ id: "s2" })];
    const { deliveries } = plan(all, unrouted(event("e1")), { slots: 1 });
    expect(deliveries.map(({ state }) => typeof state)).toEqual(["object", "string"]);
    expect(deliveries[1]?.state).toBe("start");
  });
});
