import assert from "node:assert/strict";
import { type Plan, planDeliveries, putOffMs, type RouteInput } from "@posthorn/core";
import {
  ACME,
  aDelivery,
  aGate,
  anEvent,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  planOf,
  type StorageCase,
  stateOf,
  storedOf,
} from "./stage.ts";

const nothing = { deliveries: [], cursors: new Map<string, string>() };

export const routeCases: readonly StorageCase[] = laws("route", {
  "the plan gets unrouted events in the order of their commits": async ({
    storage,
    publish,
    route,
  }) => {
    const first = await publish();
    const batch = [anEvent(), anEvent(), anEvent()];
    await storage.append(batch.toReversed());
    const last = await publish();
    const expected = [first, ...batch.toReversed().map(storedOf), last];
    let given: RouteInput["events"] = [];
    await route({}, (input) => {
      given = input.events;
      return nothing;
    });
    assert.deepEqual(
      given,
      expected.map((event) => ({ event, after: null })),
    );
  },

  "the plan gets every subscription of the organization, in the order of ids": async ({
    storage,
    publish,
    subscribe,
    route,
  }) => {
    const ids = [newId(), newId(), newId()];
    const gate = aGate(1_000);
    const late = await subscribe({ id: ids[2] ?? "" }, { gates: [gate] });
    const disabled = await subscribe({ id: ids[0] ?? "", enabled: false }, { parked: true });
    const deleted = await subscribe({ id: ids[1] ?? "" });
    const foreign = await subscribe({ organization: "umbrella" }, { keyId: "key-1" });
    await storage.subscriptions.delete(deleted, NOW);
    await publish();
    const lane = {
      handlerType: "http",
      keyId: null,
      order: "none",
      gateIds: [],
      parked: false,
      nextDueAt: null,
    };
    await route({}, ({ candidates }) => {
      assert.deepEqual(candidates(ACME), [
        {
          subscription: disabled,
          lane: { ...lane, subscriptionId: disabled.id, organization: ACME, parked: true },
          gates: [],
        },
        {
          subscription: late,
          lane: { ...lane, subscriptionId: late.id, organization: ACME, gateIds: [gate.id] },
          gates: [stateOf(gate)],
        },
      ]);
      return nothing;
    });
    await publish({ organization: "umbrella" });
    await route({}, ({ candidates }) => {
      assert.deepEqual(
        candidates("umbrella").map(({ subscription }) => subscription),
        [foreign],
      );
      assert.equal(candidates("umbrella")[0]?.lane.keyId, "key-1");
      return nothing;
    });
  },

  "the plan sees what waits in a lane and how its gates stand": async ({
    owe,
    publish,
    route,
    claimOne,
    settle,
  }) => {
    const gate = aGate();
    const record = { eventTypes: ["*"] };
    const { subscription } = await owe({ record, lane: { gates: [gate] }, at: NOW + 5 });
    const seen = async (): Promise<readonly unknown[]> => {
      let state: readonly unknown[] = [];
      await publish();
      await route({}, ({ candidates }) => {
        const [candidate] = candidates(ACME);
        assert.equal(candidate?.subscription.id, subscription.id);
        state = [candidate?.lane.nextDueAt, candidate?.gates[0]?.pausedUntil];
        return nothing;
      });
      return state;
    };
    assert.deepEqual(await seen(), [NOW + 5, 0]);
    const claim = await claimOne({ now: NOW + 5 });
    assert.deepEqual(await seen(), [null, 0]);
    await settle(claim, {
      next: { status: "waiting", dueAt: NOW + MINUTE },
      counted: false,
      gates: [stateOf(gate, { pausedUntil: NOW + MINUTE })],
    });
    assert.deepEqual(await seen(), [NOW + MINUTE, NOW + MINUTE]);
  },

  "an event is routed once": async ({ storage, owe, route }) => {
    await owe();
    assert.deepEqual(await route(), {
      claims: [],
      unannounced: [],
      unroutable: null,
      events: 0,
      left: 0,
      deliveries: 0,
    });
    const { items } = await storage.history.deliveries({ organization: ACME, limit: 10 });
    assert.equal(items.length, 1);
  },

  "routers at the same time route each event once": async ({
    storage,
    other,
    subscribe,
    publish,
  }) => {
    await subscribe();
    for (let index = 0; index < 20; index += 1) await publish();
    const request = { now: NOW, leaseMs: LEASE, slots: 99, perLane: 99, handlerTypes: ["http"] };
    const results = await Promise.all(
      [storage, other, storage, other].map((handle) =>
        handle.route(
          { ...request, keyIds: [], token: newId(), maxEvents: 7, maxDeliveries: 99 },
          planOf("start"),
        ),
      ),
    );
    for (let left = 20; left > 0; left -= 1) {
      const again = { ...request, keyIds: [], token: newId(), maxEvents: 7, maxDeliveries: 99 };
      results.push(await storage.route(again, planOf("start")));
    }
    const started = results.flatMap(({ claims }) => claims.map(({ event }) => event.id));
    assert.equal(started.length, 20);
    assert.equal(new Set(started).size, 20);
  },

  "an event that cannot be routed is put off, and keeps no other waiting": async ({
    storage,
    subscribe,
    publish,
    route,
  }) => {
    await subscribe();
    const events = [await publish(), await publish({ payload: "bad" }), await publish()];
    const failure = new Error("the plan failed");
    const fail: Plan = (input) => {
      if (input.events.some(({ event }) => event.payload === "bad")) throw failure;
      return planOf("wait")(input);
    };
    const results = [await route({}, fail), await route({}, fail), await route({}, fail)];
    assert.deepEqual(
      results.map(({ unroutable }) => unroutable),
      [null, { eventId: events[1]?.id, error: failure }, null],
    );
    assert.equal((await route({}, fail)).events, 0);
    const { items } = await storage.history.deliveries({ organization: ACME, limit: 9 });
    assert.deepEqual(items.map(({ eventId }) => eventId).sort(), [events[0]?.id, events[2]?.id]);
  },

  "an event that was put off rests, longer each time, and is routed when it can be": async ({
    storage,
    subscribe,
    publish,
    route,
  }) => {
    await subscribe();
    await publish();
    const fail = (): never => {
      throw new Error("the plan failed");
    };
    let now = NOW;
    for (const tries of [0, 1, 2]) {
      assert.notEqual((await route({ now }, fail)).unroutable, null);
      now += putOffMs(tries);
      assert.equal((await route({ now: now - 1 })).events, 0);
    }
    assert.ok(putOffMs(2) > putOffMs(1));
    assert.equal((await storage.backlog(now)).unrouted, 1);
    assert.equal((await route({ now })).deliveries, 1);
    assert.equal((await storage.backlog(now)).unrouted, 0);
  },

  "at most as many events as the request says are routed": async ({ publish, route }) => {
    for (let index = 0; index < 5; index += 1) await publish();
    assert.equal((await route({ maxEvents: 3 })).events, 3);
    assert.equal((await route({ maxEvents: 3 })).events, 2);
  },

  "the plan gets one event of each organization, then a second one of each": async ({
    publish,
    route,
  }) => {
    for (const organization of ["a", "a", "a", "b", "c", "b"]) await publish({ organization });
    const given: (readonly string[])[] = [];
    const plan: Plan = ({ events }) => {
      given.push(events.map(({ event }) => event.organization));
      return nothing;
    };
    await route({ maxEvents: 4 }, plan);
    await route({ maxEvents: 4 }, plan);
    assert.deepEqual(given[0]?.slice(0, 3).toSorted(), ["a", "b", "c"]);
    assert.deepEqual(
      given.map((turns) => turns.length),
      [4, 2],
    );
    assert.deepEqual(new Set(given[1]), new Set(given[0]?.[3] === "a" ? ["a", "b"] : ["a"]));
  },

  "an organization's events keep the order of their commits, whoever else takes turns": async ({
    subscribe,
    publish,
    route,
  }) => {
    for (const organization of ["a", "b"])
      await subscribe({ organization }, { order: "skip_dead" });
    const published = new Map<string, string[]>([
      ["a", []],
      ["b", []],
    ]);
    for (let index = 0; index < 12; index += 1) {
      const organization = index < 9 ? "a" : "b";
      published.get(organization)?.push((await publish({ organization })).id);
    }
    const routed = new Map<string, string[]>([
      ["a", []],
      ["b", []],
    ]);
    for (let left = 12; left > 0; ) {
      const { events, left: held } = await route({ maxEvents: 3 }, (input) => {
        for (const { event } of input.events) routed.get(event.organization)?.push(event.id);
        return planDeliveries(input, newId);
      });
      assert.ok(events > 0 && held === 0);
      left -= events;
    }
    assert.deepEqual(routed, published);
  },

  "an organization's event is routed within two routes, though another has published hundreds":
    async ({ subscribe, publish, storage, route }) => {
      await subscribe({ organization: "busy" });
      const flood = Array.from({ length: 300 }, () => anEvent({ organization: "busy" }));
      await storage.append(flood);
      await route({ maxEvents: 4 });
      for (const organization of ["a new one", "the newest"]) {
        await publish({ organization, announced: false });
      }
      const told = [await route({ maxEvents: 4 }), await route({ maxEvents: 4 })];
      assert.deepEqual(
        told.flatMap(({ unannounced }) => unannounced.map((event) => event.organization)).sort(),
        ["a new one", "the newest"],
      );
    },

  "many organizations that publish little are each routed in turn beside one that publishes much":
    async ({ publish, storage, route }) => {
      const flood = Array.from({ length: 250 }, () => anEvent({ organization: "busy" }));
      await storage.append(flood);
      const quiet = Array.from({ length: 12 }, (_, index) => `${index < 6 ? "a" : "z"}${index}`);
      for (const organization of quiet) await publish({ organization, announced: false });
      const served = new Set<string>();
      for (let turn = 0; turn < 5; turn += 1) {
        const { unannounced } = await route({ maxEvents: 4 });
        for (const { organization } of unannounced) served.add(organization);
      }
      assert.deepEqual([...served].toSorted(), quiet.toSorted());
    },

  "routes of one event go round the organizations too": async ({ publish, storage, route }) => {
    await storage.append(Array.from({ length: 20 }, () => anEvent({ organization: "busy" })));
    for (const organization of ["a", "z"]) await publish({ organization, announced: false });
    const served: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const { unannounced } = await route({ maxEvents: 1 });
      served.push(...unannounced.map(({ organization }) => organization));
    }
    assert.deepEqual(served.toSorted(), ["a", "z"]);
  },

  "events that owe more than a route makes take turns with other organizations' too": async ({
    subscribe,
    publish,
    route,
  }) => {
    for (let index = 0; index < 7; index += 1) await subscribe({ organization: "busy" });
    for (const organization of ["a", "z"]) await subscribe({ organization });
    for (let index = 0; index < 5; index += 1) await publish({ organization: "busy" });
    for (const organization of ["a", "z"]) await publish({ organization, announced: false });
    const served: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const { unannounced } = await route({ maxDeliveries: 3 });
      served.push(...unannounced.map(({ organization }) => organization));
    }
    assert.deepEqual(served.toSorted(), ["a", "z"]);
  },

  "an event with a cursor stays unrouted, and is given again with it": async ({
    publish,
    route,
  }) => {
    const event = await publish({ announced: false });
    const cursor = newId();
    const first = await route({}, () => ({
      deliveries: [],
      cursors: new Map([[event.id, cursor]]),
    }));
    assert.deepEqual(first.unannounced, []);
    const second = await route({}, ({ events }) => {
      assert.deepEqual(events, [{ event, after: cursor }]);
      return nothing;
    });
    assert.deepEqual(second.unannounced, [event]);
    assert.equal((await route()).events, 0);
  },

  "an event with more subscriptions than fit owes each of them one delivery": async ({
    storage,
    subscribe,
    publish,
    route,
  }) => {
    const subscriptions = [];
    for (let index = 0; index < 5; index += 1) subscriptions.push(await subscribe());
    await publish();
    for (let turns = 0; (await route({ maxDeliveries: 2 })).events > 0; turns += 1) {
      assert.ok(turns < 9, "routing does not come to an end");
    }
    const { items } = await storage.history.deliveries({ organization: ACME, limit: 10 });
    assert.deepEqual(
      items.map(({ subscriptionId }) => subscriptionId).sort(),
      subscriptions.map(({ id }) => id),
    );
  },

  "only events that no publisher announced are answered": async ({ publish, route }) => {
    await publish({ announced: true });
    const event = await publish({ announced: false });
    assert.deepEqual((await route()).unannounced, [event]);
  },

  "a delivery that waits is due when it was created": async ({ owe, delivery }) => {
    const { subscription, events, ids } = await owe({ at: NOW + 7 });
    const [id = ""] = ids;
    assert.deepEqual(await delivery(id), {
      ...aDelivery(events[0] ?? anEvent(), subscription, NOW + 7),
      id,
      status: "pending",
      inFlight: false,
      dueAt: NOW + 7,
      attempts: 0,
      throttles: 0,
      lapses: 0,
      reason: null,
      redeliveryOf: null,
      completedAt: null,
    });
  },

  "a lane knows when what was routed into it is due": async ({ owe, claim }) => {
    await owe({ at: NOW + 7 });
    const { claims, nextDueAt } = await claim();
    assert.deepEqual([claims.length, nextDueAt], [0, NOW + 7]);
    assert.equal((await claim({ now: NOW + 7 })).claims.length, 1);
  },

  "a delivery that starts is in flight, and a claim": async ({
    subscribe,
    publish,
    route,
    claim,
    delivery,
  }) => {
    const gate = aGate();
    const subscription = await subscribe({}, { gates: [gate] });
    const event = await publish();
    const token = newId();
    const { claims, deliveries } = await route({ slots: 1, token });
    assert.equal(deliveries, 1);
    const [first] = claims;
    assert.ok(first !== undefined && claims.length === 1);
    assert.deepEqual(first, {
      deliveryId: first.deliveryId,
      subscriptionId: subscription.id,
      token,
      delivery: await delivery(first.deliveryId),
      event,
      subscription,
      gates: [{ id: gate.id, name: gate.name, epoch: 0, calm: true }],
      leaseUntil: NOW + LEASE,
      startBy: null,
      call: null,
    });
    assert.deepEqual(
      [first.delivery.status, first.delivery.inFlight, first.delivery.dueAt],
      ["pending", true, null],
    );
    assert.deepEqual((await claim()).claims, []);
  },

  "a delivery can be dead from the start": async ({
    storage,
    subscribe,
    publish,
    route,
    claim,
  }) => {
    await subscribe();
    await publish();
    await route({ now: NOW + 3 }, (input) => ({
      deliveries: planOf("wait")(input).deliveries.map((planned) => ({
        ...planned,
        state: { deadReason: "match_error: no" },
      })),
      cursors: new Map(),
    }));
    const { items } = await storage.history.deliveries({ organization: ACME, limit: 2 });
    assert.equal(items.length, 1);
    assert.equal(items[0]?.status, "dead");
    assert.equal(items[0]?.reason, "match_error: no");
    assert.equal(items[0]?.completedAt, NOW + 3);
    assert.equal(items[0]?.dueAt, null);
    assert.equal((await claim({ now: NOW + MINUTE })).nextDueAt, null);
  },

  "subscriptions match as of the route, not of the publish": async ({
    storage,
    subscribe,
    publish,
    route,
  }) => {
    const early = await subscribe();
    await publish();
    await storage.subscriptions.delete(early, NOW);
    const late = await subscribe();
    await route();
    const { items } = await storage.history.deliveries({ organization: ACME, limit: 9 });
    assert.deepEqual(
      items.map(({ subscriptionId }) => subscriptionId),
      [late.id],
    );
  },

  "a disabled subscription is owed its deliveries too, and they wait": async ({
    subscribe,
    publish,
    route,
    claim,
  }) => {
    await subscribe({ enabled: false }, { parked: true });
    await publish();
    assert.equal((await route({ slots: 9 })).deliveries, 1);
    const { claims, nextDueAt } = await claim();
    assert.deepEqual([claims, nextDueAt], [[], null]);
  },

  "what starts does not overtake what is due in its lane": async ({
    subscribe,
    publish,
    route,
    claim,
  }) => {
    await subscribe();
    const first = await publish();
    await route({ slots: 0 });
    await publish();
    assert.deepEqual((await route({ slots: 9 })).claims, []);
    assert.equal((await claim({ slots: 1 })).claims[0]?.event.id, first.id);
  },
});
