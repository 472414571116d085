import assert from "node:assert/strict";
import { type Claim, inOrder, lapse, type SubscriptionRecord } from "@posthorn/core";
import fc from "fast-check";
import {
  ACME,
  aDelivery,
  again,
  aLane,
  anEvent,
  type Change,
  dead,
  delivered,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  type Stage,
  type StorageCase,
  settlementOf,
  storedOf,
} from "./stage.ts";

const order = { record: { order: "skip_dead" }, lane: { order: "skip_dead" } } as const;

/** Publishes one event per key, in the order given, and routes them to a subscription in order. */
async function queueUp(
  { storage, subscribe, route }: Pick<Stage, "storage" | "subscribe" | "route">,
  keys: readonly (string | null)[],
): Promise<{ readonly subscription: SubscriptionRecord; readonly ids: readonly string[] }> {
  const type = `thing_${newId()}`;
  const subscription = await subscribe({ eventTypes: [type], ...order.record }, order.lane);
  const events = keys.map((orderingKey) => anEvent({ type, orderingKey }));
  await storage.append(events);
  await route();
  const page = { organization: ACME, subscriptionId: subscription.id, limit: keys.length };
  const { items } = await storage.history.deliveries(page);
  const byEvent = new Map(items.map(({ eventId, id }) => [eventId, id]));
  return { subscription, ids: events.map(({ id }) => byEvent.get(id) ?? "") };
}

const idsOf = (claims: readonly Claim[]): readonly string[] =>
  claims.map(({ deliveryId }) => deliveryId).sort();

/** Every way in which the first of a queue can end; each answers when it did. */
const endings: {
  readonly [name: string]: (stage: Stage, id: string, of: SubscriptionRecord) => Promise<number>;
} = {
  "it is delivered": async ({ claimOne, settle }) => {
    await settle(await claimOne(), delivered, { startedAt: NOW, durationMs: 12 });
    return NOW + 12;
  },
  "it is dead": async ({ claimOne, settle }) => {
    await settle(await claimOne(), dead, { startedAt: NOW, durationMs: 7 });
    return NOW + 7;
  },
  "it is canceled while it waits": async ({ storage }, deliveryId) => {
    await storage.cancel({ organization: ACME, deliveryId, reason: "no", now: NOW + 5 });
    return NOW + 5;
  },
  "it is canceled in flight": async ({ storage, claimOne }, deliveryId) => {
    await claimOne();
    await storage.cancel({ organization: ACME, deliveryId, reason: "no", now: NOW + 5 });
    return NOW + 5;
  },
  "it has lapsed for the last time": async ({ claimOne, claim }) => {
    await claimOne();
    const now = NOW + LEASE;
    await claim(
      { now, slots: 0 },
      { lapse: () => ({ status: "dead", reason: "lapsed", lapses: 5 }) },
    );
    return now;
  },
};

const promotions = Object.fromEntries(
  Object.entries(endings).map(([name, end]) => [
    `the next one is due at once when ${name}`,
    async (stage: Stage) => {
      const { ids, subscription } = await queueUp(stage, [null, null, null]);
      const [first = "", second = "", third = ""] = ids;
      const endedAt = await end(stage, first, subscription);
      assert.notEqual((await stage.delivery(first)).status, "pending");
      assert.equal((await stage.delivery(second)).dueAt, endedAt);
      assert.equal((await stage.delivery(third)).dueAt, null);
      const { claims } = await stage.claim({ now: endedAt });
      assert.deepEqual(idsOf(claims), [second]);
    },
  ]),
);

export const orderCases: readonly StorageCase[] = [
  ...laws("order", {
    "only the first of a queue waits, and the others are pending with nothing due": async (
      stage,
    ) => {
      const { ids, subscription } = await queueUp(stage, [null, null, null]);
      const { storage, claim } = stage;
      const page = { organization: ACME, subscriptionId: subscription.id, limit: 9 };
      const { items } = await storage.history.deliveries({ ...page, status: "pending" });
      assert.deepEqual(
        new Map(items.map(({ id, dueAt }) => [id, dueAt])),
        new Map([
          [ids[0], NOW],
          [ids[1], null],
          [ids[2], null],
        ]),
      );
      const { claims, nextDueAt } = await claim();
      assert.deepEqual(idsOf(claims), [ids[0]]);
      assert.equal(nextDueAt, NOW + LEASE);
    },

    "what is published later goes behind what is pending": async (stage) => {
      const { storage, route, publish, claim, claimOne, settle, delivery } = stage;
      const { ids, subscription } = await queueUp(stage, [null]);
      const flight = await claimOne();
      await publish({ type: subscription.eventTypes[0] ?? "" });
      await route();
      assert.equal((await claim()).claims.length, 0);
      await settle(flight, delivered);
      const next = await claimOne({ now: NOW + MINUTE });
      assert.notEqual(next.deliveryId, ids[0]);
      await settle(next, delivered, { startedAt: NOW + MINUTE });
      assert.equal((await delivery(next.deliveryId)).status, "delivered");
      assert.equal((await storage.backlog(NOW)).queued, 0);
    },

    ...promotions,

    "each ordering key has a queue of its own, and what has none shares one": async (stage) => {
      const { claim, settle } = stage;
      const keys = ["a", null, "b", "a", null, "A"];
      const { ids } = await queueUp(stage, keys);
      const { claims } = await claim();
      assert.deepEqual(idsOf(claims), [ids[0], ids[1], ids[2], ids[5]].sort());
      const own = claims.find(({ deliveryId }) => deliveryId === ids[0]) as Claim;
      await settle(own, delivered);
      assert.deepEqual(idsOf((await claim({ now: NOW + 1_000 })).claims), [ids[3]]);
    },

    "each subscription has queues of its own": async (stage) => {
      const { storage, subscribe, route, publish, claim, settle } = stage;
      const ordered = await subscribe(order.record, order.lane);
      const other = await subscribe(order.record, order.lane);
      const free = await subscribe();
      for (const orderingKey of ["a", "a"]) await publish({ orderingKey });
      await route();
      const { claims } = await claim();
      const count = (id: string, of = claims): number =>
        of.filter(({ subscriptionId }) => subscriptionId === id).length;
      assert.deepEqual(
        [ordered, other, free].map(({ id }) => count(id)),
        [1, 1, 2],
      );
      const own = claims.find(({ subscriptionId }) => subscriptionId === ordered.id) as Claim;
      await settle(own, delivered);
      const later = (await claim({ now: NOW + 100 })).claims;
      assert.deepEqual(
        [ordered, other].map(({ id }) => count(id, later)),
        [1, 0],
      );
      assert.equal((await storage.backlog(NOW)).queued, 1);
    },

    "a retry keeps its place": async (stage) => {
      const { claim, claimOne, settle } = stage;
      const { ids } = await queueUp(stage, [null, null]);
      await settle(await claimOne(), again(NOW + MINUTE));
      assert.equal((await claim({ now: NOW + 1_000 })).claims.length, 0);
      assert.equal((await claimOne({ now: NOW + MINUTE })).deliveryId, ids[0]);
    },

    "a lapse keeps its place": async (stage) => {
      const { claimOne, claim } = stage;
      const { ids } = await queueUp(stage, [null, null]);
      await claimOne();
      assert.deepEqual(idsOf((await claim({ now: NOW + LEASE })).claims), [ids[0]]);
    },

    "a release keeps its place": async (stage) => {
      const { storage, claimOne, claim } = stage;
      const { ids } = await queueUp(stage, [null, null]);
      await storage.release([await claimOne()], NOW + 5);
      assert.deepEqual(idsOf((await claim({ now: NOW + 5 })).claims), [ids[0]]);
    },

    "the rule of settle hears to which order a delivery keeps": async (stage) => {
      const { storage, claim } = stage;
      const { subscription } = await queueUp(stage, [null]);
      const event = storedOf(anEvent({ type: "webhook_test" }));
      await storage.send(event, aDelivery(event, subscription));
      const { claims } = await claim();
      const heard = new Map<string, string>();
      await storage.settle(
        claims.map((each) => settlementOf(each)),
        (_, state) => {
          heard.set(state.delivery.eventType, state.order);
          return { next: { status: "delivered" }, counted: true };
        },
      );
      assert.equal(heard.get("webhook_test"), "none");
      assert.equal(heard.get(subscription.eventTypes[0] ?? ""), "skip_dead");
    },

    "the rule of lapses hears it too, and may switch the subscription off": async (stage) => {
      const { storage, claim, claimOne, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null]);
      const [first = "", second = ""] = ids;
      await claimOne();
      const now = NOW + LEASE;
      const rules = {
        lapse: (owed: Parameters<typeof lapse>[0] & { id: string; eventType: string }) =>
          inOrder(lapse({ ...owed, lapses: 4 }, now), "stop_at_dead", owed, now),
      };
      const heard: string[] = [];
      const result = await claim(
        { now },
        {
          lapse: (owed, _now, { order }) => {
            heard.push(order);
            return rules.lapse(owed);
          },
        },
      );
      assert.deepEqual(heard, ["skip_dead"]);
      assert.equal(result.claims.length, 0);
      const held = await storage.subscriptions.get(subscription);
      assert.equal(held?.enabled, false);
      assert.match(held?.disabledReason ?? "", new RegExp(first));
      assert.equal((await delivery(first)).status, "pending");
      assert.equal((await delivery(second)).dueAt, null);
    },

    "a first that is held waits while its subscription is off, and goes on with it": async (
      stage,
    ) => {
      const { storage, claim, claimOne, settle, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null]);
      const [first = "", second = ""] = ids;
      await settle(await claimOne(), {
        next: { status: "waiting", dueAt: NOW, reason: "refused for good", attempts: 1 },
        counted: true,
        subscription: { disabledReason: "held" },
      });
      assert.equal((await claim({ now: NOW + MINUTE })).claims.length, 0);
      assert.equal((await delivery(first)).status, "pending");
      const record = { ...subscription, version: 3 };
      await storage.subscriptions.update(record, aLane(order.lane));
      assert.deepEqual(idsOf((await claim({ now: NOW + MINUTE })).claims), [first]);
      assert.equal((await delivery(second)).dueAt, null);
    },

    "to cancel a first that is held is to skip it": async (stage) => {
      const { storage, claim, claimOne, settle, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null]);
      const [first = "", second = ""] = ids;
      await settle(await claimOne(), {
        next: { status: "waiting", dueAt: NOW, reason: "refused for good" },
        counted: true,
        subscription: { disabledReason: "held" },
      });
      await storage.cancel({ organization: ACME, deliveryId: first, reason: "no", now: NOW + 1 });
      assert.equal((await delivery(second)).dueAt, NOW + 1);
      assert.equal((await claim({ now: NOW + MINUTE })).claims.length, 0);
      await storage.subscriptions.update({ ...subscription, version: 3 }, aLane(order.lane));
      assert.deepEqual(idsOf((await claim({ now: NOW + MINUTE })).claims), [second]);
    },

    "an event that owes more than fits keeps its place in every lane": async (stage) => {
      const { storage, subscribe, route, publish } = stage;
      const records = [];
      for (let index = 0; index < 5; index += 1) {
        records.push(await subscribe(order.record, order.lane));
      }
      const events = [];
      for (let index = 0; index < 3; index += 1) events.push((await publish()).id);
      while ((await storage.backlog(NOW)).unrouted > 0) await route({ maxDeliveries: 2 });
      const arrived = await arrivals(stage);
      for (const { id } of records) assert.deepEqual(arrived.get(id), events);
    },

    "events that were put off hold up no other": async ({ subscribe, route, publish }) => {
      await subscribe(order.record, order.lane);
      const bad = await publish();
      await route({}, () => {
        throw new Error("the plan failed");
      });
      await publish();
      const result = await route();
      assert.deepEqual([result.deliveries, result.left], [1, 0]);
      assert.notEqual(bad.id, "");
    },

    "routers at the same time do not bring events out of order": async (stage) => {
      const { storage, other, subscribe, route } = stage;
      const subscription = await subscribe(order.record, order.lane);
      const given = Array.from({ length: 24 }, () => anEvent());
      for (let index = 0; index < given.length; index += 4) {
        await storage.append(given.slice(index, index + 4));
      }
      while ((await storage.backlog(NOW)).unrouted > 0) {
        await Promise.all(
          [storage, other, storage, other].map((handle) =>
            route({ maxEvents: 3 }, undefined, handle),
          ),
        );
      }
      const expected = given.map(({ id }) => id);
      assert.deepEqual((await arrivals(stage)).get(subscription.id), expected);
    },

    "a delivery that is repeated goes to the end of its event's queue": async (stage) => {
      const { storage, claimOne, settle } = stage;
      const { ids } = await queueUp(stage, ["a", "a", "a"]);
      await settle(await claimOne(), delivered);
      const repeat = newId();
      const ended = { organization: ACME, id: ids[0] ?? "" };
      await storage.redeliver({ ...ended, newId: repeat, now: NOW + 20 });
      const twice = newId();
      await storage.redeliver({ ...ended, newId: twice, now: NOW + 20 });
      const order: string[] = [];
      for (let now = NOW + 100; order.length < 4; now += 100) {
        const claim = await claimOne({ now });
        order.push(claim.deliveryId);
        await settle(claim, delivered, { startedAt: now });
      }
      assert.deepEqual(order, [ids[1], ids[2], repeat, twice]);
    },

    "a repeated delivery waits where its queue is empty": async (stage) => {
      const { storage, claimOne, settle } = stage;
      const { ids } = await queueUp(stage, ["a"]);
      await settle(await claimOne(), delivered);
      const repeat = newId();
      await storage.redeliver({ organization: ACME, id: ids[0] ?? "", newId: repeat, now: NOW });
      assert.equal((await claimOne({ now: NOW })).deliveryId, repeat);
    },

    "a replay goes to the end of the queues, in the order of what it repeats": async (stage) => {
      const { storage, claimOne, settle, publish, route } = stage;
      const { subscription, ids } = await queueUp(stage, ["a", "a", "a"]);
      const settleNext = async (now: number): Promise<string> => {
        const claim = await claimOne({ now });
        await settle(claim, dead, { startedAt: now });
        return claim.deliveryId;
      };
      for (let now = NOW; now < NOW + 300; now += 100) await settleNext(now);
      await publish({ type: subscription.eventTypes[0] ?? "", orderingKey: "a" });
      await route({ now: NOW + 300 });
      const { organization, id: subscriptionId } = subscription;
      await storage.replays.create({
        id: newId(),
        organization,
        subscriptionId,
        from: 0,
        until: NOW + 300,
        which: "dead",
        status: "running",
        redelivered: 0,
        createdAt: NOW + 300,
        endedAt: null,
      });
      const request = { now: NOW + 300, max: 9, newId };
      assert.equal((await storage.replays.step(request)).made, 3);
      assert.equal((await storage.backlog(NOW + 300)).queued, 3);
      const repeated: (string | null)[] = [];
      for (let now = NOW + 400; now < NOW + 800; now += 100) {
        repeated.push((await stage.delivery(await settleNext(now))).redeliveryOf);
      }
      assert.deepEqual(repeated, [null, ...ids]);
    },

    "a replay does not run ahead of what is queued": async (stage) => {
      const { storage, claimOne, settle } = stage;
      const { subscription } = await queueUp(stage, [null, null, null, null]);
      await settle(await claimOne(), dead);
      const { organization, id: subscriptionId } = subscription;
      await storage.replays.create({
        id: newId(),
        organization,
        subscriptionId,
        from: 0,
        until: NOW + 300,
        which: "dead",
        status: "running",
        redelivered: 0,
        createdAt: NOW + 300,
        endedAt: null,
      });
      const step = await storage.replays.step({ now: NOW + 300, max: 2, newId });
      assert.deepEqual(step, { made: 0, running: true, ended: null });
    },

    "what is canceled by range leaves nothing behind that nobody calls": async (stage) => {
      const { storage, claim, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null, "a", "a"]);
      const { organization, id: subscriptionId } = subscription;
      await stage.publish({ type: subscription.eventTypes[0] ?? "" });
      await stage.route({ now: NOW + 10 });
      const range = { organization, subscriptionId, from: 0, until: NOW + 5, reason: "no" };
      while ((await storage.cancelAll({ ...range, now: NOW + 20, max: 3 })) > 0);
      for (const id of ids) assert.equal((await delivery(id)).status, "canceled");
      assert.equal((await storage.backlog(NOW)).queued, 0);
      assert.equal((await claim({ now: NOW + 20 })).claims.length, 1);
    },

    "what is sent to one subscription passes beside its order": async (stage) => {
      const { storage, claim } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null]);
      const event = storedOf(anEvent({ type: "webhook_test" }));
      const sent = aDelivery(event, subscription);
      await storage.send(event, sent);
      assert.deepEqual(idsOf((await claim()).claims), [ids[0], sent.id].sort());
    },

    "the order is given up: what was queued is due": async (stage) => {
      const { storage, claim, claimOne, settle } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null, "a", "a"]);
      const { claims } = await claim({ slots: 1 });
      const now = NOW + 1_000;
      const record = { ...subscription, order: "none", version: 2, updatedAt: now } as const;
      await storage.subscriptions.update(record, aLane());
      assert.equal((await storage.backlog(now)).queued, 0);
      const [flying] = claims;
      const later = await claim({ now: now - 1 });
      const rest = await claim({ now });
      assert.deepEqual(idsOf([...claims, ...later.claims, ...rest.claims]), [...ids].sort());
      await settle(flying as Claim, delivered);
      assert.equal((await claim({ now })).claims.length, 0);
      await assert.rejects(claimOne({ now }));
    },

    "an order is introduced: what waits goes on, what comes then is queued behind it": async (
      stage,
    ) => {
      const { storage, owe, route, publish, claim, settle, delivery } = stage;
      const { subscription, ids } = await owe({ count: 3 });
      const flying = (await claim({ slots: 1 })).claims;
      const record = { ...subscription, ...order.record, version: 2, updatedAt: NOW + 1 };
      await storage.subscriptions.update(record, aLane(order.lane));
      await publish({ type: subscription.eventTypes[0] ?? "" });
      await route({ now: NOW + 2 });
      assert.equal((await storage.backlog(NOW)).queued, 1);
      const { claims } = await claim({ now: NOW + 2 });
      assert.deepEqual(idsOf([...flying, ...claims]), [...ids].sort());
      const [last, ...others] = claims;
      for (const each of others) await settle(each, delivered);
      assert.equal((await claim({ now: NOW + 1_000 })).claims.length, 0);
      await settle(last as Claim, delivered);
      const [next] = (await claim({ now: NOW + 1_000 })).claims;
      assert.equal((await delivery(next?.deliveryId ?? "")).inFlight, true);
    },

    "pruning keeps what is queued": async (stage) => {
      const { storage, claimOne, settle, delivery } = stage;
      const { ids } = await queueUp(stage, [null, null, null]);
      await settle(await claimOne(), delivered);
      assert.equal(await storage.prune({ before: NOW + 1, max: 9 }), 1);
      assert.equal((await delivery(ids[1] ?? "")).status, "pending");
      assert.equal((await delivery(ids[2] ?? "")).status, "pending");
    },

    "a deleted subscription's queue is canceled, and nothing of it is left": async (stage) => {
      const { storage, claimOne, settle, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null, "a", "a"]);
      const { deliveryId, ...flight } = await claimOne({ slots: 1 });
      await storage.subscriptions.delete(subscription, NOW);
      const sweep = { now: NOW, expireBefore: 0, max: 2 };
      while ((await storage.sweep(sweep)) > 0);
      for (const id of ids.filter((each) => each !== deliveryId)) {
        assert.equal((await delivery(id)).status, "canceled");
      }
      await settle({ ...flight, deliveryId }, delivered);
      while ((await storage.sweep(sweep)) > 0);
      const { queued, parked } = await storage.backlog(NOW);
      assert.deepEqual([queued, parked], [0, 0]);
    },

    "what is queued while its subscription is off expires too": async (stage) => {
      const { storage, delivery } = stage;
      const { subscription, ids } = await queueUp(stage, [null, null, null]);
      const record = { ...subscription, enabled: false, version: 2 };
      await storage.subscriptions.update(record, aLane({ ...order.lane, parked: true }));
      const sweep = { now: NOW + MINUTE, expireBefore: NOW + 1, max: 2 };
      while ((await storage.sweep(sweep)) > 0);
      for (const id of ids) assert.equal((await delivery(id)).status, "dead");
      assert.equal((await storage.backlog(NOW)).queued, 0);
    },

    "whatever happens, each key's deliveries go one after the other, in the order of their publish":
      async (stage) => {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) => playInOrder(stage, steps)),
          { numRuns: 12 },
        );
      },
  }),
];

/** Delivers all that is left, and answers the events that each subscription got, as they came. */
async function arrivals({
  storage,
  claim,
  settle,
}: Stage): Promise<ReadonlyMap<string, readonly string[]>> {
  const arrived = new Map<string, string[]>();
  for (let now = NOW + MINUTE; ; now += MINUTE) {
    const { claims } = await claim({ now });
    if (claims.length === 0) break;
    for (const each of claims) {
      await settle(each, delivered, { startedAt: now });
      arrived.set(each.subscriptionId, [
        ...(arrived.get(each.subscriptionId) ?? []),
        each.event.id,
      ]);
    }
  }
  assert.equal((await storage.backlog(NOW)).queued, 0);
  return arrived;
}

type Step = { readonly verb: string; readonly key: string | null; readonly number: number };

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom(
    ...["publish", "publish", "publish", "route", "route", "claim", "claim", "claim"],
    ...["deliver", "deliver", "retry", "kill", "release", "lapse", "cancel"],
  ),
  key: fc.constantFrom(null, "a", "b"),
  number: fc.nat(9),
});

let plays = 0;

/** One history of a lane in order, judged as it goes, and delivered to its end. */
async function playInOrder(stage: Stage, steps: readonly Step[]): Promise<void> {
  plays += 1;
  const organization = `play-${plays}`;
  const { storage, other } = stage;
  await stage.subscribe({ organization, ...order.record }, order.lane);
  const published: { readonly id: string; readonly key: string | null }[] = [];
  const started = new Map<string | null, number>();
  let flights: Claim[] = [];
  let now = NOW + plays * 1_000 * MINUTE;

  const claim = async (): Promise<void> => {
    const handle = flights.length % 2 === 0 ? storage : other;
    for (const alone of [false, true]) {
      const { claims } = await stage.claim({ now, alone, slots: alone ? 1 : 2 }, {}, handle);
      for (const each of claims) judge(each);
      flights.push(...claims);
    }
  };
  const judge = ({ event }: Claim): void => {
    const index = published.findIndex(({ id }) => id === event.id);
    const key = published[index]?.key ?? null;
    assert.ok(!flights.some((each) => each.event.orderingKey === key), `two of ${key} fly`);
    assert.ok((started.get(key) ?? -1) <= index, `${key}: ${index} came after a later one`);
    started.set(key, index);
  };
  const settle = async (number: number, change: Change): Promise<void> => {
    const flight = flights[number % Math.max(1, flights.length)];
    if (flight === undefined) return;
    flights = flights.filter((each) => each !== flight);
    await stage.settle(flight, change, { startedAt: now });
  };
  const verbs: { readonly [verb: string]: (step: Step) => Promise<unknown> } = {
    publish: async ({ key, number }) => {
      const events = Array.from({ length: 1 + (number % 3) }, () =>
        anEvent({ organization, orderingKey: key, publishedAt: now }),
      );
      await storage.append(events);
      published.push(...events.map(({ id }) => ({ id, key })));
    },
    route: ({ number }) =>
      Promise.all([
        stage.route({ now, maxEvents: 1 + number }),
        stage.route({ now, maxEvents: 2, maxDeliveries: 1 }, undefined, other),
      ]),
    claim,
    deliver: ({ number }) => settle(number, delivered),
    retry: ({ number }) => settle(number, again(now + number * 1_000)),
    kill: ({ number }) => settle(number, dead),
    release: async ({ number }) => {
      const flight = flights[number % Math.max(1, flights.length)];
      if (flight === undefined) return;
      flights = flights.filter((each) => each !== flight);
      await storage.release([flight], now + number * 1_000);
    },
    lapse: async () => {
      now += LEASE;
      flights = [];
      await claim();
    },
    cancel: async ({ number }) => {
      const page = { organization, status: "pending", limit: 10 } as const;
      const { items } = await storage.history.deliveries(page);
      const found = items[number % Math.max(1, items.length)];
      if (found === undefined) return;
      await storage.cancel({ organization, deliveryId: found.id, reason: "no", now });
      flights = flights.filter(({ deliveryId }) => deliveryId !== found.id);
    },
  };
  for (const each of steps) {
    now += 500;
    await verbs[each.verb]?.(each);
  }
  const pending = async (): Promise<number> => {
    const page = { organization, status: "pending", limit: 1 } as const;
    return (await storage.history.deliveries(page)).items.length;
  };
  for (let turns = 10 * published.length + 50; ; turns -= 1) {
    assert.ok(turns > 0, "what is queued never has its turn");
    now += 10_000;
    while ((await storage.backlog(now)).unrouted > 0) await stage.route({ now });
    if (flights.length === 0 && (await pending()) === 0) return;
    await claim();
    while (flights.length > 0) await settle(0, delivered);
  }
}
