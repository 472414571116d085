import type { Attempt, DeliveryStatus } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import type { Arrival, Evidence, Order, Remembered } from "./evidence.ts";
import { judge } from "./judge.ts";

const order: Order = { label: "order-1", organization: "acme", type: "order_paid", at: 1_000 };
const subscription = { id: "sub-1", organization: "acme", eventTypes: ["order_*"] };

const arrival = (change: Partial<Arrival> = {}): Arrival => ({
  at: 1_100,
  label: "order-1",
  delivery: "delivery-1",
  subscription: "sub-1",
  process: "dispatcher-1",
  status: 200,
  ...change,
});

const attempt = (change: Partial<Attempt> = {}): Attempt => ({
  deliveryId: "delivery-1",
  token: "token-1",
  startedAt: 1_090,
  durationMs: 20,
  outcome: "delivered",
  counted: true,
  late: false,
  reason: null,
  remedy: null,
  details: null,
  together: 1,
  ...change,
});

const delivery = (change: Partial<Remembered> = {}): Remembered => ({
  id: "delivery-1",
  organization: "acme",
  eventId: "event-1",
  eventType: "order_paid",
  subscriptionId: "sub-1",
  handlerType: "post",
  status: "delivered",
  inFlight: false,
  dueAt: null,
  attempts: 1,
  throttles: 0,
  lapses: 0,
  reason: null,
  redeliveryOf: null,
  createdAt: 1_010,
  completedAt: 1_110,
  attemptLog: [attempt()],
  ...change,
});

const evidence = (change: Partial<Evidence> = {}): Evidence => ({
  kills: 0,
  subscriptions: [subscription],
  committed: [order],
  arrivals: [arrival()],
  faults: [],
  deliveries: [delivery()],
  maxAttempts: 6,
  maxLapses: 5,
  settleMs: 500,
  ...change,
});

/** Sent by a process that was killed before it could settle, and again when its lease was over. */
const sentTwice = evidence({
  arrivals: [arrival(), arrival({ at: 8_000, process: "dispatcher-2" })],
  deliveries: [delivery({ lapses: 1, attemptLog: [attempt({ startedAt: 7_990 })] })],
  faults: [{ kind: "kill", process: "dispatcher-1", from: 1_150, to: 1_150 }],
});

describe("a run is well", () => {
  it("if what was committed arrived once", () => {
    expect(judge(evidence())).toEqual({
      kills: 0,
      events: 1,
      sends: 1,
      lost: 0,
      phantom: 0,
      duplicates: 0,
      explained: 0,
      longestMs: 100,
      broken: [],
    });
  });

  it("if a process was killed between a success and its settlement", () => {
    expect(judge(sentTwice)).toMatchObject({ duplicates: 1, explained: 1, broken: [] });
  });

  it("if what a process had sent arrived only after it was killed", () => {
    const faults = [{ kind: "kill", process: "dispatcher-1", from: 1_098, to: 1_098 }] as const;
    const verdict = judge({ ...sentTwice, faults });
    expect(verdict).toMatchObject({ duplicates: 1, explained: 1, broken: [] });
  });

  it("if an attempt that says it failed had arrived all the same", () => {
    const failed = attempt({ token: "token-0", outcome: "failed", durationMs: 1_000 });
    const run = evidence({
      arrivals: [arrival(), arrival({ at: 2_200 })],
      deliveries: [delivery({ attempts: 2, attemptLog: [failed, attempt({ startedAt: 2_190 })] })],
    });
    expect(judge(run)).toMatchObject({ duplicates: 1, explained: 1, broken: [] });
  });

  it("if failures were repeated until one succeeded", () => {
    const failed = attempt({ token: "token-0", outcome: "failed" });
    const run = evidence({
      arrivals: [arrival({ status: 503 }), arrival({ at: 1_300 })],
      deliveries: [delivery({ attempts: 2, attemptLog: [failed, attempt()] })],
    });
    expect(judge(run)).toMatchObject({ duplicates: 0, longestMs: 300, broken: [] });
  });
});

describe("a run breaks a law", () => {
  const pending = delivery({ status: "pending", attempts: 0, attemptLog: [], completedAt: null });

  it.each<[string, string, Partial<Evidence>]>([
    ["an event never arrived", "lost", { arrivals: [], deliveries: [] }],
    ["an event only ever failed", "lost", { arrivals: [arrival({ status: 503 })] }],
    ["what was rolled back arrived", "phantom", { committed: [] }],
    [
      "an event arrived where nobody wanted it",
      "phantom",
      { subscriptions: [{ ...subscription, organization: "globex" }] },
    ],
    ["a delivery has not ended", "not ended", { deliveries: [pending] }],
    [
      "an event was delivered as two deliveries",
      "more than one delivery",
      { arrivals: [arrival(), arrival({ delivery: "delivery-2" })] },
    ],
    ["the storage does not know what arrived", "forgotten", { deliveries: [] }],
    [
      "a success was believed that nobody received",
      "never received",
      { deliveries: [delivery(), delivery({ id: "delivery-2" })] },
    ],
    [
      "a flight was settled after another had succeeded",
      "without one accepted success",
      { deliveries: [delivery({ attempts: 2, attemptLog: [attempt(), attempt({ token: "t" })] })] },
    ],
    [
      "a failure was accepted after a success",
      "settled after it had ended",
      {
        deliveries: [
          delivery({
            attempts: 2,
            attemptLog: [attempt(), attempt({ token: "token-2", outcome: "failed" })],
          }),
        ],
      },
    ],
    ["an attempt was not counted", "do not add up", { deliveries: [delivery({ attempts: 0 })] }],
    [
      "a flight has two attempts",
      "two attempts of one flight",
      { deliveries: [delivery({ attemptLog: [attempt({ late: true }), attempt()] })] },
    ],
    [
      "a result is called late though no flight lapsed",
      "more late attempts than lapses",
      { deliveries: [delivery({ attemptLog: [attempt({ token: "t", late: true }), attempt()] })] },
    ],
    [
      "it was sent more often than it was attempted",
      "more sends than attempts and lapses",
      { arrivals: [arrival({ status: 503 }), arrival()] },
    ],
    [
      "it was sent again and again",
      "12 sends",
      { arrivals: Array.from({ length: 12 }, (_, count) => arrival({ at: 1_100 + count })) },
    ],
    ["hardly anything happened", "too few events", { kills: 2 }],
    ["a duplicate has no lapse", "unexplained", { ...sentTwice, deliveries: [delivery()] }],
    ["a duplicate has a lapse for no reason", "unexplained", { ...sentTwice, faults: [] }],
    [
      "another process was killed",
      "unexplained",
      { ...sentTwice, faults: [{ kind: "kill", process: "dispatcher-3", from: 1_150, to: 1_150 }] },
    ],
    [
      "the process had time enough to settle",
      "unexplained",
      { ...sentTwice, faults: [{ kind: "kill", process: "dispatcher-1", from: 1_700, to: 1_700 }] },
    ],
  ])("if %s", (_, law, change) => {
    expect(judge(evidence(change)).broken.join("\n")).toContain(law);
  });

  const statuses: readonly DeliveryStatus[] = ["dead", "canceled"];
  it.each(statuses)("if a delivery is %s and the event was lost by it", (status) => {
    const run = evidence({ arrivals: [], deliveries: [{ ...pending, status }] });
    expect(judge(run)).toMatchObject({ lost: 1 });
  });
});
