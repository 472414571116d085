import assert from "node:assert/strict";
import { isPosthornError } from "@posthorn/core";
import { ACME, aLane, anEvent, aSubscription, laws, type StorageCase, storedOf } from "./stage.ts";

const unknownTransaction = (error: unknown): boolean =>
  isPosthornError(error, "unknown_transaction");

export const appendCases: readonly StorageCase[] = [
  ...laws("append", {
    "an event comes out of the history as it went in, to the byte": async ({ storage }) => {
      const event = anEvent({
        payload: '{ "z":1,"a":"\\u0000 \u2028 ü \u{1f4ef} \\ud800","n":1.0e2 }',
        actor: { id: "u-1", name: "Zoë", type: "user" },
        trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
        occurredAt: 1_700_000_000_123,
        idempotencyKey: "key",
        announced: false,
      });
      const appended = await storage.append([event]);
      assert.deepEqual(appended, [{ event: storedOf(event), repeated: false }]);
      assert.deepEqual(await storage.history.event(event), storedOf(event));
    },

    "a payload may be 256 KiB": async ({ storage }) => {
      const event = anEvent({ payload: JSON.stringify("ü".repeat(131_071)) });
      await storage.append([event]);
      assert.equal((await storage.history.event(event))?.payload, event.payload);
    },

    "many large events are appended together, and routed in their order": async (stage) => {
      const { storage, subscribe, route, claim } = stage;
      await subscribe();
      const payload = JSON.stringify('"'.repeat(131_070));
      const keyed = (index: number) => ({ payload, idempotencyKey: `key-${99 - index}` });
      const events = Array.from({ length: 80 }, (_, index) => anEvent(keyed(index)));
      const appended = await storage.append(events);
      assert.deepEqual(
        appended.map(({ event, repeated }) => [event.id, repeated]),
        events.map(({ id }) => [id, false]),
      );
      assert.equal((await route({ maxEvents: 1 })).events, 1);
      const { claims } = await claim();
      assert.deepEqual(
        claims.map(({ event }) => event.id),
        [events[0]?.id],
      );
      assert.equal(claims[0]?.event.payload, payload);
    },

    "nothing to append is appended": async ({ storage }) => {
      assert.deepEqual(await storage.append([]), []);
    },

    "a repeated append answers the same, and adds the event only once": async ({ storage }) => {
      const events = [anEvent({ idempotencyKey: "key" }), anEvent()];
      const first = await storage.append(events);
      assert.deepEqual(await storage.append(events), first);
      const { items } = await storage.history.events({ organization: ACME, limit: 10 });
      assert.equal(items.length, 2);
    },

    "a repeated append does not mark a routed event again": async ({ storage, owe, route }) => {
      const { events, ids } = await owe();
      await storage.append(events.map((event) => anEvent(event)));
      assert.equal((await route()).events, 0);
      const { items } = await storage.history.deliveries({ organization: ACME, limit: 10 });
      assert.deepEqual(
        items.map(({ id }) => id),
        ids,
      );
    },

    "a used idempotency key answers the earlier event and adds nothing": async ({
      storage,
      route,
    }) => {
      const first = anEvent({ idempotencyKey: "order-1", payload: "1" });
      const second = anEvent({ idempotencyKey: "order-1", payload: "2", type: "thing_gone" });
      await storage.append([first]);
      assert.deepEqual(await storage.append([second]), [
        { event: storedOf(first), repeated: true },
      ]);
      assert.equal(await storage.history.event(second), null);
      assert.equal((await route()).events, 1);
    },

    "a used idempotency key keeps no other event of the call out": async ({ storage }) => {
      const used = anEvent({ idempotencyKey: "order-1" });
      await storage.append([used]);
      const events = [anEvent(), anEvent({ idempotencyKey: "order-1" }), anEvent()];
      const appended = await storage.append(events);
      assert.deepEqual(
        appended.map(({ repeated }) => repeated),
        [false, true, false],
      );
      assert.equal(
        (await storage.history.events({ organization: ACME, limit: 9 })).items.length,
        3,
      );
    },

    "an idempotency key counts within one call too": async ({ storage }) => {
      const first = anEvent({ idempotencyKey: "order-1" });
      const second = anEvent({ idempotencyKey: "order-1" });
      assert.deepEqual(await storage.append([first, second]), [
        { event: storedOf(first), repeated: false },
        { event: storedOf(first), repeated: true },
      ]);
      assert.equal(await storage.history.event(second), null);
    },

    "an idempotency key belongs to its organization": async ({ storage }) => {
      const ours = anEvent({ idempotencyKey: "order-1" });
      const theirs = anEvent({ idempotencyKey: "order-1", organization: "umbrella" });
      await storage.append([ours]);
      assert.deepEqual(await storage.append([theirs]), [
        { event: storedOf(theirs), repeated: false },
      ]);
    },

    "idempotency keys tell capitals from small letters": async ({ storage }) => {
      await storage.append([anEvent({ idempotencyKey: "order-a" })]);
      const [other] = await storage.append([anEvent({ idempotencyKey: "order-A" })]);
      assert.equal(other?.repeated, false);
    },

    "concurrent appends with one idempotency key add one event": async ({ storage, other }) => {
      const events = Array.from({ length: 6 }, () => anEvent({ idempotencyKey: "order-1" }));
      const answers = await Promise.all(
        events.map((event, index) => (index % 2 === 0 ? storage : other).append([event])),
      );
      assert.equal(new Set(answers.map(([appended]) => appended?.event.id)).size, 1);
      assert.equal(answers.filter(([appended]) => !appended?.repeated).length, 1);
      assert.equal(
        (await storage.history.events({ organization: ACME, limit: 9 })).items.length,
        1,
      );
    },

    "what is no transaction of this storage is refused before anything is written": async ({
      storage,
    }) => {
      const event = anEvent();
      for (const tx of [{}, "tx", 1, () => {}]) {
        await assert.rejects(storage.append([event], tx), unknownTransaction);
      }
      assert.equal(await storage.history.event(event), null);
    },

    "what went in and what comes out cannot change what is stored": async ({ storage, owe }) => {
      const event = { ...anEvent(), actor: { id: "u-1" } };
      const stored = storedOf(structuredClone(event));
      const [appended] = await storage.append([event]);
      event.payload = "changed";
      event.actor.id = "changed";
      deface(appended?.event);
      deface(await storage.history.event(event));
      assert.deepEqual(await storage.history.event(event), stored);

      const record = { ...aSubscription({ configuration: { url: "a" } }), eventTypes: ["a"] };
      const kept = structuredClone(record);
      await storage.subscriptions.create(record, aLane());
      record.eventTypes.push("changed");
      deface(await storage.subscriptions.get(record));
      assert.deepEqual(await storage.subscriptions.get(record), kept);

      const [id = ""] = (await owe()).ids;
      const delivery = structuredClone(await storage.history.delivery({ organization: ACME, id }));
      deface(await storage.history.delivery({ organization: ACME, id }));
      assert.deepEqual(await storage.history.delivery({ organization: ACME, id }), delivery);
    },
  }),

  ...laws(
    "append in a transaction",
    {
      "the event becomes visible when the host commits": async ({
        storage,
        transaction,
        route,
      }) => {
        const tx = await transaction.begin();
        const event = anEvent({ announced: false });
        const [appended] = await storage.append([event], tx);
        assert.deepEqual(appended, { event: storedOf(event), repeated: false });
        assert.equal(await storage.history.event(event), null);
        await transaction.commit(tx);
        assert.deepEqual(await storage.history.event(event), storedOf(event));
        assert.deepEqual((await route()).unannounced, [storedOf(event)]);
      },

      "a rollback leaves nothing, not even the idempotency key": async ({
        storage,
        transaction,
        route,
      }) => {
        const tx = await transaction.begin();
        const event = anEvent({ idempotencyKey: "order-1" });
        await storage.append([event], tx);
        await transaction.rollback(tx);
        assert.equal(await storage.history.event(event), null);
        assert.equal((await route()).events, 0);
        const [appended] = await storage.append([anEvent({ idempotencyKey: "order-1" })]);
        assert.equal(appended?.repeated, false);
      },

      "a transaction that has ended is refused": async ({ storage, transaction }) => {
        for (const end of ["commit", "rollback"] as const) {
          const tx = await transaction.begin();
          await transaction[end](tx);
          const event = anEvent();
          await assert.rejects(storage.append([event], tx), unknownTransaction);
          assert.equal(await storage.history.event(event), null);
        }
      },
    },
    ["transaction"],
  ),

  ...laws(
    "append in a transaction",
    {
      "the event of an older transaction that commits later is routed": async ({
        storage,
        transaction,
        publish,
        route,
      }) => {
        const tx = await transaction.begin();
        const older = anEvent();
        await storage.append([older], tx);
        await publish();
        assert.equal((await route()).events, 1);
        await transaction.commit(tx);
        assert.equal((await route()).events, 1);
        assert.equal((await route()).events, 0);
      },

      "an idempotency key that was used since the transaction began adds nothing": async ({
        storage,
        transaction,
        publish,
        subscribe,
        route,
      }) => {
        const record = await subscribe();
        const tx = await transaction.begin();
        await storage.subscriptions.get(record, tx);
        const first = await publish({ idempotencyKey: "order-1" });
        const appended = await storage.append([anEvent({ idempotencyKey: "order-1" })], tx);
        assert.deepEqual(appended, [{ event: first, repeated: true }]);
        await transaction.commit(tx);
        assert.equal((await route()).events, 1);
      },

      "nobody else's publish waits for it, whatever it has published": async ({
        storage,
        transaction,
        publish,
        route,
      }) => {
        await publish({ idempotencyKey: "order-2" });
        const tx = await transaction.begin();
        await storage.append([anEvent(), anEvent({ idempotencyKey: "order-2" })], tx);
        for (const idempotencyKey of [null, "order-1", "order-3"])
          await publish({ idempotencyKey });
        assert.equal((await route()).events, 4);
        await transaction.commit(tx);
        assert.equal((await route()).events, 1);
      },
    },
    ["transaction", "concurrentWrites"],
  ),

  ...laws(
    "appendSync",
    {
      "it is append, without a promise": async ({ storage, transaction, route }) => {
        const tx = await transaction.begin();
        const event = anEvent({ idempotencyKey: "order-1" });
        const twice = [event, anEvent({ idempotencyKey: "order-1" })];
        const answers = storage.appendSync?.(twice, tx);
        assert.deepEqual(answers, [
          { event: storedOf(event), repeated: false },
          { event: storedOf(event), repeated: true },
        ]);
        await transaction.commit(tx);
        assert.equal((await route()).events, 1);
      },

      "what is no transaction of this storage is refused": ({ storage }) => {
        assert.throws(() => storage.appendSync?.([anEvent()], {}), unknownTransaction);
      },
    },
    ["transaction", "appendSync"],
  ),
];

/** Writes over everything in a value that can be written. */
function deface(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    deface(member);
    Reflect.set(value, key, "changed");
  }
}
