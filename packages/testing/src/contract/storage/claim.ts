import assert from "node:assert/strict";
import {
  admit,
  type Claim,
  lapse,
  MAX_LAPSES,
  SUSPECT_LAPSES,
  type SubscriptionRecord,
} from "@posthorn/core";
import {
  ACME,
  admitAll,
  aGate,
  again,
  aLane,
  anOpenBreaker,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  planOf,
  type Stage,
  type StorageCase,
  stateOf,
  terms,
} from "./stage.ts";

const idsOf = (claims: readonly Claim[]): readonly string[] =>
  claims.map(({ deliveryId }) => deliveryId).sort();
const lanesOf = (claims: readonly Claim[]): readonly string[] =>
  claims.map(({ subscriptionId }) => subscriptionId).sort();

export const claimCases: readonly StorageCase[] = [
  ...laws("claim", {
    "a due delivery is taken into flight, with all it takes to deliver it": async ({
      owe,
      claim,
      delivery,
    }) => {
      const gate = aGate();
      const { subscription, events, ids } = await owe({ lane: { gates: [gate] } });
      const [id = ""] = ids;
      const token = newId();
      const { claims, suspects, lapsed } = await claim({ token });
      assert.deepEqual(claims, [
        {
          deliveryId: id,
          subscriptionId: subscription.id,
          token,
          delivery: await delivery(id),
          event: events[0],
          subscription,
          gates: [{ id: gate.id, name: gate.name, epoch: 0, calm: true }],
          leaseUntil: NOW + LEASE,
          startBy: null,
          call: null,
        },
      ]);
      assert.deepEqual([suspects, lapsed], [false, []]);
      assert.deepEqual([claims[0]?.delivery.inFlight, claims[0]?.delivery.dueAt], [true, null]);
    },

    "nothing is taken before it is due": async ({ owe, claim }) => {
      await owe({ at: NOW + 1 });
      assert.deepEqual((await claim()).claims, []);
      assert.equal((await claim({ now: NOW + 1 })).claims.length, 1);
    },

    "a delivery is in at most one flight": async ({ owe, claim }) => {
      await owe({ count: 3 });
      assert.equal((await claim({ slots: 2 })).claims.length, 2);
      assert.equal((await claim()).claims.length, 1);
      assert.equal((await claim()).claims.length, 0);
    },

    "claims at the same time share the work, and take nothing twice": async ({
      storage,
      other,
      owe,
      claim,
    }) => {
      const owed = [await owe({ count: 10 }), await owe({ count: 10 }), await owe({ count: 10 })];
      const rules = { admit: admitAll, lapse: () => assert.fail("nothing has lapsed") };
      const results = await Promise.all(
        [storage, other, storage, other].map((handle) =>
          handle.claim(terms({ slots: 4, perLane: 3 }), rules),
        ),
      );
      for (let turns = 0; turns < 30; turns += 1) results.push(await claim({ slots: 4 }));
      const taken = results.flatMap(({ claims }) => claims);
      assert.deepEqual(idsOf(taken), owed.flatMap(({ ids }) => ids).sort());
    },

    "it takes at most as many as there are slots": async ({ owe, claim }) => {
      for (let lane = 0; lane < 4; lane += 1) await owe({ count: 2 });
      assert.equal((await claim({ slots: 3 })).claims.length, 3);
      assert.equal((await claim({ slots: 0 })).claims.length, 0);
    },

    "it takes at most so many of one lane": async ({ owe, claim }) => {
      const lanes = [await owe({ count: 5 }), await owe({ count: 5 })];
      const { claims } = await claim({ perLane: 2 });
      assert.deepEqual(
        lanesOf(claims),
        lanes.flatMap(({ subscription }) => [subscription.id, subscription.id]).sort(),
      );
    },

    "it takes a lane's deliveries in the order in which they are due": async ({
      owe,
      claim,
      settle,
    }) => {
      const { ids } = await owe({ count: 3 });
      const { claims } = await claim();
      for (const flight of claims) {
        await settle(flight, again(NOW + MINUTE - ids.indexOf(flight.deliveryId)));
      }
      for (const id of ids.toReversed()) {
        const { claims: next } = await claim({ now: NOW + MINUTE, slots: 1 });
        assert.deepEqual(idsOf(next), [id]);
      }
    },

    "it takes nothing from parked lanes, and waits for nothing in them": async ({ owe, claim }) => {
      await owe({ record: { enabled: false }, lane: { parked: true } });
      const { claims, nextDueAt } = await claim();
      assert.deepEqual([claims, nextDueAt], [[], null]);
    },

    "it takes only what the handler types of the request can serve": async ({ owe, claim }) => {
      const http = await owe({ record: { type: "http" } });
      const chat = await owe({ record: { type: "chat" } });
      const none = await claim({ handlerTypes: ["fax"] });
      assert.deepEqual([none.claims, none.nextDueAt], [[], null]);
      assert.deepEqual(idsOf((await claim({ handlerTypes: ["fax", "chat"] })).claims), chat.ids);
      assert.deepEqual(idsOf((await claim({ handlerTypes: ["http"] })).claims), http.ids);
    },

    "it takes only what the keys of the request can open": async ({ owe, claim }) => {
      const open = await owe();
      const sealed = await owe({ lane: { keyId: "key-2" } });
      const first = await claim({ keyIds: [] });
      assert.deepEqual(idsOf(first.claims), open.ids);
      assert.deepEqual((await claim({ keyIds: ["key-1"] })).claims, []);
      assert.deepEqual(idsOf((await claim({ keyIds: ["key-1", "key-2"] })).claims), sealed.ids);
    },

    "many deliveries that nobody can serve do not hide one that can be": async ({ owe, claim }) => {
      for (let lane = 0; lane < 30; lane += 1) await owe({ record: { type: "fax" } });
      const { ids } = await owe({ at: NOW + 1 });
      assert.deepEqual(idsOf((await claim({ now: NOW + 1, slots: 2 })).claims), ids);
    },

    "what is routed while claims run is claimed, and nothing twice": async ({
      storage,
      other,
      subscribe,
      publish,
    }) => {
      const handles = [storage, other];
      for (let lane = 0; lane < 3; lane += 1) await subscribe();
      const rules = { admit, lapse: () => assert.fail("nothing has lapsed") };
      const route = (handle: typeof storage): Promise<{ events: number }> =>
        handle.route({ ...terms({ slots: 0 }), maxEvents: 2, maxDeliveries: 99 }, planOf("wait"));
      const taken: string[] = [];
      const take = async (handle: typeof storage): Promise<void> => {
        const { claims } = await handle.claim(terms({ slots: 4, perLane: 2 }), rules);
        taken.push(...idsOf(claims));
      };
      const twelveTimes = async (work: () => Promise<unknown>): Promise<void> => {
        for (let turn = 0; turn < 12; turn += 1) await work();
      };
      await Promise.all([
        twelveTimes(() => publish()),
        ...handles.flatMap((handle) => [
          twelveTimes(() => route(handle)),
          twelveTimes(() => take(handle)),
        ]),
      ]);
      while ((await route(storage)).events > 0);
      await twelveTimes(() => take(storage));
      assert.equal(taken.length, 3 * 12);
      assert.equal(new Set(taken).size, 3 * 12);
    },

    "the subscription is read at the claim": async ({ storage, owe, claimOne }) => {
      const { subscription } = await owe();
      const changed = { ...subscription, version: 2, configuration: { url: "new" } };
      await storage.subscriptions.update(changed, aLane());
      assert.deepEqual((await claimOne()).subscription, changed);
    },

    "a rule that throws takes nothing into flight": async ({ owe, claim }) => {
      const { ids } = await owe({ count: 2 });
      const failure = new Error("the rule failed");
      const fail = (): never => {
        throw failure;
      };
      await assert.rejects(claim({}, { admit: fail }), failure);
      assert.deepEqual(idsOf((await claim()).claims), ids);
    },
  }),

  ...laws(
    "claim",
    {
      "a lane that the host is changing keeps no other lane waiting": async ({
        storage,
        transaction,
        owe,
        claim,
      }) => {
        const held = await owe();
        const { ids } = await owe();
        const tx = await transaction.begin();
        const changed = { ...held.subscription, version: 2 };
        await storage.subscriptions.update(changed, aLane(), tx);
        const first = idsOf((await claim()).claims);
        assert.ok(first.includes(ids[0] ?? ""));
        await transaction.commit(tx);
        const second = idsOf((await claim()).claims);
        assert.deepEqual([...first, ...second].sort(), [...held.ids, ...ids].sort());
      },
    },
    ["transaction", "concurrentWrites"],
  ),

  ...laws("claim through gates", {
    "a gate lets through what its limit allows, and says when to come again": async ({
      owe,
      claim,
    }) => {
      await owe({ count: 3, lane: { gates: [aGate(1_000)] } });
      for (const now of [NOW, NOW + 1_000, NOW + 2_000]) {
        const { claims, nextDueAt } = await claim({ now });
        assert.equal(claims.length, 1);
        assert.equal(claims[0]?.startBy, now + 250);
        if (now < NOW + 2_000) assert.equal(nextDueAt, now + 1_000);
        assert.deepEqual((await claim({ now: now + 999 })).claims, []);
      }
    },

    "lanes that share a gate share its limit, in every process": async ({
      storage,
      other,
      owe,
    }) => {
      const gates = [aGate(1_000)];
      for (let lane = 0; lane < 4; lane += 1) await owe({ count: 2, lane: { gates } });
      const rules = { admit, lapse: () => assert.fail("nothing has lapsed") };
      const results = await Promise.all(
        [storage, other, storage, other].map((handle) => handle.claim(terms(), rules)),
      );
      assert.equal(results.flatMap(({ claims }) => claims).length, 1);
    },

    "the narrowest gate decides": async ({ owe, claim }) => {
      const wide = { ...aGate(), limit: { limit: 1, perMs: 1_000, burst: 5 } };
      const narrow = { ...aGate(), limit: { limit: 1, perMs: 3_000, burst: 2 } };
      await owe({ count: 6, lane: { gates: [wide, narrow] } });
      const { claims, nextDueAt } = await claim();
      assert.deepEqual([claims.length, nextDueAt], [2, NOW + 3_000]);
    },

    "a gate stands in the next claim as the rule left it": async ({ owe, claim }) => {
      const gate = aGate();
      await owe({ count: 2, lane: { gates: [gate] } });
      const left = stateOf(gate, {
        tat: NOW * 1_000 + 7,
        pausedUntil: NOW - 1,
        epoch: 3,
        throttles: 2,
        breaker: anOpenBreaker(NOW - 1),
      });
      const first = await claim(
        { slots: 1 },
        { admit: () => ({ count: 1, gates: [left], againAt: NOW, startBy: null }) },
      );
      assert.equal(first.claims.length, 1);
      const seen: unknown[] = [];
      const second = await claim(
        { slots: 1 },
        {
          admit: (gates, now, wanted) => {
            seen.push(...gates);
            return admitAll(gates, now, wanted);
          },
        },
      );
      assert.deepEqual(seen, [left]);
      const { id, name } = gate;
      assert.deepEqual(second.claims[0]?.gates, [{ id, name, epoch: 3, calm: false }]);
    },

    "what the rule leaves of a gate is kept, also where it let nothing through": async ({
      owe,
      claim,
    }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] } });
      const left = stateOf(gate, { tat: NOW * 1_000 + 7 });
      await claim({}, { admit: () => ({ count: 0, gates: [left], againAt: NOW, startBy: null }) });
      const seen: unknown[] = [];
      await claim(
        {},
        {
          admit: (gates, now, wanted) => {
            seen.push(...gates);
            return admitAll(gates, now, wanted);
          },
        },
      );
      assert.deepEqual(seen[0], left);
    },

    "a paused gate holds its lanes until the pause is over": async ({
      owe,
      claim,
      claimOne,
      settle,
    }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] } });
      const flight = await claimOne();
      const sibling = await owe({ lane: { gates: [gate] } });
      await settle(flight, {
        next: { status: "waiting", dueAt: NOW + 2 * MINUTE },
        counted: false,
        gates: [stateOf(gate, { pausedUntil: NOW + MINUTE })],
      });
      const { claims, nextDueAt } = await claim();
      assert.deepEqual([claims, nextDueAt], [[], NOW + MINUTE]);
      assert.deepEqual(idsOf((await claim({ now: NOW + MINUTE })).claims), sibling.ids);
    },

    "lanes behind a closed gate keep no lane with an open one out": async (stage) => {
      const gates = [aGate(MINUTE)];
      for (let lane = 0; lane < 60; lane += 1) await stage.owe({ lane: { gates } });
      const { ids } = await stage.owe({ at: NOW + 1 });
      const taken = await claimAll(stage, { now: NOW + 1, slots: 4 });
      assert.equal(taken.length, 2);
      assert.ok(idsOf(taken).includes(ids[0] ?? ""));
    },

    "lanes that share a limited gate take turns": async ({ owe, claim }) => {
      const gates = [aGate(1_000)];
      const busy = await owe({ count: 20, lane: { gates } });
      const quiet = [await owe({ lane: { gates } }), await owe({ lane: { gates } })];
      const served: string[] = [];
      for (let turn = 0; turn < 6; turn += 1) {
        served.push(...lanesOf((await claim({ now: NOW + turn * 1_000 })).claims));
      }
      assert.equal(served.length, 6);
      for (const { subscription } of quiet) assert.ok(served.includes(subscription.id));
      assert.ok(served.includes(busy.subscription.id));
    },
  }),

  ...laws("claim fairly", {
    "lanes whose delivery is due earliest come first": async ({ owe, claim }) => {
      const third = await owe({ at: NOW + 3 });
      const first = await owe({ at: NOW + 1 });
      const second = await owe({ at: NOW + 2 });
      const { claims } = await claim({ now: NOW + 9, slots: 2 });
      assert.deepEqual(idsOf(claims), [...first.ids, ...second.ids].sort());
      assert.deepEqual(idsOf((await claim({ now: NOW + 9 })).claims), third.ids);
    },

    "one lane's backlog does not keep another lane's first delivery out": async ({
      owe,
      claim,
    }) => {
      await owe({ count: 20, at: NOW });
      const { ids } = await owe({ at: NOW + 1 });
      const taken: string[] = [];
      for (let turn = 1; turn <= 2; turn += 1) {
        taken.push(...idsOf((await claim({ now: NOW + turn, slots: 4, perLane: 4 })).claims));
      }
      assert.ok(taken.includes(ids[0] ?? ""));
    },

    "a lane that was served goes behind lanes that wait": async ({ owe, claim }) => {
      await owe({ count: 50, at: NOW });
      const later = [];
      for (let lane = 1; lane <= 5; lane += 1) later.push(await owe({ at: NOW + lane }));
      const taken: string[] = [];
      for (let turn = 0; turn < 6; turn += 1) {
        taken.push(...idsOf((await claim({ now: NOW + 10 + turn, slots: 1 })).claims));
      }
      for (const { ids } of later) assert.ok(taken.includes(ids[0] ?? ""));
    },
  }),

  ...laws("claim says when to come again", {
    "null if there is nothing to wait for": async ({ claim }) => {
      assert.deepEqual(await claim(), { claims: [], nextDueAt: null, suspects: false, lapsed: [] });
    },

    "the earliest instant at which something is due": async ({ owe, claim }) => {
      await owe({ at: NOW + 9 });
      await owe({ at: NOW + 5 });
      await owe({ at: NOW + 3, record: { type: "fax" } });
      assert.equal((await claim()).nextDueAt, NOW + 5);
    },

    "a lane waits for the earliest of what waits in it, whatever came last": async ({
      owe,
      claim,
      settle,
    }) => {
      await owe({ count: 3 });
      const { claims } = await claim();
      for (const [index, minutes] of [3, 1, 2].entries()) {
        await settle(claims[index] as Claim, again(NOW + minutes * MINUTE));
      }
      assert.equal((await claim()).nextDueAt, NOW + MINUTE);
    },

    "at once if more is due than it took": async ({ owe, claim }) => {
      await owe({ count: 2 });
      const { nextDueAt } = await claim({ slots: 1 });
      assert.ok(nextDueAt !== null && nextDueAt <= NOW);
    },

    "when a lease ends, and a claim then finds it": async ({ owe, claim }) => {
      await owe();
      const { nextDueAt } = await claim();
      assert.ok(nextDueAt !== null && nextDueAt >= NOW + LEASE && nextDueAt <= NOW + LEASE + 1);
      assert.equal((await claim({ now: nextDueAt })).lapsed.length, 1);
    },

    "null again once what was waited for is gone": async ({ storage, owe, claim }) => {
      const { ids } = await owe({ at: NOW + 5 });
      const request = { organization: ACME, deliveryId: ids[0] ?? "", reason: "no", now: NOW };
      await storage.cancel(request);
      assert.equal((await claim({ now: NOW + 5 })).nextDueAt, null);
    },
  }),

  ...laws("claim after a lapse", {
    "a flight whose lease is over ends, and its delivery comes due": async ({ owe, claim }) => {
      const { ids } = await owe();
      const first = (await claim()).claims[0];
      assert.deepEqual((await claim({ now: NOW + LEASE - 1 })).lapsed, []);
      const { lapsed, claims } = await claim({ now: NOW + LEASE + 1 });
      assert.deepEqual(
        lapsed.map(({ id, lapses, attempts }) => [id, lapses, attempts]),
        [[ids[0], 1, 0]],
      );
      assert.deepEqual(idsOf(claims), ids);
      assert.notEqual(claims[0]?.token, first?.token);
      assert.equal(claims[0]?.delivery.lapses, 1);
    },

    "a delivery that started without a claim lapses too": async ({
      subscribe,
      publish,
      route,
      claim,
    }) => {
      await subscribe();
      await publish();
      const { claims: started } = await route({ slots: 1 });
      const { claims } = await claim({ now: NOW + LEASE + 1 });
      assert.deepEqual(idsOf(claims), idsOf(started));
      assert.equal(started.length, 1);
    },

    "lapses end in parked lanes, and wait there": async ({ storage, owe, claim, delivery }) => {
      const { subscription, ids } = await owe();
      await claim();
      const parked = { ...subscription, version: 2, enabled: false };
      await storage.subscriptions.update(parked, aLane({ parked: true }));
      const { claims, lapsed } = await claim({ now: NOW + LEASE + 1 });
      assert.deepEqual([claims.length, lapsed.length], [0, 1]);
      assert.equal((await delivery(ids[0] ?? "")).inFlight, false);
    },

    "the rule says what becomes of it": async ({ owe, claim, delivery }) => {
      const { ids } = await owe();
      await claim();
      const { lapsed, claims, nextDueAt } = await claim(
        { now: NOW + LEASE + 1 },
        { lapse: (_, now) => ({ status: "dead", reason: `lapsed at ${now}`, lapses: 9 }) },
      );
      const ended = await delivery(ids[0] ?? "");
      assert.deepEqual(lapsed, [ended]);
      assert.deepEqual([claims, nextDueAt], [[], null]);
      assert.deepEqual(
        [ended.status, ended.reason, ended.lapses, ended.completedAt],
        ["dead", `lapsed at ${NOW + LEASE + 1}`, 9, NOW + LEASE + 1],
      );
    },

    "its lane knows when it is due": async ({ owe, claim }) => {
      const { ids } = await owe();
      await claim();
      const later = NOW + LEASE + MINUTE;
      const { claims, nextDueAt } = await claim(
        { now: NOW + LEASE + 1 },
        { lapse: () => ({ status: "waiting", dueAt: later, lapses: 1 }) },
      );
      assert.deepEqual([claims, nextDueAt], [[], later]);
      assert.deepEqual(idsOf((await claim({ now: later })).claims), ids);
    },

    "processes that find it at the same time count it once": async ({
      storage,
      other,
      owe,
      claim,
    }) => {
      const { ids } = await owe({ count: 5 });
      await claim();
      const results = await Promise.all(
        [storage, other, storage, other].map((handle) =>
          handle.claim(terms({ now: NOW + LEASE + 1 }), { admit, lapse }),
        ),
      );
      const lapsed = results.flatMap((result) => result.lapsed);
      assert.deepEqual(
        lapsed.map(({ id, lapses }) => [id, lapses]).sort(),
        ids.map((id) => [id, 1]),
      );
      results.push(await claim({ now: NOW + LEASE + 1 }));
      assert.deepEqual(idsOf(results.flatMap(({ claims }) => claims)), ids);
    },

    "a delivery that always lapses is dead in the end": async ({ owe, claim, delivery }) => {
      const { ids } = await owe();
      let flights = 0;
      for (let turn = 0; turn < 20; turn += 1) {
        const now = NOW + turn * 2 * LEASE;
        flights += (await claim({ now, alone: turn >= SUSPECT_LAPSES })).claims.length;
      }
      assert.equal(flights, MAX_LAPSES);
      const ended = await delivery(ids[0] ?? "");
      assert.deepEqual([ended.status, ended.lapses, ended.attempts], ["dead", MAX_LAPSES, 0]);
    },
  }),

  ...laws("claim of suspects", {
    "a suspect is taken only alone, and told of until then": async (stage) => {
      const suspect = await aSuspect(stage);
      const later = suspect.at + 1;
      const { ids } = await stage.owe({ at: later, count: 2 });
      const usual = await stage.claim({ now: later });
      assert.deepEqual([idsOf(usual.claims), usual.suspects], [ids, true]);
      await stage.owe({ at: later });
      const alone = await stage.claim({ now: later, alone: true });
      assert.deepEqual(idsOf(alone.claims), [suspect.id]);
    },

    "suspects are taken one at a time": async (stage) => {
      const first = await aSuspect(stage);
      const second = await aSuspect(stage, first.at);
      const now = second.at + 1;
      const one = await stage.claim({ now, alone: true });
      const two = await stage.claim({ now, alone: true });
      assert.equal(one.claims.length, 1);
      assert.deepEqual(idsOf([...one.claims, ...two.claims]), [first.id, second.id].sort());
    },

    "a claim of a suspect takes nothing when there is none": async ({ owe, claim }) => {
      await owe();
      const { claims, suspects } = await claim({ alone: true });
      assert.deepEqual([claims, suspects], [[], false]);
    },

    "a suspect holds up nothing else in its lane": async (stage) => {
      const { id, at, subscription } = await aSuspect(stage);
      await stage.publish({ type: subscription.eventTypes[0] ?? "" });
      await stage.route({ now: at });
      const { claims } = await stage.claim({ now: at, slots: 1 });
      assert.deepEqual(lanesOf(claims), [subscription.id]);
      assert.notDeepEqual(idsOf(claims), [id]);
    },

    "a suspect that is not due is not told of, but waited for": async (stage) => {
      const { at } = await aSuspect(stage);
      const flight = (await stage.claim({ now: at, alone: true })).claims[0] as Claim;
      await stage.settle(flight, again(at + MINUTE));
      const { suspects, nextDueAt } = await stage.claim({ now: at });
      assert.deepEqual([suspects, nextDueAt], [false, at + MINUTE]);
    },
  }),
];

/** Claims until there is nothing to do, as a dispatcher does. */
async function claimAll(
  { claim }: Stage,
  request: { readonly now: number; readonly slots: number },
): Promise<readonly Claim[]> {
  const taken: Claim[] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    const { claims, nextDueAt } = await claim(request);
    taken.push(...claims);
    if (claims.length === 0 && (nextDueAt === null || nextDueAt > request.now)) return taken;
  }
  return assert.fail("claims do not come to an end: nextDueAt stays in the past");
}

/** A delivery that has lapsed until it became a suspect; due at `at`. */
async function aSuspect(
  { owe, claim }: Stage,
  from = NOW,
): Promise<{
  readonly id: string;
  readonly at: number;
  readonly subscription: SubscriptionRecord;
}> {
  const { ids, subscription } = await owe({ at: from });
  let at = from;
  for (let lapses = 0; lapses < SUSPECT_LAPSES; lapses += 1) {
    const { claims } = await claim({ now: at });
    assert.deepEqual(idsOf(claims), ids);
    at += LEASE + 1;
  }
  const { claims, suspects } = await claim({ now: at });
  assert.deepEqual([claims, suspects], [[], true]);
  return { id: ids[0] ?? "", at, subscription };
}
