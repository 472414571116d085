import type { Attempt } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import type { Claimed, Entry, Flown, Routed, Sent, SettledFlight, Subscribed } from "../log.ts";
import { createChecker, rules } from "./checker.ts";
import type { Terms } from "./rule.ts";
import { secretOf } from "./subscriptions.ts";

const terms: Terms = {
  maxAttempts: 3,
  delaysMs: [900, 5_000],
  longestDelayMs: 30_000,
  maxAgeMs: 60_000,
  autoDisable: { attempts: 2, ms: 0 },
  timeouts: { post: 4_000 },
  clockErrorMs: 300,
  perOrganization: null,
  abandons: false,
};

// What a log is made of, as it is when all is well. Cases change one thing.

const subscribed = (change: Partial<Subscribed> = {}): Subscribed => ({
  type: "subscribed",
  at: 0,
  id: "s1",
  organization: "acme",
  handlerType: "post",
  keyId: null,
  eventTypes: ["order_*"],
  order: "none",
  enabled: true,
  version: 1,
  tag: "1",
  failures: 0,
  gates: [],
  ...change,
});

const stored = (number = 1, change: object = {}): Entry => ({
  type: "stored",
  at: 100 * number,
  event: {
    id: `e${number}`,
    label: `event ${number}`,
    about: null,
    organization: "acme",
    type: "order_paid",
    orderingKey: null,
    idempotencyKey: null,
    publishedAt: 100 * number,
    ...change,
  },
});

const flown = (deliveryId: string, change: Partial<Flown> = {}): Flown => ({
  deliveryId,
  subscriptionId: "s1",
  leaseUntil: 11_000,
  startBy: null,
  version: 1,
  failures: 0,
  attempts: 0,
  throttles: 0,
  lapses: 0,
  gates: [],
  call: null,
  ...change,
});

const asked = (at: number) => ({
  at,
  process: "a.1",
  sentAt: at,
  now: at,
  token: `t${at}`,
  slots: 5,
  handlerTypes: ["post"],
  keyIds: [],
});

const routed = (change: Partial<Routed> = {}, number = 1): Entry => ({
  ...asked(500),
  type: "routed",
  claims: [],
  events: [{ id: `e${number}`, after: null, cursor: null }],
  deliveries: [{ id: `d${number}`, eventId: `e${number}`, subscriptionId: "s1", state: "wait" }],
  ...change,
});

const claimed = (at: number, claims: readonly Flown[], change: Partial<Claimed> = {}): Entry => ({
  ...asked(at),
  type: "claimed",
  alone: false,
  perLane: 3,
  perCall: new Map([["post", 2]]),
  tats: new Map(),
  inFlight: new Map(),
  claims: claims.map((claim) => ({ ...claim, leaseUntil: claim.leaseUntil + at })),
  lapsed: [],
  nextDueAt: at,
  ...change,
});

let sends = 0;
const sent = (at: number, deliveryId = "d1", change: Partial<Sent> = {}): Sent => {
  sends += 1;
  return {
    type: "sent",
    at,
    send: sends,
    call: sends,
    process: "a.1",
    deliveryId,
    eventId: deliveryId.replace("d", "e"),
    label: deliveryId.replace("d", "event "),
    organization: "acme",
    subscriptionId: "s1",
    handlerType: "post",
    tag: "1",
    secret: null,
    ...change,
  };
};

const taken = (): Entry => ({ type: "taken", at: 1_010, send: sends });
const landed = (outcome = "delivered", change: object = {}): Entry => ({
  type: "landed",
  at: 1_020,
  send: sends,
  outcome,
  askedMs: 0,
  gate: null,
  interrupted: false,
  ...change,
});

const settled = (
  token: string,
  outcome = "delivered",
  change: Partial<NonNullable<SettledFlight["change"]>> | null = {},
  result: SettledFlight["result"] = "settled",
): Entry => ({
  type: "settled",
  at: 1_030,
  process: "a.1",
  flights: [
    {
      deliveryId: "d1",
      token,
      result,
      outcome,
      endedAt: 1_020,
      plain: false,
      change: change && {
        status: outcome === "delivered" ? "delivered" : "pending",
        dueAt: outcome === "delivered" ? null : 2_000,
        counted: true,
        throttles: 0,
        lapses: 0,
        disabled: false,
        gates: [],
        ...change,
      },
    },
  ],
});

const begin: readonly Entry[] = [subscribed(), stored(), routed()];
const flying: readonly Entry[] = [...begin, claimed(1_000, [flown("d1")])];
const away = (): readonly Entry[] => [...flying, sent(1_005)];
const arrived = (): readonly Entry[] => [...away(), taken(), landed()];
const delivered = (): readonly Entry[] => [...arrived(), settled("t1000")];
const failedOnce = (): readonly Entry[] => [
  ...away(),
  landed("failed"),
  settled("t1000", "failed"),
];
const gate = { id: "g", name: "host", limit: { limit: 1, perMs: 1_000, burst: 1 } };
const behindGate = (epoch = 0, change: Partial<Flown> = {}): Flown =>
  flown("d1", { gates: [{ id: "g", name: "host", epoch }], ...change });
const seen = (openUntil: number | null, epoch: number) => ({
  epoch,
  openUntil,
  breaker: `${openUntil}`,
});
const moved = (before: ReturnType<typeof seen>, after: ReturnType<typeof seen>) => ({
  gates: [{ id: "g", before, after }],
});
const lapse = (status: "pending" | "dead", lapses: number) => ({
  lapsed: [{ id: "d1", status, lapses, disabled: false }],
});

const two: readonly Entry[] = [subscribed(), stored(1), stored(2), routed(), routed({}, 2)];
const passes: Partial<Flown> = { gates: [{ id: "g", name: "host", epoch: 0 }] };
const together = (first: Partial<Flown> = {}, second: Partial<Flown> = {}): readonly Flown[] => [
  flown("d1", { ...first, call: "d1" }),
  flown("d2", { ...second, call: "d1" }),
];
const attempt: Attempt = {
  deliveryId: "d1",
  token: "t1000",
  startedAt: 1_005,
  durationMs: 15,
  outcome: "delivered",
  counted: true,
  late: false,
  reason: null,
  remedy: null,
  details: null,
  together: 1,
};
const recalled = (attemptLog: readonly Attempt[]): Entry => ({
  type: "recalled",
  at: 2_000,
  delivery: {
    id: "d1",
    organization: "acme",
    eventId: "e1",
    eventType: "order_paid",
    subscriptionId: "s1",
    handlerType: "post",
    status: "delivered",
    inFlight: false,
    dueAt: null,
    attempts: 1,
    throttles: 0,
    lapses: 0,
    reason: null,
    redeliveryOf: null,
    createdAt: 500,
    completedAt: 1_020,
    attemptLog,
  },
});

/** A log for each rule that breaks it, and nothing before it. */
const breaches: Readonly<Record<string, () => readonly Entry[]>> = {
  "an acknowledged event is stored": () => [{ type: "acknowledged", at: 100, label: "event 1" }],
  "an event is routed to every subscription that matches, once": () => [
    subscribed(),
    stored(),
    routed({ deliveries: [] }),
  ],
  "every delivery ends": () => failedOnce(),
  "what is forgotten is over": () => [
    ...begin,
    { type: "pruned", at: 900, before: 900, events: ["e1"], deliveries: ["d1"] },
  ],
  "nothing is sent that was not committed, or to whom it is not owed": () => [
    ...flying,
    sent(1_005, "d1", { organization: "bolt" }),
  ],
  "an event has one delivery to a subscription, unless it is asked for again": () => [
    ...begin,
    {
      type: "made",
      at: 600,
      deliveries: [
        { id: "d9", eventId: "e1", subscriptionId: "s1", redeliveryOf: null, createdAt: 600 },
      ],
    },
  ],
  "an event that is published again with its key is stored once": () => [
    stored(1, { idempotencyKey: "k" }),
    stored(2, { idempotencyKey: "k" }),
  ],
  "a delivery is in one flight at a time, and in none once it has ended": () => [
    ...flying,
    claimed(1_100, [flown("d1")]),
  ],
  "only the flight that is on is settled, and what ended stays ended": () => [
    ...arrived(),
    settled("another"),
  ],
  "a delivery is remembered as it was": () => [
    ...failedOnce(),
    claimed(2_000, [flown("d1", { attempts: 0, failures: 1 })]),
  ],
  "a flight whose lease is over ends, and no other does": () => [...flying, claimed(13_000, [])],
  "a flight without an outcome counts as a lapse, and the fifth ends the delivery, or the first where doubt does":
    () => [...flying, claimed(13_000, [], lapse("pending", 0))],
  "a lapse is somebody's fault": () => [...flying, claimed(13_000, [], lapse("pending", 1))],
  "what has lapsed twice flies alone": () => [
    ...away(),
    settled("t1000", "unknown", { counted: false, lapses: 2 }),
    claimed(2_100, [flown("d1", { lapses: 2 })]),
  ],
  "nothing is taken for which there is no room": () => [
    ...begin,
    claimed(1_000, [flown("d1")], { slots: 0 }),
  ],
  "a process takes only what it can deliver, and nothing that is switched off": () => [
    ...begin,
    subscribed({ enabled: false, version: 2 }),
    claimed(1_000, [flown("d1", { version: 2 })]),
  ],
  "a handler begins only with enough lease, and in time": () => [...flying, sent(11_000)],
  "no delivery is sent while an earlier send of it is running": () => [
    ...flying,
    sent(7_795),
    { type: "lost", at: 9_000, process: "a.1", method: "beat", when: "before" },
    claimed(11_750, [flown("d1", { lapses: 1 })], { process: "b.1", ...lapse("pending", 1) }),
    sent(11_760, "d1", { process: "b.1" }),
  ],
  "a claim says when to come again, and leaves nothing that is free to go": () => [
    ...begin,
    claimed(1_000, [], { nextDueAt: null }),
  ],
  "no organization has a second lane while another that is due has none": () => [
    subscribed(),
    subscribed({ id: "s2" }),
    subscribed({ id: "s3", organization: "bolt" }),
    stored(1),
    stored(2, { organization: "bolt" }),
    routed({
      events: [
        { id: "e1", after: null, cursor: null },
        { id: "e2", after: null, cursor: null },
      ],
      deliveries: [
        { id: "d1", eventId: "e1", subscriptionId: "s1", state: "wait" },
        { id: "d2", eventId: "e1", subscriptionId: "s2", state: "wait" },
        { id: "d3", eventId: "e2", subscriptionId: "s3", state: "wait" },
      ],
    }),
    claimed(1_000, [flown("d1"), flown("d2", { subscriptionId: "s2" })]),
  ],
  "processes agree on the time": () => [...begin, claimed(1_000, [], { now: 9_000 })],
  "a limit holds in every window, at the receiver, over all processes": () => [
    subscribed({ gates: [gate] }),
    stored(1),
    stored(2),
    routed(),
    routed({}, 2),
    claimed(1_000, [behindGate(), { ...behindGate(), deliveryId: "d2" }]),
    sent(1_005, "d1"),
    sent(1_006, "d2"),
  ],
  "nothing passes a gate that is closed": () => [
    subscribed({ gates: [gate] }),
    stored(),
    routed(),
    claimed(1_000, [behindGate()]),
    sent(1_005),
    landed("throttled", { askedMs: 10_000, gate: "host" }),
    settled("t1000", "throttled", {
      counted: false,
      throttles: 1,
      ...moved(seen(null, 0), seen(null, 0)),
    }),
    claimed(5_000, [behindGate(0, { throttles: 1 })]),
  ],
  "an open breaker lets one out, and with each success twice as many": () => [
    subscribed({ gates: [gate] }),
    stored(1),
    stored(2),
    routed(),
    routed({}, 2),
    claimed(1_000, [behindGate()]),
    sent(1_005),
    landed("failed"),
    settled("t1000", "failed", moved(seen(null, 0), seen(2_000, 1))),
    claimed(3_000, [
      behindGate(1, { attempts: 1, failures: 1 }),
      { ...behindGate(1, { failures: 1 }), deliveryId: "d2" },
    ]),
  ],
  "a gate that fails ten times in a row opens": () => {
    const log: Entry[] = [subscribed({ gates: [gate] }), stored(), routed()];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const at = 1_000 + attempt * 5_000;
      log.push(
        subscribed({ gates: [gate], version: attempt + 2 }),
        claimed(at, [behindGate(0, { attempts: attempt, version: attempt + 2 })]),
        settled(`t${at}`, "failed", moved(seen(null, 0), seen(null, 0))),
      );
    }
    return log;
  },
  "results of an older epoch do not move a breaker": () => [
    ...begin,
    claimed(1_000, [behindGate(0)]),
    settled("t1000", "failed", moved(seen(5_000, 1), seen(9_000, 2))),
  ],
  "what is called delivered has arrived": () => [...flying, settled("t1000")],
  "what is remembered fits what has arrived": () => [...delivered(), recalled([])],
  "what may have arrived is not sent again where doubt ends a delivery": () => [
    ...away(),
    landed("unknown"),
    settled("t1000", "failed", { dueAt: 40_000 }),
    claimed(40_000, [flown("d1", { attempts: 1, failures: 1 })]),
    sent(40_005),
  ],
  "what has failed is not due before its delay is over": () => [
    ...away(),
    landed("failed"),
    settled("t1000", "failed", { dueAt: 1_100 }),
  ],
  "only what was never tried goes together, and no more than fits in a call": () => [
    ...two,
    claimed(1_000, [flown("d1")]),
    { ...sent(1_005) },
    landed("failed"),
    settled("t1000", "failed"),
    claimed(3_000, together({ attempts: 1, failures: 1 }, { failures: 1 })),
  ],
  "what is sent together was taken together": () => [
    ...two,
    claimed(1_000, [flown("d1"), flown("d2")]),
    sent(1_005),
    sent(1_005, "d2", { call: sends - 1 }),
  ],
  "a call passes a limit once, however many deliveries it has": () => [
    subscribed({ gates: [gate] }),
    ...two.slice(1),
    claimed(1_000, together(passes, passes), { tats: new Map([["g", 0]]) }),
    claimed(1_100, [], { tats: new Map([["g", 3_000_000]]) }),
  ],
  "a call that is refused ends none of its deliveries": () => [
    ...two,
    claimed(1_000, together()),
    sent(1_005),
    landed("rejected"),
    settled("t1000", "rejected", { status: "dead", dueAt: null }),
  ],
  "each delivery of a call remembers how many went in it": () => [
    ...two,
    claimed(1_000, together()),
    sent(1_005),
    taken(),
    landed(),
    settled("t1000"),
    recalled([attempt]),
  ],
  "a duplicate is somebody's fault": () => [
    ...arrived(),
    {
      type: "released",
      at: 1_040,
      process: "a.1",
      flights: [{ deliveryId: "d1", token: "t1000" }],
      dueAt: 1_040,
    },
    claimed(1_050, [flown("d1")]),
    sent(1_060),
  ],
  "a delivery is sent no more often than it may be": () => {
    const log: Entry[] = [...begin];
    for (let times = 0; times < 10; times += 1) {
      const at = 1_000 + times * 10_000;
      log.push(
        claimed(at, [flown("d1")]),
        { ...sent(at + 5) },
        { ...(landed("failed") as object), at: at + 10 } as Entry,
        {
          type: "released",
          at: at + 20,
          process: "a.1",
          flights: [{ deliveryId: "d1", token: `t${at}` }],
          dueAt: at + 20,
        },
      );
    }
    return log;
  },
  "an attempt counts if the destination failed, and a throttle or a stop costs none": () => [
    ...away(),
    landed("throttled"),
    settled("t1000", "throttled", { counted: true, throttles: 1 }),
  ],
  "a delivery dies only of a refusal, its last attempt, its age, its fifth lapse, or doubt": () => [
    ...away(),
    landed("failed"),
    settled("t1000", "failed", { status: "dead", dueAt: null }),
  ],
  "a bus stops in time, and takes nothing once it was asked to": () => [
    { type: "stopped", at: 9_000, process: "a.1", askedAt: 1_000, deadlineMs: 1_000 },
  ],
  "a handler gets the configuration and the secret as of the claim": () => [
    ...flying,
    sent(1_005, "d1", { secret: secretOf("another") }),
  ],
  "the subscription is handed out as it is": () => [
    ...begin,
    claimed(1_000, [flown("d1", { version: 7 })]),
  ],
  "a subscription is switched off with what causes it, in one step, and for nothing else": () => [
    ...away(),
    landed("gone"),
    settled("t1000", "gone", { status: "dead", dueAt: null }),
  ],
  "what Posthorn switched off only its owner switches on": () => [
    ...away(),
    landed("gone"),
    settled("t1000", "gone", { status: "dead", dueAt: null, disabled: true }),
    subscribed({ at: 2_000, version: 2 }),
  ],
  "in a lane with an order, nothing is sent before what was published before it has ended": () => [
    subscribed({ order: "skip_dead" }),
    stored(1),
    stored(2),
    routed(),
    routed({}, 2),
    claimed(1_000, [flown("d2")]),
    sent(1_005, "d2"),
  ],
};

const check = (log: readonly Entry[], abandons = false) => {
  const checker = createChecker({ ...terms, abandons });
  for (const entry of log) checker.see(entry);
  return checker;
};

describe("the checker", () => {
  it("finds nothing where all is well", () => {
    const checker = check(delivered());
    checker.end();
    expect(checker.broken).toBe(null);
    expect(checker.ledger.open).toBe(0);
  });

  it("is shown, for every rule, a log that breaks it", () => {
    expect(Object.keys(breaches).toSorted()).toEqual(rules.map(({ name }) => name).toSorted());
  });

  it.each(Object.entries(breaches))("finds out that it is not so: %s", (name, log) => {
    const checker = check(log(), name.startsWith("what may have arrived"));
    checker.end();
    expect(checker.broken).toMatchObject({ rule: name });
  });

  it("lets nothing that is in doubt wait in a lane that is on", () => {
    const log = [...away(), landed("unknown"), settled("t1000", "unknown", { dueAt: 40_000 })];
    expect(check(log, true).broken?.what).toBe("d1 may have arrived, and s1 is not switched off");
    expect(check(log).broken).toBe(null);
  });

  it.each([
    [
      "the process was killed",
      { type: "struck", at: 1_025, what: "kill", process: "a.1", until: 1_025 },
    ],
    [
      "the storage failed",
      { type: "lost", at: 1_025, process: "a.1", method: "settle", when: "after" },
    ],
  ] as const)("forgives a duplicate where %s", (_why, entry) => {
    const again = claimed(13_000, [flown("d1", { lapses: 1 })], {
      process: "b.1",
      ...lapse("pending", 1),
    });
    const checker = check([...arrived(), entry, again, sent(13_005, "d1", { process: "b.1" })]);
    expect(checker.broken).toBe(null);
  });
});
