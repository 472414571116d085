import assert from "node:assert/strict";
import { ACME, aGate, again, aLane, LEASE, laws, MINUTE, NOW, type StorageCase } from "./stage.ts";

export const releaseCases: readonly StorageCase[] = laws("release", {
  "the delivery waits again, and nothing of it is spent": async ({
    storage,
    owe,
    claimOne,
    settle,
    delivery,
    attempts,
  }) => {
    const { ids } = await owe();
    await settle(await claimOne(), again(NOW, "busy"));
    const [id = ""] = ids;
    const before = await delivery(id);
    await storage.release([await claimOne()], NOW + MINUTE);
    assert.deepEqual(await delivery(id), { ...before, dueAt: NOW + MINUTE });
    assert.equal((await attempts(id)).length, 1);
  },

  "the lane knows when it is due": async ({ storage, owe, claim, claimOne }) => {
    await owe();
    const flight = await claimOne();
    await storage.release([flight], NOW + MINUTE);
    const { claims, nextDueAt } = await claim();
    assert.deepEqual([claims, nextDueAt], [[], NOW + MINUTE]);
    const next = await claimOne({ now: NOW + MINUTE });
    assert.equal(next.deliveryId, flight.deliveryId);
    assert.notEqual(next.token, flight.token);
  },

  "deliveries of many lanes are given back in one call": async ({ storage, owe, claim }) => {
    for (let lane = 0; lane < 5; lane += 1) await owe({ count: 3 });
    const { claims } = await claim();
    await storage.release(claims, NOW + 1);
    assert.equal((await claim({ now: NOW + 1 })).claims.length, 15);
  },

  "a delivery that started without a claim can be given back": async ({
    storage,
    subscribe,
    publish,
    route,
    claim,
  }) => {
    await subscribe();
    await publish();
    const { claims } = await route({ slots: 1 });
    assert.equal(claims.length, 1);
    await storage.release(claims, NOW + 5);
    assert.equal((await claim()).nextDueAt, NOW + 5);
    assert.equal((await claim({ now: NOW + 5 })).claims.length, 1);
  },

  "the room that a gate granted stays spent": async ({ storage, owe, claim, claimOne }) => {
    await owe({ lane: { gates: [aGate(MINUTE)] } });
    await storage.release([await claimOne()], NOW + 1);
    assert.deepEqual((await claim({ now: NOW + 1 })).claims, []);
    assert.equal((await claim({ now: NOW + MINUTE })).claims.length, 1);
  },

  "lapses stay counted": async ({ storage, owe, claimOne, delivery }) => {
    const { ids } = await owe();
    await claimOne();
    await storage.release([await claimOne({ now: NOW + LEASE + 1 })], NOW);
    assert.equal((await delivery(ids[0] ?? "")).lapses, 1);
  },

  "a delivery whose lane was parked meanwhile waits there": async ({
    storage,
    owe,
    claim,
    claimOne,
    delivery,
  }) => {
    const { subscription, ids } = await owe();
    const flight = await claimOne();
    const parked = { ...subscription, version: 2, enabled: false };
    await storage.subscriptions.update(parked, aLane({ parked: true }));
    await storage.release([flight], NOW);
    assert.equal((await delivery(ids[0] ?? "")).inFlight, false);
    const { claims, nextDueAt } = await claim({ now: NOW + MINUTE });
    assert.deepEqual([claims, nextDueAt], [[], null]);
  },

  "the release of a flight that is over changes nothing": async ({
    storage,
    owe,
    claimOne,
    settle,
    delivery,
  }) => {
    const { ids } = await owe();
    const [id = ""] = ids;
    const lapsed = await claimOne();
    const flying = await claimOne({ now: NOW + LEASE + 1 });
    const before = await delivery(id);
    await storage.release([lapsed], NOW);
    assert.deepEqual(await delivery(id), before);
    await settle(flying, again(NOW + MINUTE));
    await storage.release([flying], NOW);
    assert.equal((await delivery(id)).dueAt, NOW + MINUTE);
    await storage.cancel({ organization: ACME, deliveryId: id, reason: "no", now: NOW });
    await storage.release([flying, lapsed], NOW);
    assert.equal((await delivery(id)).status, "canceled");
  },

  "a flight is given back though an older one of its delivery comes with it": async ({
    storage,
    owe,
    claimOne,
    delivery,
  }) => {
    const { ids } = await owe();
    const lapsed = await claimOne();
    const flying = await claimOne({ now: NOW + LEASE + 1 });
    await storage.release([flying, lapsed], NOW + MINUTE);
    assert.equal((await delivery(ids[0] ?? "")).dueAt, NOW + MINUTE);
  },
});
