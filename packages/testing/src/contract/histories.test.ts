import assert from "node:assert/strict";
import {
  type Apply,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type ClaimRules,
  type Delivery,
  freshGate,
  type GateState,
  type LaneDefinition,
  type Plan,
  type Ruling,
  type SettleState,
  type Storage,
  type SubscriptionRecord,
  type Unrouted,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { describe, it } from "vitest";
import { storageHistories } from "./index.ts";

type Memory = Storage<unknown>;

const harness = { open: memoryStorage };
/** Longer than looking for the shortest history may take. */
const timeout = 60_000;

/** What is wrong with a storage, and how it comes about. */
type Flaw = readonly [flaw: string, broken: (sound: Memory) => Memory];

const flaws: readonly Flaw[] = [
  ["takes the token of any flight", takesAnyToken],
  ["settles what was canceled", settlesCanceled],
  [
    "does not count lapses",
    (sound) =>
      lapsing(sound, (ruling, { lapses }, now) => ({
        ...ruling,
        status: "waiting",
        dueAt: now,
        lapses,
      })),
  ],
  ["loses what a lapse tells", (sound) => lapsing(sound, ({ event: _, ...ruling }) => ruling)],
  [
    "loses what a settlement tells",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (...given) => {
          const { event: _, ...change } = apply(...given);
          return change;
        }),
    }),
  ],
  ["tells once more what a settlement tells", tellsTwice],
  ["tells the rule of lapses nothing of what it has switched off", forgetsRulings],
  ["spends an attempt on a release", spendsOnRelease],
  ["strands what is released", strandsReleased],
  ["claims from parked lanes", (sound) => defining(sound, { parked: false })],
  ["claims what no key of the process opens", (sound) => defining(sound, { keyId: null })],
  [
    "claims what its process has no handler for",
    (sound) => claiming(sound, { request: { handlerTypes: ["http", "chat"] } }),
  ],
  ["ignores the limit of one lane", (sound) => claiming(sound, { request: { perLane: 100 } })],
  ["ignores slots", (sound) => claiming(sound, { request: { slots: 100 } })],
  ["takes two suspects at once", takesTwoSuspects],
  [
    "puts together what a handler takes one by one",
    (sound) => claiming(sound, { request: { perCall: new Map([["chat", 2]]) } }),
  ],
  [
    "takes more in a call than it may",
    (sound) => claiming(sound, { request: { perCall: new Map([["http", 9]]) } }),
  ],
  ["puts together what can go alone", (sound) => claiming(sound, { request: { slots: 1 } })],
  [
    "has what was tried go with others",
    (sound) =>
      claiming(sound, {
        answer: ({ claims }) => ({
          claims: [...Map.groupBy(claims, (claim) => claim.subscriptionId).values()].flatMap(
            (own) => own.map((claim) => ({ ...claim, call: own[0]?.call ?? null })),
          ),
        }),
      }),
  ],
  [
    "does not wait for suspects",
    (sound) => claiming(sound, { answer: (result) => result.suspects && { nextDueAt: null } }),
  ],
  [
    "does not wait for leases",
    (sound) =>
      claiming(sound, { answer: ({ claims }) => claims.length > 0 && { nextDueAt: null } }),
  ],
  ["claims with the subscription as it once was", remembersSubscriptions],
  ["forgets what passed a gate", forgetsPasses],
  ["writes one settlement's gates over another's", losesGates],
  ["forgets how gates stand when a subscription is saved", renamesGates],
  ["routes in the order of ids", routesById],
  [
    "begins events with a cursor anew",
    (sound) => planning(sound, (events) => events.map((event) => ({ ...event, after: null }))),
  ],
  ["loses an event that cannot be routed", losesBadEvents],
  ["loses deliveries that are too many", losesDeliveries],
  ["lets new deliveries overtake", letsOvertake],
  ["looks for names only, not for patterns", overlooksPatterns],
  ["takes capitals for small letters", takesCapitalsForSmall],
  ["ignores spaces at the end of keys", trimsKeys],
  ["reports whatever the version is", reportsAnyway],
  ["raises the version with a finding", raisesVersions],
  ["prunes what is pending", prunesPending],
  [
    "ends parked deliveries too early",
    (sound) => ({ ...sound, sweep: (request) => sound.sweep({ ...request, expireBefore: 1e15 }) }),
  ],
  [
    "says too early that sweeping is done",
    (sound) => ({ ...sound, sweep: async (request) => Math.min(1, await sound.sweep(request)) }),
  ],
  ["redelivers what is pending", redeliversPending],
  ["answers the wrong end of a page", answersWrongEnd],
];

describe("random histories", () => {
  for (const [flaw, broken] of flaws) {
    it(
      `catch a storage that ${flaw}`,
      async () => {
        const open = (): Memory => broken(memoryStorage());
        await assert.rejects(
          storageHistories.run({ open }, { seed: 1, runs: 1_000 }),
          /^Error: A history goes wrong .*To replay/s,
        );
      },
      timeout,
    );
  }

  it("print a line that replays a short one that goes wrong", async () => {
    const broken = { open: () => takesAnyToken(memoryStorage()) };
    const failure = await storageHistories.run(broken, { seed: 1 }).catch((error: Error) => error);
    assert.ok(failure instanceof Error);
    const [, history] = /history: '(.+)' }\)$/.exec(failure.message) ?? [];
    assert.ok(history, failure.message);
    assert.ok(JSON.parse(history).length <= 10, history);
    const again = await storageHistories.run(broken, { history }).catch((error: Error) => error);
    assert.ok(again instanceof Error);
    assert.equal(again.message.split("\n")[0], failure.message.split("\n")[0]);
    await storageHistories.run(harness, { history });
  });

  it("are the same for the same seed", async () => {
    const broken = { open: () => takesAnyToken(memoryStorage()) };
    const once = await storageHistories.run(broken, { seed: 1 }).catch(String);
    assert.equal(await storageHistories.run(broken, { seed: 1 }).catch(String), once);
  });

  it("refuse a line that is no history", async () => {
    for (const history of ["", "{}", '[["fly", {}]]', '["claim"]']) {
      await assert.rejects(storageHistories.run(harness, { history }), /is no history/);
    }
  });
});

/** Changes what a claim asks for, by which rules, and what it answers. */
const claiming = (
  sound: Memory,
  change: {
    readonly request?: Partial<ClaimRequest>;
    readonly rules?: Partial<ClaimRules>;
    readonly answer?: (result: ClaimResult) => Partial<ClaimResult> | false;
  },
): Memory => ({
  ...sound,
  claim: async (request, rules) => {
    const result = await sound.claim(
      { ...request, ...change.request },
      { ...rules, ...change.rules },
    );
    return { ...result, ...change.answer?.(result) };
  },
});

/** Changes what the rule of lapses answers. */
const lapsing = (
  sound: Memory,
  change: (ruling: Ruling, delivery: Delivery, now: number) => Ruling,
): Memory => ({
  ...sound,
  claim: (request, rules) =>
    sound.claim(request, {
      ...rules,
      lapse: (delivery, now, state) => change(rules.lapse(delivery, now, state), delivery, now),
    }),
});

/** Appends the event itself, and lets the storage append another. */
function tellsTwice(sound: Memory): Memory {
  return {
    ...sound,
    settle: (settlements, apply) =>
      sound.settle(settlements, (...given) => {
        const change = apply(...given);
        if (change.event !== undefined) {
          const { id } = change.event;
          void sound.append([{ ...change.event, id: id.replace("01a3", "01a4") }]);
        }
        return change;
      }),
  };
}

function forgetsRulings(sound: Memory): Memory {
  return {
    ...sound,
    claim: (request, rules) => {
      const first = new Map<string, SubscriptionRecord | null>();
      return sound.claim(request, {
        ...rules,
        lapse: (delivery, now, state) => {
          const { subscriptionId } = delivery;
          if (!first.has(subscriptionId)) first.set(subscriptionId, state.subscription);
          const subscription = first.get(subscriptionId) ?? null;
          return rules.lapse(delivery, now, { ...state, subscription });
        },
      });
    },
  };
}

const planning = (
  sound: Memory,
  change: (events: readonly Unrouted[]) => readonly Unrouted[],
): Memory => ({
  ...sound,
  route: (request, plan) =>
    sound.route(request, (input) => plan({ ...input, events: change(input.events) })),
});

const storing = (sound: Memory, subscriptions: Partial<Memory["subscriptions"]>): Memory => ({
  ...sound,
  subscriptions: { ...sound.subscriptions, ...subscriptions },
});

const defining = (sound: Memory, change: Partial<LaneDefinition>): Memory =>
  storing(sound, {
    create: (record, lane, tx) => sound.subscriptions.create(record, { ...lane, ...change }, tx),
    update: (record, lane, tx) => sound.subscriptions.update(record, { ...lane, ...change }, tx),
  });

function takesAnyToken(sound: Memory): Memory {
  const tokens = new Map<string, string>();
  return {
    ...claiming(sound, {
      answer: ({ claims }) => {
        for (const { deliveryId, token } of claims) tokens.set(deliveryId, token);
        return false;
      },
    }),
    settle: (settlements, apply) =>
      sound.settle(
        settlements.map((settlement) => ({
          ...settlement,
          token: tokens.get(settlement.deliveryId) ?? settlement.token,
        })),
        apply,
      ),
  };
}

function settlesCanceled(sound: Memory): Memory {
  const canceled = new Set<string>();
  const cancel = sound.cancel;
  return {
    ...sound,
    cancel: async (request) => {
      const id = request.deliveryId;
      const delivery = await sound.history.delivery({ ...request, id });
      if (!delivery?.inFlight || canceled.has(id)) return cancel(request);
      canceled.add(id);
      return "canceled";
    },
  };
}

function spendsOnRelease(sound: Memory): Memory {
  return {
    ...sound,
    release: async (flights, dueAt) => {
      const attempt = { startedAt: dueAt, durationMs: 0, outcome: "failed", reason: "-" } as const;
      await sound.settle(
        flights.map((flight) => ({
          ...(flight as Claim),
          plain: false,
          attempt: { ...flight, ...attempt, remedy: null, details: null, together: 1 },
        })),
        (_, { delivery }) => ({
          next: { status: "waiting", dueAt, attempts: delivery.attempts + 1 },
          counted: true,
        }),
      );
    },
  };
}

/** What was released once waits, as it should, but no claim finds it. */
function strandsReleased(sound: Memory): Memory {
  const released = new Map<string, number>();
  return {
    ...sound,
    release: async (flights, dueAt) => {
      await sound.release(flights, dueAt);
      for (const { deliveryId } of flights) released.set(deliveryId, dueAt);
    },
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      const stranded = result.claims.filter(({ deliveryId }) => released.has(deliveryId));
      for (const claim of stranded) {
        await sound.release([claim], released.get(claim.deliveryId) as number);
      }
      const claims = result.claims.filter((claim) => !stranded.includes(claim));
      return { ...result, claims };
    },
  };
}

function takesTwoSuspects(sound: Memory): Memory {
  return {
    ...sound,
    claim: async (request, rules) => {
      const first = await sound.claim(request, rules);
      if (!request.alone || !first.suspects) return first;
      const second = await sound.claim(request, rules);
      return { ...second, claims: [...first.claims, ...second.claims], lapsed: first.lapsed };
    },
  };
}

function remembersSubscriptions(sound: Memory): Memory {
  const records = new Map<string, SubscriptionRecord>();
  const asOnce = (claim: Claim): Claim => {
    const subscription = records.get(claim.subscriptionId) ?? claim.subscription;
    records.set(claim.subscriptionId, subscription);
    return { ...claim, subscription };
  };
  return claiming(sound, { answer: ({ claims }) => ({ claims: claims.map(asOnce) }) });
}

function forgetsPasses(sound: Memory): Memory {
  return {
    ...sound,
    claim: (request, rules) =>
      sound.claim(request, {
        ...rules,
        admit: (gates, now, wanted) => rules.admit(gates.map(freshGate), now, wanted),
      }),
  };
}

/** Each settlement of a call sees the gates as they stood before it. */
function losesGates(sound: Memory): Memory {
  return {
    ...sound,
    settle: (settlements, apply) => {
      const before = new Map<string, GateState>();
      const seen = ({ gates, ...state }: SettleState): SettleState => {
        for (const gate of gates) if (!before.has(gate.id)) before.set(gate.id, gate);
        return { ...state, gates: gates.map((gate) => before.get(gate.id) ?? gate) };
      };
      const blind: Apply = (settlement, state) => apply(settlement, seen(state));
      return sound.settle(settlements, blind);
    },
  };
}

function renamesGates(sound: Memory): Memory {
  let saved = 0;
  const renamed = (lane: LaneDefinition): LaneDefinition => {
    saved += 1;
    return { ...lane, gates: lane.gates.map((gate) => ({ ...gate, id: `${gate.id} ${saved}` })) };
  };
  return storing(sound, {
    update: (record, lane, tx) => sound.subscriptions.update(record, renamed(lane), tx),
  });
}

function routesById(sound: Memory): Memory {
  return planning(sound, (events) => events.toSorted((a, b) => (a.event.id < b.event.id ? -1 : 1)));
}

function losesBadEvents(sound: Memory): Memory {
  const careless =
    (plan: Plan): Plan =>
    (input) => {
      try {
        return plan(input);
      } catch {
        return { deliveries: [], cursors: new Map() };
      }
    };
  return { ...sound, route: (request, plan) => sound.route(request, careless(plan)) };
}

function losesDeliveries(sound: Memory): Memory {
  const short =
    (plan: Plan): Plan =>
    (input) => {
      const { deliveries, cursors } = plan(input);
      return { deliveries: deliveries.slice(0, 3), cursors };
    };
  return { ...sound, route: (request, plan) => sound.route(request, short(plan)) };
}

function letsOvertake(sound: Memory): Memory {
  return {
    ...sound,
    route: (request, plan) =>
      sound.route(request, ({ candidates, ...input }) =>
        plan({
          ...input,
          candidates: (organization) =>
            candidates(organization).map(({ lane, ...candidate }) => ({
              ...candidate,
              lane: { ...lane, nextDueAt: null },
            })),
        }),
      ),
  };
}

function overlooksPatterns(sound: Memory): Memory {
  return {
    ...sound,
    route: (request, plan) =>
      sound.route(request, ({ candidates, ...input }) => {
        const named = new Set(input.events.map(({ event }) => event.type));
        return plan({
          ...input,
          candidates: (organization) =>
            candidates(organization).filter(({ subscription: { eventTypes } }) =>
              eventTypes.some((pattern) => pattern === "*" || named.has(pattern)),
            ),
        });
      }),
  };
}

function takesCapitalsForSmall(sound: Memory): Memory {
  const { history } = sound;
  const event: Memory["history"]["event"] = async (reference) =>
    (await history.event(reference)) ??
    (await history.event({ ...reference, organization: "acme" }));
  return { ...sound, history: { ...history, event } };
}

function trimsKeys(sound: Memory): Memory {
  return {
    ...sound,
    append: (events, tx) =>
      sound.append(
        events.map((event) => ({
          ...event,
          idempotencyKey: event.idempotencyKey?.trimEnd() ?? null,
        })),
        tx,
      ),
  };
}

function reportsAnyway(sound: Memory): Memory {
  return storing(sound, {
    report: async (reference, findings) => {
      const { version = 0 } = (await sound.subscriptions.get(reference)) ?? {};
      await sound.subscriptions.report({ ...reference, version }, findings);
    },
  });
}

function raisesVersions(sound: Memory): Memory {
  return storing(sound, {
    report: async (reference, findings) => {
      const version = reference.version + 1;
      await sound.subscriptions.report(reference, { ...findings, ...{ version } });
    },
  });
}

function prunesPending(sound: Memory): Memory {
  return {
    ...sound,
    prune: async (request) => {
      for (const organization of ["acme", "Acme"]) {
        const { items } = await sound.history.deliveries({ organization, limit: 99 });
        for (const { id, status, dueAt } of items) {
          if (status !== "pending" || dueAt === null) continue;
          await sound.cancel({ organization, deliveryId: id, reason: "pruned", now: dueAt });
        }
      }
      return sound.prune(request);
    },
  };
}

function redeliversPending(sound: Memory): Memory {
  return {
    ...sound,
    redeliver: async (request) => {
      const answer = await sound.redeliver(request);
      const delivery = await sound.history.delivery(request);
      const event = delivery && (await sound.history.event({ ...request, id: delivery.eventId }));
      if (answer !== "pending" || !event) return answer;
      await sound.send(event, { ...delivery, id: request.newId, createdAt: request.now });
      return "created";
    },
  };
}

/** The page before a place is the one that is farthest from it. */
function answersWrongEnd(sound: Memory): Memory {
  const { history } = sound;
  const deliveries: Memory["history"]["deliveries"] = async (request) => {
    if (request.before === undefined) return history.deliveries(request);
    const { items, newer } = await history.deliveries({ ...request, limit: 1_000 });
    return { items: items.slice(0, request.limit), older: true, newer };
  };
  return { ...sound, history: { ...history, deliveries } };
}
