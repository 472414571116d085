import assert from "node:assert/strict";
import {
  ACME,
  aGate,
  aLane,
  anEvent,
  anOpenBreaker,
  delivered,
  laws,
  MINUTE,
  NOW,
  newId,
  planOf,
  type StorageCase,
  stateOf,
  storedOf,
  terms,
} from "./stage.ts";

const sweep = { now: NOW + MINUTE, expireBefore: 0, max: 99 };
const prune = { before: NOW + MINUTE, max: 99 };

/** What a backlog says of a storage where all is well. */
const quiet = { queued: 0, failing: 0, gates: { paused: 0, open: 0 }, dispatchers: 0 };

export const housekeepingCases: readonly StorageCase[] = [
  ...laws("sweep", {
    "what waits for a deleted subscription is canceled": async ({ storage, owe, delivery }) => {
      const { subscription, ids } = await owe({ count: 3 });
      await storage.subscriptions.delete(subscription, NOW);
      await storage.sweep(sweep);
      for (const id of ids) {
        const { status, dueAt, reason, completedAt } = await delivery(id);
        assert.deepEqual([status, dueAt], ["canceled", null]);
        assert.ok(reason !== null && completedAt !== null);
      }
    },

    "what comes back to a deleted subscription is canceled too": async ({
      storage,
      owe,
      claim,
      delivery,
    }) => {
      const { subscription, ids } = await owe({ count: 2 });
      const { claims } = await claim();
      await storage.subscriptions.delete(subscription, NOW);
      await storage.sweep(sweep);
      await storage.release(claims, NOW);
      assert.deepEqual((await claim()).claims, []);
      assert.ok((await storage.sweep(sweep)) >= 2);
      for (const id of ids) assert.equal((await delivery(id)).status, "canceled");
      assert.equal(await storage.sweep(sweep), 0);
    },

    "what is routed while its subscription is deleted ends": async ({
      storage,
      other,
      subscribe,
      publish,
      route,
    }) => {
      const records = [];
      for (let index = 0; index < 4; index += 1) records.push(await subscribe());
      for (let index = 0; index < 8; index += 1) await publish();
      const request = { ...terms({ slots: 0 }), maxEvents: 1, maxDeliveries: 99 };
      const routing = async (): Promise<void> => {
        for (let turn = 0; turn < 8; turn += 1) await other.route(request, planOf("wait"));
      };
      await Promise.all([
        routing(),
        ...records.map((record) => storage.subscriptions.delete(record, NOW)),
        storage.sweep(sweep),
      ]);
      await route();
      while ((await storage.sweep(sweep)) > 0);
      const { items } = await storage.history.deliveries({ organization: ACME, limit: 99 });
      assert.deepEqual(
        items.filter(({ status }) => status !== "canceled"),
        [],
      );
      const empty = { unrouted: 0, inFlight: 0, waiting: [], parked: 0, ...quiet };
      assert.deepEqual(await storage.backlog(NOW), empty);
    },

    "parked deliveries that are too old end": async ({ storage, owe, delivery }) => {
      const off = { record: { enabled: false }, lane: { parked: true } };
      const old = await owe({ ...off, at: NOW });
      const young = await owe({ ...off, at: NOW + 1 });
      assert.equal(await storage.sweep({ ...sweep, expireBefore: NOW + 1 }), 1);
      const ended = await delivery(old.ids[0] ?? "");
      assert.deepEqual([ended.status, ended.completedAt], ["dead", NOW + MINUTE]);
      assert.ok(ended.reason?.startsWith("expired"));
      assert.equal((await delivery(young.ids[0] ?? "")).status, "pending");
    },

    "deliveries that have waited for too long end, whatever they wait for": async ({
      storage,
      owe,
      claim,
      claimOne,
      settle,
      delivery,
    }) => {
      const gate = aGate();
      const held = await owe({ count: 2, lane: { gates: [gate] } });
      const flight = await claimOne({ slots: 1 });
      await settle(flight, {
        next: { status: "waiting", dueAt: NOW + 9 * MINUTE, attempts: 1, reason: "refused" },
        counted: true,
        gates: [stateOf(gate, { breaker: anOpenBreaker(NOW + 9 * MINUTE) })],
      });
      const due = await owe();
      const young = await owe({ at: NOW + 1, lane: { gates: [gate] } });
      assert.equal(await storage.sweep({ ...sweep, expireBefore: NOW + 1 }), 3);
      for (const id of [...held.ids, ...due.ids]) {
        const ended = await delivery(id);
        assert.deepEqual([ended.status, ended.completedAt], ["dead", NOW + MINUTE]);
        assert.ok(ended.reason?.startsWith("expired"));
      }
      assert.equal((await delivery(flight.deliveryId)).attempts, 1);
      assert.equal((await delivery(young.ids[0] ?? "")).status, "pending");
      const { claims } = await claim({ now: NOW + 9 * MINUTE });
      assert.deepEqual(
        claims.map(({ deliveryId }) => deliveryId),
        young.ids,
      );
    },

    "what is in flight is never too old": async ({ storage, owe, claimOne, settle, delivery }) => {
      await owe();
      const flight = await claimOne();
      assert.equal(await storage.sweep({ ...sweep, expireBefore: NOW + 1 }), 0);
      assert.equal(await settle(flight, delivered), "settled");
      assert.equal((await delivery(flight.deliveryId)).status, "delivered");
    },

    "it changes at most `max` rows, and fewer when it is done": async ({ storage, owe }) => {
      await owe({ count: 5, record: { enabled: false }, lane: { parked: true } });
      const request = { ...sweep, expireBefore: NOW + 1, max: 2 };
      assert.equal(await storage.sweep(request), 2);
      assert.equal(await storage.sweep(request), 2);
      assert.equal(await storage.sweep(request), 1);
      assert.equal(await storage.sweep(request), 0);
    },

    "there may be nothing to do": async ({ storage, owe }) => {
      await owe({ count: 3 });
      assert.equal(await storage.sweep(sweep), 0);
    },
  }),

  ...laws("prune", {
    "old events go, with their deliveries and attempts": async ({
      storage,
      owe,
      claim,
      settle,
    }) => {
      const { subscription, events, ids } = await owe({ count: 2 });
      const { claims } = await claim();
      for (const flight of claims) await settle(flight, delivered);
      assert.equal(await storage.prune(prune), 2);
      for (const { id } of events) {
        assert.equal(await storage.history.event({ organization: ACME, id }), null);
      }
      for (const id of ids) {
        assert.equal(await storage.history.delivery({ organization: ACME, id }), null);
        assert.deepEqual(await storage.history.attempts({ organization: ACME, id }), []);
      }
      assert.deepEqual(await storage.subscriptions.get(subscription), subscription);
      assert.equal(await storage.prune(prune), 0);
    },

    "only events published before the instant go": async ({ storage, publish, route }) => {
      const old = await publish({ publishedAt: NOW - 1 });
      const young = await publish({ publishedAt: NOW, occurredAt: NOW - MINUTE });
      await route();
      assert.equal(await storage.prune({ before: NOW, max: 9 }), 1);
      assert.equal(await storage.history.event(old), null);
      assert.deepEqual(await storage.history.event(young), young);
    },

    "events that are not routed stay": async ({ storage, publish, route }) => {
      const event = await publish();
      assert.equal(await storage.prune(prune), 0);
      await route({}, () => ({ deliveries: [], cursors: new Map([[event.id, ""]]) }));
      assert.equal(await storage.prune(prune), 0);
      assert.deepEqual(await storage.history.event(event), event);
    },

    "events with a pending delivery stay": async ({
      storage,
      subscribe,
      publish,
      route,
      claim,
      settle,
    }) => {
      await subscribe();
      await subscribe();
      const event = await publish();
      await route();
      assert.equal(await storage.prune(prune), 0);
      const { claims } = await claim();
      assert.equal(claims.length, 2);
      for (const flight of claims) {
        assert.equal(await storage.prune(prune), 0);
        await settle(flight, delivered);
      }
      assert.deepEqual(await storage.history.event(event), event);
      assert.equal(await storage.prune(prune), 1);
    },

    "one organization's events can go alone": async ({ storage, publish, route }) => {
      const ours = await publish();
      const theirs = await publish({ organization: "umbrella" });
      await route();
      assert.equal(await storage.prune({ ...prune, organization: "umbrella" }), 1);
      assert.equal(await storage.history.event(theirs), null);
      assert.deepEqual(await storage.history.event(ours), ours);
    },

    "an event that is delivered again at the same time stays, or is not delivered again": async ({
      storage,
      other,
      owe,
      claim,
      settle,
    }) => {
      const { ids } = await owe({ count: 6 });
      for (const flight of (await claim()).claims) await settle(flight, delivered);
      const [answers] = await Promise.all([
        Promise.all(
          ids.map((id) => other.redeliver({ organization: ACME, id, newId: newId(), now: NOW })),
        ),
        storage.prune({ ...prune, max: 3 }),
        storage.prune({ ...prune, max: 3 }),
      ]);
      const { claims } = await claim();
      assert.equal(claims.length, answers.filter((answer) => answer === "created").length);
      for (const { event } of claims) assert.deepEqual(await storage.history.event(event), event);
    },

    "an idempotency key is taken as long as its event is kept, and free then": async ({
      storage,
      publish,
      route,
    }) => {
      const first = await publish({ idempotencyKey: "order-1" });
      await route();
      await storage.prune({ before: NOW, max: 9 });
      const again = anEvent({ idempotencyKey: "order-1" });
      assert.deepEqual(await storage.append([again]), [{ event: first, repeated: true }]);
      assert.equal(await storage.prune(prune), 1);
      assert.deepEqual(await storage.append([again]), [
        { event: storedOf(again), repeated: false },
      ]);
    },

    "at most `max` events go": async ({ storage, publish, route }) => {
      for (let index = 0; index < 5; index += 1) await publish();
      await route();
      assert.equal(await storage.prune({ ...prune, max: 3 }), 3);
      assert.equal(await storage.prune({ ...prune, max: 3 }), 2);
    },

    "an event that was sent past routing goes too": async ({
      storage,
      subscribe,
      claimOne,
      settle,
    }) => {
      const record = await subscribe();
      const { idempotencyKey: _, announced: __, ...event } = anEvent();
      await storage.send(event, {
        id: event.id,
        organization: ACME,
        eventId: event.id,
        eventType: event.type,
        subscriptionId: record.id,
        handlerType: record.type,
        createdAt: NOW,
      });
      await settle(await claimOne(), delivered);
      assert.equal(await storage.prune(prune), 1);
      assert.equal(await storage.history.event(event), null);
    },
  }),

  ...laws("backlog", {
    "it tells what is not routed, waits, flies and is parked": async ({
      storage,
      owe,
      claim,
      publish,
    }) => {
      const empty = { unrouted: 0, inFlight: 0, waiting: [], parked: 0, ...quiet };
      assert.deepEqual(await storage.backlog(NOW), empty);
      await owe({ count: 3, at: NOW });
      await claim({ slots: 1 });
      await owe({ count: 1, at: NOW - 5 });
      await owe({ count: 2, at: NOW + 5, record: { type: "chat" }, lane: { keyId: "key-1" } });
      await owe({ count: 1, record: { enabled: false }, lane: { parked: true } });
      await publish();
      const { waiting, ...rest } = await storage.backlog(NOW);
      assert.deepEqual(rest, { unrouted: 1, inFlight: 1, parked: 1, ...quiet });
      assert.deepEqual(
        waiting.toSorted((a, b) => b.count - a.count),
        [
          { handlerType: "http", keyId: null, count: 3, oldestDueAt: NOW - 5 },
          { handlerType: "chat", keyId: "key-1", count: 2, oldestDueAt: NOW + 5 },
        ],
      );
    },

    "a lane that is parked later counts as parked": async ({ storage, owe }) => {
      const { subscription } = await owe({ count: 2 });
      const off = { ...subscription, version: 2, enabled: false };
      await storage.subscriptions.update(off, aLane({ parked: true }));
      const { waiting, parked } = await storage.backlog(NOW);
      assert.deepEqual([waiting, parked], [[], 2]);
    },
  }),

  ...laws("close", {
    "closing twice is closing once, and nothing works afterwards": async ({ storage, owe }) => {
      await owe();
      await storage.close();
      await storage.close();
      await assert.rejects(storage.append([anEvent()]));
      await assert.rejects(storage.backlog(NOW));
      await assert.rejects(storage.subscriptions.list({ organization: ACME, limit: 1 }));
    },
  }),

  ...laws(
    "reopen",
    {
      "what was acknowledged is there for every process, and outlives the one that wrote it":
        async ({ storage, other, owe, claimOne, settle, publish }) => {
          const { subscription, ids } = await owe();
          await settle(await claimOne(), delivered);
          const event = await publish();
          const attempts = await storage.history.attempts({ organization: ACME, id: ids[0] ?? "" });
          await storage.close();
          assert.equal(attempts.length, 1);
          assert.deepEqual(await other.subscriptions.get(subscription), subscription);
          assert.deepEqual(
            await other.history.attempts({ organization: ACME, id: ids[0] ?? "" }),
            attempts,
          );
          assert.equal((await other.backlog(NOW)).unrouted, 1);
          assert.deepEqual(await other.history.event(event), event);
        },
    },
    ["reopen"],
  ),

  ...laws(
    "clock",
    {
      "it tells integer epoch milliseconds": async ({ storage }) => {
        const first = await storage.clock?.();
        assert.ok(Number.isSafeInteger(first));
        assert.ok((first ?? 0) > Date.UTC(2024, 0) && (first ?? 0) < Date.UTC(2200, 0));
        const second = await storage.clock?.();
        assert.ok((second ?? 0) >= (first ?? 0));
      },
    },
    ["clock"],
  ),
];
