import assert from "node:assert/strict";
import { type Claim, callsOf, SUSPECT_LAPSES } from "@posthorn/core";
import {
  ACME,
  aGate,
  again,
  aLane,
  delivered,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  type StorageCase,
  settlementOf,
} from "./stage.ts";

/** Calls of the type `http` may take up to four; the stage's subscriptions are of it. */
const perCall = new Map([["http", 4]]);

export const batchCases: readonly StorageCase[] = [
  ...laws("claim of several as one call", {
    "each goes alone where no more is due than may go": async ({ owe, claim }) => {
      const { ids } = await owe({ count: 3 });
      const { claims } = await claim({ slots: 3, perCall });
      assert.deepEqual(idsOf(claims), ids);
      assert.deepEqual(sizesOf(claims), [1, 1, 1]);
    },

    "what else is due goes together, filled evenly, the earliest first": async ({ owe, claim }) => {
      const { ids } = await owe({ count: 7 });
      const { claims } = await claim({ slots: 3, perCall });
      assert.deepEqual(sizesOf(claims), [3, 2, 2]);
      assert.deepEqual(
        claims.map(({ deliveryId }) => deliveryId),
        ids,
      );
    },

    "a call takes no more than it may, and the rest waits": async ({ owe, claim }) => {
      const { ids } = await owe({ count: 10 });
      const first = await claim({ slots: 2, perCall });
      assert.deepEqual(sizesOf(first.claims), [4, 4]);
      assert.deepEqual(idsOf(first.claims), ids.slice(0, 8));
      assert.equal(first.nextDueAt, NOW);
      assert.deepEqual(idsOf((await claim({ perCall })).claims), ids.slice(8));
    },

    "only handler types take several of which the request says so": async ({ owe, claim }) => {
      await owe({ count: 6, record: { type: "chat" } });
      const { claims } = await claim({ slots: 1, perCall });
      assert.deepEqual([claims.length, claims[0]?.call], [1, null]);
      const one = await claim({ slots: 1, perCall: new Map([["chat", 2]]) });
      assert.deepEqual(sizesOf(one.claims), [2]);
    },

    "without a word in the request, each goes alone": async ({ owe, claim }) => {
      await owe({ count: 6 });
      const { claims } = await claim({ slots: 2 });
      assert.deepEqual(sizesOf(claims), [1, 1]);
    },

    "each call has a name of its own": async ({ owe, claim }) => {
      const lanes = [await owe({ count: 9 }), await owe({ count: 9 })];
      const { claims } = await claim({ slots: 4, perCall });
      assert.deepEqual(sizesOf(claims), [4, 4, 4, 4]);
      for (const { subscription } of lanes) {
        const own = claims.filter(({ subscriptionId }) => subscriptionId === subscription.id);
        assert.deepEqual(sizesOf(own), [4, 4]);
      }
    },

    "claims of one call follow each other, and have the same lease": async ({ owe, claim }) => {
      await owe({ count: 9, lane: { gates: [aGate(1_000)] } });
      await owe({ count: 9 });
      const { claims } = await claim({ slots: 3, perCall });
      assert.deepEqual(claims, callsOf(claims).flat());
      for (const call of callsOf(claims)) {
        const [{ leaseUntil, startBy, subscriptionId, token }] = call;
        const common = { leaseUntil, startBy, subscriptionId, token };
        for (const each of call) assert.deepEqual({ ...each, ...common }, each);
      }
    },

    "a call passes each gate once": async ({ owe, claim }) => {
      const gate = { ...aGate(), limit: { limit: 1, perMs: 1_000, burst: 2 } };
      await owe({ count: 20, lane: { gates: [gate] } });
      const { claims, nextDueAt } = await claim({ perCall });
      assert.deepEqual([sizesOf(claims), nextDueAt], [[4, 4], NOW + 1_000]);
      const next = await claim({ now: NOW + 1_000, perCall });
      assert.deepEqual([sizesOf(next.claims), next.nextDueAt], [[4], NOW + 2_000]);
    },

    "a call takes one place of its lane": async ({ owe, claim }) => {
      const { subscription } = await owe({ count: 20 });
      const inFlight = {
        byLane: new Map([[subscription.id, 1]]),
        byOrganization: new Map([[ACME, 1]]),
      };
      const { claims } = await claim({ perLane: 3, perCall, inFlight });
      assert.deepEqual(sizesOf(claims), [4, 4]);
    },

    "a call takes one place of its organization": async ({ owe, claim }) => {
      await owe({ count: 20 });
      const { claims } = await claim({ perOrganization: 2, perCall });
      assert.deepEqual(sizesOf(claims), [4, 4]);
    },

    "lanes with calls for several and lanes without share the slots": async ({ owe, claim }) => {
      const several = await owe({ count: 20 });
      const single = await owe({ count: 20, record: { type: "chat" } });
      const { claims } = await claim({ slots: 6, perCall });
      const of = (id: string): readonly Claim[] =>
        claims.filter(({ subscriptionId }) => subscriptionId === id);
      assert.deepEqual(sizesOf(of(several.subscription.id)), [4, 4, 4]);
      assert.deepEqual(sizesOf(of(single.subscription.id)), [1, 1, 1]);
    },

    "many lanes that are due have a full call each": async ({ owe, claim }) => {
      const perCall = new Map([["http", 60]]);
      for (let lane = 0; lane < 40; lane += 1) await owe({ count: 60 });
      const { claims } = await claim({ slots: 40, perCall });
      assert.deepEqual(new Set(sizesOf(claims)), new Set([60]));
    },

    "what was tried goes in a call of its own": async ({ owe, claim, settle }) => {
      const { ids } = await owe({ count: 6 });
      const { claims } = await claim({ slots: 2 });
      for (const flight of claims) await settle(flight, again(NOW));
      const tried = claims.map(({ deliveryId }) => deliveryId).sort();
      const calls: (readonly string[])[] = [];
      for (let turn = 0; turn < ids.length; turn += 1) {
        calls.push(...callsOf((await claim({ slots: 2, perCall })).claims).map(idsOf));
      }
      assert.deepEqual(calls.flat().sort(), ids);
      for (const id of tried) assert.ok(calls.some((call) => call.join() === id));
    },

    "what was throttled for free goes together again": async ({ owe, claim, settle }) => {
      const { ids } = await owe({ count: 3 });
      const first = await claim({ slots: 1, perCall });
      for (const flight of first.claims) {
        const next = { status: "waiting", dueAt: NOW + MINUTE, throttles: 1 } as const;
        await settle(flight, { next, counted: false }, { outcome: "throttled" });
      }
      const { claims } = await claim({ now: NOW + MINUTE, slots: 1, perCall });
      assert.deepEqual([idsOf(claims), sizesOf(claims)], [ids, [3]]);
    },

    "what was throttled for free does not go behind what came after it": async (stage) => {
      const { owe, claim, settle, publish, route } = stage;
      const { subscription, ids } = await owe({ count: 3 });
      const first = await claim({ slots: 1, perCall });
      for (const flight of first.claims) {
        const next = { status: "waiting", dueAt: NOW + MINUTE, throttles: 1 } as const;
        await settle(flight, { next, counted: false }, { outcome: "throttled" });
      }
      const [type = ""] = subscription.eventTypes;
      const since = [await publish({ type }), await publish({ type }), await publish({ type })];
      await route({ now: NOW + 1 });
      const { claims } = await claim({ now: NOW + MINUTE, slots: 2, perCall });
      assert.deepEqual(sizesOf(claims), [3, 3]);
      assert.deepEqual(
        claims.slice(0, 3).map(({ deliveryId }) => deliveryId),
        ids,
      );
      assert.deepEqual(
        claims
          .slice(3)
          .map(({ event }) => event.id)
          .sort(),
        since.map(({ id }) => id).sort(),
      );
    },

    "what lapsed goes together once more, and then each alone": async ({ owe, claim }) => {
      const { ids } = await owe({ count: 3 });
      let now = NOW;
      for (let lapses = 0; lapses < SUSPECT_LAPSES; lapses += 1) {
        const { claims } = await claim({ now, slots: 1, perCall });
        assert.deepEqual([idsOf(claims), sizesOf(claims)], [ids, [3]]);
        now += LEASE + 1;
      }
      const { claims, suspects } = await claim({ now, slots: 1, perCall });
      assert.deepEqual([claims, suspects], [[], true]);
      const alone = await claim({ now, slots: 1, perCall, alone: true });
      assert.deepEqual([sizesOf(alone.claims), alone.claims[0]?.call], [[1], null]);
    },

    "each flight of a call ends by itself": async (stage) => {
      const { storage, owe, claim, settle, delivery } = stage;
      await owe({ count: 4 });
      const { claims } = await claim({ slots: 1, perCall });
      assert.deepEqual(sizesOf(claims), [4]);
      const [first, second, third, fourth] = claims as [Claim, Claim, Claim, Claim];
      await settle(first, delivered);
      await storage.release([second], NOW + 5);
      const { organization } = third.subscription;
      const request = { organization, deliveryId: third.deliveryId, reason: "no", now: NOW };
      assert.equal(await storage.cancel(request), "canceled");
      const { lapsed } = await claim({ now: NOW + LEASE + 1, slots: 0 });
      assert.deepEqual(
        lapsed.map(({ id }) => id),
        [fourth.deliveryId],
      );
      const ended = await Promise.all(claims.map(({ deliveryId }) => delivery(deliveryId)));
      assert.deepEqual(
        ended.map(({ status, lapses, dueAt }) => [status, lapses, dueAt]),
        [
          ["delivered", 0, null],
          ["pending", 0, NOW + 5],
          ["canceled", 0, null],
          ["pending", 1, NOW + LEASE + 1],
        ],
      );
    },

    "the flights of a call settle together, each with its attempt": async (stage) => {
      const { storage, owe, claim, attempts } = stage;
      await owe({ count: 4 });
      const { claims } = await claim({ slots: 1, perCall });
      const results = await storage.settle(
        claims.map((flight) => settlementOf(flight)),
        () => ({ next: { status: "delivered", attempts: 1 }, counted: true }),
      );
      assert.deepEqual(results, ["settled", "settled", "settled", "settled"]);
      for (const { deliveryId } of claims) {
        const kept = await attempts(deliveryId);
        assert.deepEqual(
          kept.map((attempt) => attempt.deliveryId),
          [deliveryId],
        );
      }
    },

    "in a lane with an order, the first of different queues go together, and no other": async ({
      storage,
      subscribe,
      publish,
      route,
      claim,
    }) => {
      const record = await subscribe({ order: "skip_dead" }, { order: "skip_dead" });
      for (const orderingKey of ["a", "b", "a", "c", "b"]) await publish({ orderingKey });
      await route();
      const { claims } = await claim({ slots: 1, perCall });
      assert.deepEqual(
        claims.map(({ event }) => event.orderingKey),
        ["a", "b", "c"],
      );
      assert.deepEqual(sizesOf(claims), [3]);
      await storage.settle(
        claims.map((flight) => settlementOf(flight)),
        () => ({ next: { status: "delivered", attempts: 1 }, counted: true }),
      );
      const next = await claim({ now: NOW + MINUTE, slots: 1, perCall });
      assert.deepEqual(next.claims.map(({ event }) => event.orderingKey).sort(), ["a", "b"]);
      assert.equal(next.claims[0]?.subscriptionId, record.id);
    },

    "retries have no more of the calls than where each goes alone": async (stage) => {
      const { storage, owe, claim, publish, route } = stage;
      const { subscription } = await owe({ count: 20 });
      const first = await claim({ slots: 20 });
      await storage.settle(
        first.claims.map((flight) => settlementOf(flight)),
        () => ({ next: { status: "waiting", dueAt: NOW + 1, attempts: 1 }, counted: true }),
      );
      const [type = ""] = subscription.eventTypes;
      for (let event = 0; event < 40; event += 1) await publish({ type });
      await route({ now: NOW + 2 });
      const { claims } = await claim({ now: NOW + 2, slots: 10, perCall });
      const retries = callsOf(claims).filter(([{ delivery }]) => delivery.attempts > 0);
      assert.deepEqual([callsOf(claims).length, retries.length], [10, 3]);
      assert.deepEqual([claims.length, Math.max(...sizesOf(claims))], [31, 4]);
    },
  }),

  ...laws("route", {
    "what starts at once goes alone, whatever a call may take": async (stage) => {
      await stage.subscribe({}, aLane());
      for (let event = 0; event < 3; event += 1) await stage.publish({ id: newId() });
      const { claims } = await stage.route({ slots: 10, perCall });
      assert.deepEqual(
        claims.map(({ call }) => call),
        [null, null, null],
      );
    },
  }),
];

const idsOf = (claims: readonly Claim[]): readonly string[] =>
  claims.map(({ deliveryId }) => deliveryId).sort();

const sizesOf = (claims: readonly Claim[]): readonly number[] =>
  callsOf(claims).map(({ length }) => length);
