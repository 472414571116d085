import assert from "node:assert/strict";
import { ACME, aLane, anEvent, delivered, laws, MINUTE, NOW, type StorageCase } from "./stage.ts";

const sweep = { now: NOW + MINUTE, expireBefore: 0, max: 99 };
const prune = { before: NOW + MINUTE, max: 99 };

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

    "parked deliveries that are too old end": async ({ storage, owe, delivery }) => {
      const off = { record: { enabled: false }, lane: { parked: true } };
      const old = await owe({ ...off, at: NOW });
      const young = await owe({ ...off, at: NOW + 1 });
      const open = await owe({ at: NOW });
      assert.equal(await storage.sweep({ ...sweep, expireBefore: NOW + 1 }), 1);
      const ended = await delivery(old.ids[0] ?? "");
      assert.deepEqual([ended.status, ended.completedAt], ["dead", NOW + MINUTE]);
      assert.ok(ended.reason?.startsWith("expired"));
      assert.equal((await delivery(young.ids[0] ?? "")).status, "pending");
      assert.equal((await delivery(open.ids[0] ?? "")).status, "pending");
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
      const empty = { unrouted: 0, inFlight: 0, waiting: [], parked: 0 };
      assert.deepEqual(await storage.backlog(NOW), empty);
      await owe({ count: 3, at: NOW });
      await claim({ slots: 1 });
      await owe({ count: 1, at: NOW - 5 });
      await owe({ count: 2, at: NOW + 5, record: { type: "chat" }, lane: { keyId: "key-1" } });
      await owe({ count: 1, record: { enabled: false }, lane: { parked: true } });
      await publish();
      const { waiting, ...rest } = await storage.backlog(NOW);
      assert.deepEqual(rest, { unrouted: 1, inFlight: 1, parked: 1 });
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
