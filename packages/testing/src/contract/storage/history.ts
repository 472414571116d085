import assert from "node:assert/strict";
import type { PageRequest } from "@posthorn/core";
import { ACME, dead, delivered, laws, NOW, newId, type StorageCase } from "./stage.ts";

export const historyCases: readonly StorageCase[] = laws("history", {
  "events come in pages, newest first": async ({ storage, publish }) => {
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) ids.unshift((await publish()).id);
    const ask = async (page: Partial<PageRequest>): Promise<readonly unknown[]> => {
      const { items, older, newer } = await storage.history.events({
        organization: ACME,
        limit: 3,
        ...page,
      });
      return [items.map(({ id }) => id), older, newer];
    };
    assert.deepEqual(await ask({}), [ids.slice(0, 3), true, false]);
    assert.deepEqual(await ask({ after: ids[2] }), [ids.slice(3, 6), true, true]);
    assert.deepEqual(await ask({ after: ids[5] }), [ids.slice(6), false, true]);
    assert.deepEqual(await ask({ before: ids[3] }), [ids.slice(0, 3), true, false]);
    assert.deepEqual(await ask({ before: ids[6] }), [ids.slice(3, 6), true, true]);
    assert.deepEqual(await ask({ before: ids[1] }), [ids.slice(0, 1), true, false]);
    assert.deepEqual(await ask({ limit: 7 }), [ids, false, false]);
  },

  "a page of nothing has nothing beside it": async ({ storage, publish }) => {
    const page = { organization: ACME, limit: 3 };
    const nothing = { items: [], older: false, newer: false };
    assert.deepEqual(await storage.history.events(page), nothing);
    assert.deepEqual(await storage.history.deliveries(page), nothing);
    await publish({ organization: "umbrella" });
    assert.deepEqual(await storage.history.events(page), nothing);
  },

  "a page of events can be of one type": async ({ storage, publish }) => {
    const made = await publish({ type: "thing_made" });
    await publish({ type: "thing_gone" });
    await publish({ type: "thing_made", organization: "umbrella" });
    const page = { organization: ACME, limit: 9 };
    const found = await storage.history.events({ ...page, type: "thing_made" });
    assert.deepEqual(found, { items: [made], older: false, newer: false });
    assert.deepEqual((await storage.history.events({ ...page, type: "thing" })).items, []);
  },

  "a page of deliveries can be of a subscription, an event, a status": async ({
    storage,
    subscribe,
    publish,
    route,
    claim,
    settle,
  }) => {
    const subscriptions = [await subscribe(), await subscribe()];
    const events = [await publish(), await publish()];
    await route();
    const { claims } = await claim();
    assert.equal(claims.length, 4);
    for (const flight of claims) {
      const { id } = flight.event;
      if (id === events[0]?.id) await settle(flight, delivered);
      else if (flight.subscriptionId === subscriptions[0]?.id) await settle(flight, dead);
    }
    const count = async (filter: object): Promise<number> =>
      (await storage.history.deliveries({ organization: ACME, limit: 9, ...filter })).items.length;
    const subscriptionId = subscriptions[0]?.id;
    const eventId = events[1]?.id;
    assert.equal(await count({}), 4);
    assert.equal(await count({ subscriptionId }), 2);
    assert.equal(await count({ eventId }), 2);
    assert.equal(await count({ status: "delivered" }), 2);
    assert.equal(await count({ status: "pending" }), 1);
    assert.equal(await count({ status: "dead", subscriptionId, eventId }), 1);
    assert.equal(await count({ status: "canceled" }), 0);
    assert.equal(await count({ eventId: newId() }), 0);
    assert.equal(await count({ organization: "umbrella", subscriptionId }), 0);
    assert.equal(await count({ organization: "umbrella", eventId }), 0);
  },

  "deliveries come in pages, newest first, within a filter": async ({ storage, owe }) => {
    const { subscription, ids } = await owe({ count: 5 });
    await owe({ count: 5 });
    const expected = ids.toReversed();
    const page = { organization: ACME, subscriptionId: subscription.id, limit: 2 };
    const first = await storage.history.deliveries(page);
    const second = await storage.history.deliveries({ ...page, after: expected[1] });
    const back = await storage.history.deliveries({ ...page, before: expected[2] });
    assert.deepEqual(
      first.items.map(({ id }) => id),
      expected.slice(0, 2),
    );
    assert.deepEqual([first.older, first.newer], [true, false]);
    assert.deepEqual(
      second.items.map(({ id }) => id),
      expected.slice(2, 4),
    );
    assert.deepEqual([second.older, second.newer], [true, true]);
    assert.deepEqual(back, first);
  },

  "of another organization nothing exists": async ({ storage, owe, claimOne, settle }) => {
    const { events, ids } = await owe();
    await settle(await claimOne(), delivered);
    const organization = "umbrella";
    const [id = ""] = ids;
    assert.equal(await storage.history.event({ organization, id: events[0]?.id ?? "" }), null);
    assert.equal(await storage.history.delivery({ organization, id }), null);
    assert.deepEqual(await storage.history.attempts({ organization, id }), []);
    assert.deepEqual((await storage.history.deliveries({ organization, limit: 9 })).items, []);
    assert.equal((await storage.history.attempts({ organization: ACME, id })).length, 1);
  },

  "what is unknown does not exist": async ({ storage }) => {
    const reference = { organization: ACME, id: newId() };
    assert.equal(await storage.history.event(reference), null);
    assert.equal(await storage.history.delivery(reference), null);
    assert.deepEqual(await storage.history.attempts(reference), []);
  },

  "a pending delivery tells whether it is in flight": async ({ owe, claimOne, delivery }) => {
    const { ids } = await owe({ at: NOW });
    const [id = ""] = ids;
    const before = await delivery(id);
    assert.deepEqual([before.status, before.inFlight, before.dueAt], ["pending", false, NOW]);
    await claimOne();
    assert.deepEqual(await delivery(id), { ...before, inFlight: true, dueAt: null });
  },
});
