import assert from "node:assert/strict";
import {
  ACME,
  aDelivery,
  again,
  anEvent,
  dead,
  delivered,
  laws,
  MINUTE,
  NOW,
  newId,
  type StorageCase,
  storedOf,
} from "./stage.ts";

export const operatorCases: readonly StorageCase[] = [
  ...laws("send", {
    "an event goes to one subscription, past all matching": async ({
      storage,
      subscribe,
      claimOne,
      route,
      delivery,
    }) => {
      await subscribe();
      const record = await subscribe({ eventTypes: ["another_type"] });
      const event = storedOf(anEvent({ type: "webhook_test" }));
      const made = aDelivery(event, record, NOW + 2);
      assert.equal(await storage.send(event, made), true);
      assert.equal((await route()).events, 0);
      assert.deepEqual(await storage.history.event(event), event);
      assert.equal((await delivery(made.id)).dueAt, NOW + 2);
      const claim = await claimOne({ now: NOW + 2 });
      assert.deepEqual([claim.deliveryId, claim.event], [made.id, event]);
      assert.deepEqual(claim.subscription, record);
    },

    "it waits while the subscription is off": async ({ storage, subscribe, claim, delivery }) => {
      const record = await subscribe({ enabled: false }, { parked: true });
      const event = storedOf(anEvent());
      const made = aDelivery(event, record);
      assert.equal(await storage.send(event, made), true);
      assert.deepEqual((await claim()).claims, []);
      assert.equal((await delivery(made.id)).status, "pending");
    },

    "nothing is added if it is sent again": async ({
      storage,
      subscribe,
      claimOne,
      settle,
      claim,
    }) => {
      const record = await subscribe();
      const event = storedOf(anEvent());
      const made = aDelivery(event, record);
      await storage.send(event, made);
      assert.equal(await storage.send(event, made), true);
      await settle(await claimOne(), delivered);
      assert.equal(await storage.send(event, made), true);
      assert.deepEqual((await claim()).claims, []);
      const { items } = await storage.history.events({ organization: ACME, limit: 9 });
      assert.equal(items.length, 1);
    },

    "nothing is added for a subscription that the organization does not have": async ({
      storage,
      subscribe,
    }) => {
      const deleted = await subscribe();
      await storage.subscriptions.delete(deleted, NOW);
      const foreign = { ...(await subscribe({ organization: "umbrella" })), organization: ACME };
      for (const record of [deleted, foreign, { ...deleted, id: newId() }]) {
        const event = storedOf(anEvent());
        const made = aDelivery(event, record);
        assert.equal(await storage.send(event, made), false);
        assert.equal(await storage.history.event(event), null);
        assert.equal(await storage.history.delivery({ organization: ACME, id: made.id }), null);
      }
    },
  }),

  ...laws("redeliver", {
    "a delivery that has ended is repeated, and both stay in the history": async ({
      storage,
      owe,
      claimOne,
      settle,
      delivery,
    }) => {
      const { ids } = await owe();
      const [id = ""] = ids;
      await settle(await claimOne(), again(NOW));
      await settle(await claimOne(), dead);
      const ended = await delivery(id);
      const request = { organization: ACME, id, newId: newId(), now: NOW + MINUTE };
      assert.equal(await storage.redeliver(request), "created");
      assert.deepEqual(await delivery(id), ended);
      assert.deepEqual(await delivery(request.newId), {
        ...ended,
        id: request.newId,
        status: "pending",
        dueAt: NOW + MINUTE,
        attempts: 0,
        reason: null,
        redeliveryOf: id,
        createdAt: NOW + MINUTE,
        completedAt: null,
      });
      assert.equal((await claimOne({ now: NOW + MINUTE })).deliveryId, request.newId);
    },

    "its lane knows when it is due": async ({ storage, owe, claim, claimOne, settle }) => {
      const { ids } = await owe();
      await settle(await claimOne(), delivered);
      await storage.redeliver({
        organization: ACME,
        id: ids[0] ?? "",
        newId: newId(),
        now: NOW + 9,
      });
      assert.equal((await claim()).nextDueAt, NOW + 9);
    },

    "nothing is added if it is asked for again with the same id": async ({
      storage,
      owe,
      claim,
      claimOne,
      settle,
    }) => {
      const { ids } = await owe();
      await settle(await claimOne(), delivered);
      const request = { organization: ACME, id: ids[0] ?? "", newId: newId(), now: NOW };
      assert.equal(await storage.redeliver(request), "created");
      assert.equal(await storage.redeliver(request), "created");
      await settle(await claimOne(), delivered);
      assert.equal(await storage.redeliver(request), "created");
      assert.deepEqual((await claim()).claims, []);
    },

    "a pending delivery is not repeated": async ({ storage, owe, claimOne }) => {
      const { ids } = await owe();
      const request = { organization: ACME, id: ids[0] ?? "", newId: newId(), now: NOW };
      assert.equal(await storage.redeliver(request), "pending");
      await claimOne();
      assert.equal(await storage.redeliver(request), "pending");
      assert.equal(await storage.history.delivery({ organization: ACME, id: request.newId }), null);
    },

    "a deleted subscription's delivery is not repeated": async ({
      storage,
      owe,
      claimOne,
      settle,
    }) => {
      const { subscription, ids } = await owe();
      await settle(await claimOne(), delivered);
      await storage.subscriptions.delete(subscription, NOW);
      const request = { organization: ACME, id: ids[0] ?? "", newId: newId(), now: NOW };
      assert.equal(await storage.redeliver(request), "subscription_deleted");
      await storage.sweep({ now: NOW, expireBefore: 0, max: 99 });
      assert.equal(await storage.redeliver(request), "subscription_deleted");
    },

    "an unknown or foreign delivery is not found": async ({ storage, owe, claimOne, settle }) => {
      const { ids } = await owe();
      await settle(await claimOne(), delivered);
      const request = { organization: ACME, id: ids[0] ?? "", newId: newId(), now: NOW };
      assert.equal(await storage.redeliver({ ...request, organization: "umbrella" }), "not_found");
      assert.equal(await storage.redeliver({ ...request, id: newId() }), "not_found");
    },
  }),

  ...laws("cancel", {
    "a waiting delivery ends without being sent": async ({ storage, owe, claim, delivery }) => {
      const { ids } = await owe({ count: 2 });
      const [id = "", other = ""] = ids;
      const before = await delivery(id);
      const request = { organization: ACME, deliveryId: id, reason: "not needed", now: NOW + 4 };
      assert.equal(await storage.cancel(request), "canceled");
      assert.deepEqual(await delivery(id), {
        ...before,
        status: "canceled",
        dueAt: null,
        reason: "not needed",
        completedAt: NOW + 4,
      });
      const { claims } = await claim();
      assert.deepEqual(
        claims.map(({ deliveryId }) => deliveryId),
        [other],
      );
    },

    "a delivery in flight ends too": async ({ storage, owe, claim, claimOne, delivery }) => {
      const { ids } = await owe();
      await claimOne();
      const request = { organization: ACME, deliveryId: ids[0] ?? "", reason: "no", now: NOW };
      assert.equal(await storage.cancel(request), "canceled");
      const { status, inFlight } = await delivery(ids[0] ?? "");
      assert.deepEqual([status, inFlight], ["canceled", false]);
      assert.deepEqual((await claim({ now: NOW + 9 * MINUTE })).lapsed, []);
    },

    "what has ended stays as it is": async ({ storage, owe, claimOne, settle, delivery }) => {
      const { ids } = await owe();
      await settle(await claimOne(), delivered);
      const before = await delivery(ids[0] ?? "");
      const request = { organization: ACME, deliveryId: ids[0] ?? "", reason: "no", now: NOW };
      assert.equal(await storage.cancel(request), "not_pending");
      assert.deepEqual(await delivery(ids[0] ?? ""), before);
    },

    "an unknown or foreign delivery is not found": async ({ storage, owe, delivery }) => {
      const { ids } = await owe();
      const request = { organization: ACME, deliveryId: ids[0] ?? "", reason: "no", now: NOW };
      assert.equal(await storage.cancel({ ...request, organization: "umbrella" }), "not_found");
      assert.equal(await storage.cancel({ ...request, deliveryId: newId() }), "not_found");
      assert.equal((await delivery(ids[0] ?? "")).status, "pending");
    },
  }),
];
