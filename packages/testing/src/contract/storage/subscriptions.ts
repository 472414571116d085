import assert from "node:assert/strict";
import { isPosthornError } from "@posthorn/core";
import {
  ACME,
  aGate,
  aLane,
  aSubscription,
  delivered,
  laws,
  MINUTE,
  NOW,
  newId,
  type StorageCase,
} from "./stage.ts";

export const subscriptionCases: readonly StorageCase[] = [
  ...laws("subscriptions", {
    "a subscription comes out as it went in": async ({ storage }) => {
      const record = aSubscription({
        name: "Büro \u{1f3e2}",
        eventTypes: ["thing_*", "*", "thing_made"],
        type: "chat",
        configuration: { channel: "#a", nested: { list: [1, null, "x"], yes: true } },
        secrets: { token: "v1.key-1.c2VhbGVk" },
        status: "warning",
        statusDetail: "slow",
        statusCheckedAt: NOW,
        state: { pinned: "C1" },
        version: 3,
        updatedAt: NOW + 1,
      });
      await storage.subscriptions.create(record, aLane({ keyId: "key-1" }));
      assert.deepEqual(await storage.subscriptions.get(record), record);
    },

    "a create that is repeated answers what is there, and adds nothing": async ({ storage }) => {
      const { subscriptions } = storage;
      const record = aSubscription();
      assert.equal(await subscriptions.create(record, aLane()), null);
      assert.deepEqual(await subscriptions.create({ ...record, name: "New" }, aLane()), record);
      assert.deepEqual((await subscriptions.list({ organization: ACME, limit: 9 })).items, [
        record,
      ]);
    },

    "an idempotency key that is taken answers the subscription that has it": async ({
      storage,
    }) => {
      const { subscriptions } = storage;
      const first = aSubscription({ idempotencyKey: "key", fingerprint: "f1" });
      const second = aSubscription({ idempotencyKey: "key", fingerprint: "f2" });
      assert.equal(await subscriptions.create(first, aLane()), null);
      assert.deepEqual(await subscriptions.create(second, aLane()), first);
      assert.equal(await subscriptions.get(second), null);
      const foreign = aSubscription({ idempotencyKey: "key", organization: "umbrella" });
      assert.equal(await subscriptions.create(foreign, aLane()), null);
    },

    "of creates at the same time with one idempotency key one is made": async ({
      storage,
      other,
    }) => {
      const answers = await Promise.all(
        [storage, other, storage, other].map(({ subscriptions }) =>
          subscriptions.create(aSubscription({ idempotencyKey: "key" }), aLane()),
        ),
      );
      assert.equal(answers.filter((earlier) => earlier === null).length, 1);
      const { items } = await storage.subscriptions.list({ organization: ACME, limit: 9 });
      assert.deepEqual(
        new Set(answers.map((earlier) => earlier?.id ?? items[0]?.id)),
        new Set(items.map(({ id }) => id)),
      );
      assert.equal(items.length, 1);
    },

    "a deleted subscription's idempotency key is free again": async ({ storage }) => {
      const { subscriptions } = storage;
      const first = aSubscription({ idempotencyKey: "key" });
      const second = aSubscription({ idempotencyKey: "key" });
      await subscriptions.create(first, aLane());
      await subscriptions.delete(first, NOW);
      assert.equal(await subscriptions.create(second, aLane()), null);
      assert.deepEqual(await subscriptions.get(second), second);
    },

    "a foreign subscription does not exist": async ({ storage, subscribe }) => {
      const record = await subscribe();
      const { subscriptions } = storage;
      const foreign = { organization: "umbrella", id: record.id };
      assert.equal(await subscriptions.get(foreign), null);
      assert.equal(
        await subscriptions.update({ ...record, ...foreign, version: 2 }, aLane()),
        false,
      );
      assert.equal(await subscriptions.delete(foreign, NOW), false);
      await subscriptions.report({ ...foreign, version: 1 }, { status: "error" });
      assert.deepEqual(
        (await subscriptions.list({ organization: "umbrella", limit: 9 })).items,
        [],
      );
      assert.deepEqual(await subscriptions.get(record), record);
    },

    "an unknown subscription does not exist": async ({ storage: { subscriptions } }) => {
      const record = aSubscription();
      assert.equal(await subscriptions.get(record), null);
      assert.equal(await subscriptions.update(record, aLane()), false);
      assert.equal(await subscriptions.delete(record, NOW), false);
      await subscriptions.report({ ...record, version: 1 }, { status: "error" });
    },

    "they are listed by organization, newest first, in pages": async ({ storage, subscribe }) => {
      const records = [];
      for (let index = 0; index < 5; index += 1) records.push(await subscribe());
      await subscribe({ organization: "umbrella" });
      const expected = records.toReversed();
      const first = await storage.subscriptions.list({ organization: ACME, limit: 3 });
      assert.deepEqual(first, { items: expected.slice(0, 3), older: true, newer: false });
      const after = first.items[2]?.id;
      assert.deepEqual(await storage.subscriptions.list({ organization: ACME, limit: 3, after }), {
        items: expected.slice(3),
        older: false,
        newer: true,
      });
    },

    "an update replaces the record of the version before it": async ({ storage, subscribe }) => {
      const record = await subscribe();
      const changed = { ...record, version: 2, name: "New", eventTypes: ["a"], enabled: false };
      assert.equal(await storage.subscriptions.update(changed, aLane()), true);
      assert.deepEqual(await storage.subscriptions.get(record), changed);
    },

    "an update of another version changes nothing": async ({ storage, subscribe }) => {
      const record = await subscribe({ version: 5 });
      for (const version of [4, 5, 7]) {
        const changed = { ...record, version, name: "New" };
        assert.equal(await storage.subscriptions.update(changed, aLane({ parked: true })), false);
      }
      assert.deepEqual(await storage.subscriptions.get(record), record);
    },

    "of updates at the same time one is made": async ({ storage, other, subscribe }) => {
      const record = await subscribe();
      const answers = await Promise.all(
        [storage, other, storage, other].map(({ subscriptions }, index) =>
          subscriptions.update({ ...record, version: 2, name: `Name ${index}` }, aLane()),
        ),
      );
      assert.deepEqual(answers.toSorted(), [false, false, false, true]);
      const kept = await storage.subscriptions.get(record);
      assert.equal(kept?.name, `Name ${answers.indexOf(true)}`);
    },

    "what waits in a lane stays over an update, and is due when it was": async ({
      storage,
      owe,
      claim,
    }) => {
      const { subscription, ids } = await owe({ count: 2, at: NOW + 5 });
      await storage.subscriptions.update(
        { ...subscription, version: 2 },
        aLane({ gates: [aGate()] }),
      );
      assert.equal((await claim()).nextDueAt, NOW + 5);
      const { claims } = await claim({ now: NOW + 5 });
      assert.deepEqual(claims.map(({ deliveryId }) => deliveryId).sort(), ids);
    },

    "a lane that is parked is not due, and is again once it is not": async ({
      storage,
      owe,
      claim,
    }) => {
      const { subscription } = await owe();
      const { subscriptions } = storage;
      await subscriptions.update(
        { ...subscription, version: 2, enabled: false },
        aLane({ parked: true }),
      );
      const parked = await claim();
      assert.deepEqual([parked.claims, parked.nextDueAt], [[], null]);
      await subscriptions.update({ ...subscription, version: 3, enabled: true }, aLane());
      assert.equal((await claim()).claims.length, 1);
    },

    "another key in a lane is asked of the next claim": async ({ storage, owe, claim }) => {
      const { subscription } = await owe({ lane: { keyId: "key-1" } });
      await storage.subscriptions.update(
        { ...subscription, version: 2 },
        aLane({ keyId: "key-2" }),
      );
      assert.deepEqual((await claim({ keyIds: ["key-1"] })).claims, []);
      assert.equal((await claim({ keyIds: ["key-2"] })).claims.length, 1);
    },

    "a gate that is known keeps its state, under the limit given last": async ({
      storage,
      owe,
      claim,
    }) => {
      const gate = aGate(MINUTE);
      const { subscription } = await owe({ count: 3, lane: { gates: [gate] } });
      assert.equal((await claim()).claims.length, 1);
      await storage.subscriptions.update({ ...subscription, version: 2 }, aLane({ gates: [gate] }));
      await owe({ lane: { gates: [gate] } });
      assert.deepEqual((await claim({ now: NOW + 1 })).claims, []);
      const wider = { ...gate, limit: { limit: 1, perMs: 1_000, burst: 3 } };
      const widened = { ...subscription, version: 3 };
      assert.equal(await storage.subscriptions.update(widened, aLane({ gates: [wider] })), true);
      assert.equal((await claim({ now: NOW + MINUTE })).claims.length, 3);
    },

    "a gate that a lane left no longer holds it": async ({ storage, owe, claim }) => {
      const gate = aGate(MINUTE);
      const { subscription } = await owe({ count: 2, lane: { gates: [gate] } });
      assert.equal((await claim()).claims.length, 1);
      await storage.subscriptions.update({ ...subscription, version: 2 }, aLane());
      assert.equal((await claim({ now: NOW + 1 })).claims.length, 1);
    },

    "a deleted subscription is out of sight and owed nothing more": async ({
      storage,
      owe,
      publish,
      route,
    }) => {
      const { subscription, events } = await owe();
      const { subscriptions } = storage;
      assert.equal(await subscriptions.delete(subscription, NOW), true);
      assert.equal(await subscriptions.get(subscription), null);
      assert.deepEqual((await subscriptions.list({ organization: ACME, limit: 9 })).items, []);
      assert.equal(await subscriptions.update({ ...subscription, version: 2 }, aLane()), false);
      assert.equal(await subscriptions.delete(subscription, NOW), false);
      await publish({ type: events[0]?.type ?? "" });
      assert.deepEqual((await route()).deliveries, 0);
    },

    "a deleted subscription's deliveries stay in the history, and none is sent": async ({
      storage,
      owe,
      claim,
      settle,
      delivery,
    }) => {
      const { subscription, ids } = await owe({ count: 2 });
      const [flight] = (await claim({ slots: 1 })).claims;
      assert.ok(flight);
      await settle(flight, delivered);
      await storage.subscriptions.delete(subscription, NOW);
      const { claims, nextDueAt } = await claim({ now: NOW + MINUTE });
      assert.deepEqual([claims, nextDueAt], [[], null]);
      assert.equal((await delivery(flight.deliveryId)).status, "delivered");
      for (const id of ids) assert.equal((await delivery(id)).inFlight, false);
    },

    "a report is kept if the version is still the one it is about": async ({
      storage,
      subscribe,
    }) => {
      const record = await subscribe({ version: 2 });
      const { subscriptions } = storage;
      await subscriptions.report(
        { ...record, version: 1 },
        { status: "error", statusDetail: "old" },
      );
      assert.deepEqual(await subscriptions.get(record), record);
      const findings = { status: "ok", statusDetail: "fine", statusCheckedAt: NOW + 1 } as const;
      await subscriptions.report({ ...record, version: 2 }, findings);
      assert.deepEqual(await subscriptions.get(record), { ...record, ...findings });
    },

    "a report can switch a subscription off": async ({ storage, owe, claim }) => {
      const { subscription } = await owe();
      await storage.subscriptions.report(subscription, { disabledReason: "gone" });
      const kept = await storage.subscriptions.get(subscription);
      assert.deepEqual([kept?.enabled, kept?.disabledReason, kept?.version], [false, "gone", 2]);
      assert.deepEqual((await claim()).claims, []);
    },

    "an update that has not seen that it was switched off changes nothing": async ({
      storage,
      subscribe,
    }) => {
      const record = await subscribe();
      await storage.subscriptions.report(record, { disabledReason: "gone" });
      const renamed = { ...record, name: "another", version: record.version + 1 };
      assert.equal(await storage.subscriptions.update(renamed, aLane()), false);
      assert.equal((await storage.subscriptions.get(record))?.enabled, false);
    },

    "those sealed with another key are found, in the order of ids": async ({
      storage,
      subscribe,
    }) => {
      const ids = Array.from({ length: 5 }, newId);
      const [first = "", second = "", third = "", fourth = "", fifth = ""] = ids;
      await subscribe({ id: third }, { keyId: "key-0" });
      await subscribe({ id: second, organization: "umbrella" }, { keyId: "key-0" });
      await subscribe({ id: first }, { keyId: "key-9" });
      await subscribe({ id: fourth }, { keyId: "key-1" });
      const gates = [aGate()];
      await subscribe({ id: fifth }, { gates, gateKeyId: "key-0" });
      await subscribe({}, { gates, gateKeyId: "key-1" });
      await subscribe({}, { keyId: null });
      const ask = async (after: string | null, limit: number): Promise<readonly string[]> =>
        (await storage.subscriptions.sealedOtherwise({ keyId: "key-1", after, limit })).map(
          ({ id }) => id,
        );
      assert.deepEqual(await ask(null, 9), [first, second, third, fifth]);
      assert.deepEqual(await ask(null, 2), [first, second]);
      assert.deepEqual(await ask(first, 9), [second, third, fifth]);
    },

    "what is no transaction of this storage is refused before anything is written": async ({
      storage,
      subscribe,
    }) => {
      const { subscriptions } = storage;
      const unknown = (error: unknown): boolean => isPosthornError(error, "unknown_transaction");
      const record = aSubscription();
      const known = await subscribe();
      await assert.rejects(subscriptions.create(record, aLane(), {}), unknown);
      await assert.rejects(subscriptions.get(known, {}), unknown);
      await assert.rejects(subscriptions.update({ ...known, version: 2 }, aLane(), {}), unknown);
      await assert.rejects(subscriptions.delete(known, NOW, {}), unknown);
      assert.equal(await subscriptions.get(record), null);
      assert.deepEqual(await subscriptions.get(known), known);
    },
  }),

  ...laws(
    "subscriptions in a transaction",
    {
      "a subscription exists for others when the host commits": async ({
        storage,
        transaction,
      }) => {
        const record = aSubscription();
        const tx = await transaction.begin();
        await storage.subscriptions.create(record, aLane(), tx);
        assert.deepEqual(await storage.subscriptions.get(record, tx), record);
        assert.equal(await storage.subscriptions.get(record), null);
        await transaction.commit(tx);
        assert.deepEqual(await storage.subscriptions.get(record), record);
      },

      "a rollback undoes creation, change and deletion": async ({
        storage,
        transaction,
        subscribe,
        owe,
        claim,
      }) => {
        const { subscriptions } = storage;
        const { subscription } = await owe();
        const doomed = await subscribe();
        const record = aSubscription();
        const tx = await transaction.begin();
        await subscriptions.create(record, aLane(), tx);
        const changed = { ...subscription, version: 2, enabled: false };
        assert.equal(await subscriptions.update(changed, aLane({ parked: true }), tx), true);
        assert.equal(await subscriptions.delete(doomed, NOW, tx), true);
        await transaction.rollback(tx);
        assert.equal(await subscriptions.get(record), null);
        assert.deepEqual(await subscriptions.get(subscription), subscription);
        assert.deepEqual(await subscriptions.get(doomed), doomed);
        assert.equal((await claim()).claims.length, 1);
      },
    },
    ["transaction"],
  ),

  ...laws(
    "subscriptions in a transaction",
    {
      "nobody else's changes wait for it": async ({ storage, transaction, subscribe }) => {
        const { subscriptions } = storage;
        const [changing, leaving, another, third] = [
          await subscribe(),
          await subscribe(),
          await subscribe(),
          await subscribe(),
        ];
        const tx = await transaction.begin();
        await subscriptions.create(aSubscription({ idempotencyKey: "key-2" }), aLane(), tx);
        await subscriptions.update({ ...changing, version: 2 }, aLane(), tx);
        await subscriptions.delete(leaving, NOW, tx);
        for (const idempotencyKey of [null, "key-1", "key-3"]) {
          assert.equal(
            await subscriptions.create(aSubscription({ idempotencyKey }), aLane()),
            null,
          );
        }
        assert.equal(await subscriptions.update({ ...another, version: 2 }, aLane()), true);
        assert.equal(await subscriptions.delete(third, NOW), true);
        await transaction.commit(tx);
        const { items } = await subscriptions.list({ organization: ACME, limit: 9 });
        assert.equal(items.length, 6);
      },
    },
    ["transaction", "concurrentWrites"],
  ),
];
