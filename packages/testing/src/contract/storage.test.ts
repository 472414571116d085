import assert from "node:assert/strict";
import {
  type Claim,
  freshGate,
  type LaneDefinition,
  type NewEvent,
  type RouteInput,
  type Storage,
  type SubscriptionRecord,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { describe, it } from "vitest";
import { transactional } from "../transaction.ts";
import { type StorageHarness, storageContract } from "./index.ts";

type Memory = Storage<unknown>;

/** What is wrong with a storage, the case that finds it, and how it comes about. */
type Flaw = readonly [flaw: string, caughtBy: string, broken: (sound: Memory) => Memory];

const flaws: readonly Flaw[] = [
  [
    "adds a repeated event again",
    "append: a repeated append answers the same, and adds the event only once",
    (sound) => ({
      ...sound,
      append: (events) => sound.append(events.map((event) => ({ ...event, id: anotherId() }))),
    }),
  ],
  [
    "marks a repeated event again",
    "append: a repeated append does not mark a routed event again",
    marksAgain,
  ],
  [
    "ignores idempotency keys",
    "append: a used idempotency key answers the earlier event and adds nothing",
    (sound) => ({
      ...sound,
      append: (events) => sound.append(events.map((event) => ({ ...event, idempotencyKey: null }))),
    }),
  ],
  [
    "shares idempotency keys between organizations",
    "append: an idempotency key belongs to its organization",
    sharesKeys,
  ],
  [
    "takes anything for a transaction",
    "append: what is no transaction of this storage is refused before anything is written",
    (sound) => ({ ...sound, append: (events) => sound.append(events) }),
  ],
  [
    "hands out what it keeps",
    "append: what went in and what comes out cannot change what is stored",
    handsOutItsOwn,
  ],
  [
    "hides disabled subscriptions from the plan",
    "route: a disabled subscription is owed its deliveries too, and they wait",
    (sound) => ({
      ...sound,
      route: (request, plan) =>
        sound.route(request, ({ candidates, ...input }) =>
          plan({
            ...input,
            candidates: (organization) =>
              candidates(organization).filter(({ subscription }) => subscription.enabled),
          }),
        ),
    }),
  ],
  [
    "forgets cursors",
    "route: an event with more subscriptions than fit owes each of them one delivery",
    (sound) => ({
      ...sound,
      route: (request, plan) =>
        sound.route(request, (input) => ({ ...plan(input), cursors: new Map() })),
    }),
  ],
  [
    "tells of events that their publishers announced",
    "route: only events that no publisher announced are answered",
    (sound) => ({
      ...sound,
      append: (events, tx) =>
        sound.append(
          events.map((event) => ({ ...event, announced: false })),
          tx,
        ),
    }),
  ],
  [
    "claims from parked lanes",
    "claim: it takes nothing from parked lanes, and waits for nothing in them",
    (sound) => redefining(sound, (lane) => ({ ...lane, parked: false })),
  ],
  [
    "claims what no handler of the process can deliver",
    "claim: it takes only what the handler types of the request can serve",
    (sound) => claiming(sound, { handlerTypes: ["http", "chat", "fax"] }),
  ],
  [
    "claims what no key of the process opens",
    "claim: it takes only what the keys of the request can open",
    (sound) => claiming(sound, { keyIds: ["key-1", "key-2"] }),
  ],
  [
    "ignores slots",
    "claim: it takes at most as many as there are slots",
    (sound) => claiming(sound, { slots: 1_000 }),
  ],
  [
    "ignores the limit of one lane",
    "claim: it takes at most so many of one lane",
    (sound) => claiming(sound, { perLane: 1_000 }),
  ],
  ["claims twice", "claim: a delivery is in at most one flight", claimsTwice],
  [
    "forgets what passed a gate",
    "claim through gates: lanes that share a gate share its limit, in every process",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          admit: (gates, now, wanted) => rules.admit(gates.map(freshGate), now, wanted),
        }),
    }),
  ],
  [
    "serves the longest backlog first",
    "claim fairly: a lane that was served goes behind lanes that wait",
    servesBacklogs,
  ],
  [
    "never waits for anything",
    "claim says when to come again: the earliest instant at which something is due",
    (sound) => answering(sound, { nextDueAt: null }),
  ],
  [
    "never lets the dispatcher rest",
    "claim says when to come again: null if there is nothing to wait for",
    (sound) => answering(sound, { nextDueAt: 0 }),
  ],
  [
    "does not wait for leases",
    "claim says when to come again: when a lease ends, and a claim then finds it",
    (sound) => ({
      ...sound,
      claim: async (request, rules) => {
        const result = await sound.claim(request, rules);
        return result.claims.length === 0 ? result : { ...result, nextDueAt: null };
      },
    }),
  ],
  [
    "lets leases last for ever",
    "claim after a lapse: a flight whose lease is over ends, and its delivery comes due",
    (sound) => claiming(sound, { leaseMs: 1e12 }),
  ],
  [
    "loses flights that began without a claim",
    "claim after a lapse: a delivery that started without a claim lapses too",
    (sound) => ({
      ...sound,
      route: (request, plan) => sound.route({ ...request, leaseMs: 1e12 }, plan),
    }),
  ],
  [
    "does not count lapses",
    "claim after a lapse: a delivery that always lapses is dead in the end",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          lapse: (delivery, now) => ({ ...rules.lapse(delivery, now), lapses: delivery.lapses }),
        }),
    }),
  ],
  [
    "claims suspects among others",
    "claim of suspects: a suspect is taken only alone, and told of until then",
    (sound) => ({
      ...sound,
      claim: async (request, rules) => {
        const usual = await sound.claim(request, rules);
        const alone = await sound.claim({ ...request, alone: true }, rules);
        return { ...usual, claims: [...usual.claims, ...alone.claims] };
      },
    }),
  ],
  [
    "tells nobody of suspects",
    "claim of suspects: a suspect is taken only alone, and told of until then",
    (sound) => answering(sound, { suspects: false }),
  ],
  [
    "settles whatever flight is on",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    takesAnyToken,
  ],
  [
    "releases whatever flight is on",
    "release: the release of a flight that is over changes nothing",
    takesAnyToken,
  ],
  [
    "takes a repeat for a stranger",
    "settle once: a repeat of an accepted settlement changes nothing",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) =>
        (await sound.settle(settlements, apply)).map((result) =>
          result === "repeated" ? "late" : result,
        ),
    }),
  ],
  [
    "drops late attempts",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    (sound) =>
      reading(sound, {
        attempts: async (reference) =>
          (await sound.history.attempts(reference)).filter(({ late }) => !late),
      }),
  ],
  [
    "counts late attempts",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    (sound) =>
      reading(sound, {
        attempts: async (reference) =>
          (await sound.history.attempts(reference)).map((attempt) => ({
            ...attempt,
            counted: true,
          })),
      }),
  ],
  [
    "lets one bad settlement spoil all",
    "settle: one settlement that cannot be recorded keeps no other from it",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) => {
        for (const settlement of settlements) {
          const id = settlement.deliveryId;
          const delivery = await sound.history.delivery({ organization: "acme", id });
          if (delivery) apply(settlement, { delivery, subscription: null, gates: [] });
        }
        return sound.settle(settlements, apply);
      },
    }),
  ],
  [
    "keeps gates to the lane that settled",
    "settle with consequences: gates change for every lane that has them",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const { gates: _, ...change } = apply(settlement, state);
          return change;
        }),
    }),
  ],
  [
    "goes on with subscriptions that were switched off",
    "settle with consequences: a reason to disable switches the subscription off and parks its lane",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const { subscription, ...change } = apply(settlement, state);
          return change;
        }),
    }),
  ],
  [
    "spends an attempt on a release",
    "release: the delivery waits again, and nothing of it is spent",
    (sound) => ({
      ...sound,
      release: async (flights, dueAt) => {
        const attempt = { startedAt: 0, durationMs: 0, outcome: "failed", reason: null } as const;
        await sound.settle(
          flights.map((flight) => ({
            ...flight,
            plain: false,
            attempt: { ...flight, ...attempt, remedy: null, details: null },
          })),
          (_, { delivery }) => ({
            next: { status: "waiting", dueAt, attempts: delivery.attempts + 1 },
            counted: true,
          }),
        );
      },
    }),
  ],
  [
    "has released deliveries due at once",
    "release: the lane knows when it is due",
    (sound) => ({ ...sound, release: (flights) => sound.release(flights, 0) }),
  ],
  [
    "updates any version",
    "subscriptions: an update of another version changes nothing",
    (sound) =>
      storing(sound, {
        update: async (record, lane, tx) => {
          const stored = await sound.subscriptions.get(record, tx);
          const version = (stored?.version ?? 0) + 1;
          return sound.subscriptions.update({ ...record, version }, lane, tx);
        },
      }),
  ],
  [
    "forgets a gate's state when a subscription is saved",
    "subscriptions: a gate that is known keeps its state, under the limit given last",
    (sound) =>
      redefining(sound, (lane) => ({
        ...lane,
        gates: lane.gates.map((gate) => ({ ...gate, id: anotherId() })),
      })),
  ],
  [
    "keeps deleted subscriptions in sight",
    "subscriptions: a deleted subscription is out of sight and owed nothing more",
    (sound) => storing(sound, { delete: async () => true }),
  ],
  [
    "shows foreign subscriptions",
    "subscriptions: a foreign subscription does not exist",
    (sound) =>
      storing(sound, {
        get: (reference) => sound.subscriptions.get({ ...reference, organization: "acme" }),
      }),
  ],
  [
    "shows foreign deliveries",
    "history: of another organization nothing exists",
    (sound) =>
      reading(sound, {
        delivery: (reference) => sound.history.delivery({ ...reference, organization: "acme" }),
      }),
  ],
  [
    "lists oldest first",
    "history: events come in pages, newest first",
    (sound) =>
      reading(sound, {
        events: async (request) => {
          const page = await sound.history.events(request);
          return { ...page, items: page.items.toReversed() };
        },
      }),
  ],
  [
    "filters no status",
    "history: a page of deliveries can be of a subscription, an event, a status",
    (sound) =>
      reading(sound, {
        deliveries: (request) => sound.history.deliveries({ ...request, status: undefined }),
      }),
  ],
  [
    "routes what is sent",
    "send: an event goes to one subscription, past all matching",
    (sound) => ({
      ...sound,
      send: async (event, delivery) => {
        await sound.append([{ ...event, idempotencyKey: null, announced: true }]);
        return sound.send(event, delivery);
      },
    }),
  ],
  [
    "cancels for strangers",
    "cancel: an unknown or foreign delivery is not found",
    (sound) => ({
      ...sound,
      cancel: (request) => sound.cancel({ ...request, organization: "acme" }),
    }),
  ],
  [
    "sweeps without end",
    "sweep: it changes at most `max` rows, and fewer when it is done",
    (sound) => ({ ...sound, sweep: (request) => sound.sweep({ ...request, max: 1_000 }) }),
  ],
  [
    "forgets young events",
    "prune: only events published before the instant go",
    (sound) => ({ ...sound, prune: ({ max }) => sound.prune({ before: 1e15, max }) }),
  ],
  [
    "works on after it was closed",
    "close: closing twice is closing once, and nothing works afterwards",
    (sound) => ({ ...sound, close: async () => {} }),
  ],
];

describe("the storage contract can fail", () => {
  for (const [flaw, caughtBy, broken] of flaws) {
    it(`it catches a storage that ${flaw}`, async () => {
      const entry = storageContract.find(({ name }) => name === caughtBy);
      assert.ok(entry, `there is no case "${caughtBy}"`);
      await entry.run({ open: memoryStorage });
      await assert.rejects(entry.run({ open: () => broken(memoryStorage()) }));
    });
  }
});

describe("the storage contract", () => {
  it("names every case once", () => {
    const names = storageContract.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it("skips nothing in silence", async () => {
    const entry = storageContract.find(({ needs }) => needs.includes("transaction"));
    await assert.rejects(
      async () => entry?.run({ open: memoryStorage }),
      /cannot run: the harness has no `transaction`/,
    );
    const reasons: string[] = [];
    const test = { skip: (reason: string) => reasons.push(reason) };
    await entry?.run({ open: memoryStorage }, test);
    assert.deepEqual(reasons, ["the harness has no `transaction`"]);
  });
});

describe("the cases that need more than memory has", () => {
  for (const entry of storageContract.filter(({ needs }) => needs.length > 0)) {
    const isClock = entry.needs.includes("clock");
    const clock = { clock: async () => Date.UTC(2026, 0) };
    it(entry.name, () => entry.run(withTransactions(isClock ? clock : {})));
  }

  const inTransaction = storageContract.filter(({ needs }) => needs.includes("transaction"));

  it("catch a storage whose transactions are visible before they commit", async () => {
    const harness = withTransactions({}, (sound) => ({
      ...sound,
      append: (events) => sound.append(events),
    }));
    assert.ok((await broken(harness)).includes("the event becomes visible when the host commits"));
  });

  it("catch a storage that commits what was rolled back", async () => {
    const harness = withTransactions();
    const { transaction } = harness;
    assert.ok(transaction);
    const rollback = transaction.commit;
    const caught = await broken({ ...harness, transaction: { ...transaction, rollback } });
    assert.ok(caught.includes("a rollback leaves nothing, not even the idempotency key"));
    assert.ok(caught.includes("a rollback undoes creation, change and deletion"));
  });

  async function broken(harness: StorageHarness): Promise<readonly string[]> {
    const names: string[] = [];
    for (const { name, run } of inTransaction) {
      await run(harness).catch(() => names.push(name.slice(name.indexOf(": ") + 2)));
    }
    return names;
  }
});

/** Memory with transactions, and a second handle; `change` breaks it. */
function withTransactions(
  more: Partial<Memory> = {},
  change: (sound: Memory) => Memory = (sound) => sound,
): StorageHarness {
  const begun = new WeakSet<object>();
  let last = transactional<object>(memoryStorage());
  const guarded = (tx: unknown): object =>
    begun.has(tx as object) ? (tx as object) : (null as never);
  return {
    open: () => {
      last = transactional<object>(memoryStorage());
      const { storage } = last;
      const { append, appendSync, subscriptions } = storage;
      const { get, create, update } = subscriptions;
      const known = (tx: unknown) => (tx === undefined ? undefined : guarded(tx));
      return change({
        ...storage,
        ...more,
        append: async (events, tx) => append(events, known(tx)),
        appendSync: (events, tx) => appendSync?.(events, guarded(tx)) ?? [],
        subscriptions: {
          ...subscriptions,
          get: (reference, tx) => get(reference, known(tx)),
          create: (record, lane, tx) => create(record, lane, known(tx)),
          update: (record, lane, tx) => update(record, lane, known(tx)),
          delete: (reference, now, tx) => subscriptions.delete(reference, now, known(tx)),
        },
        close: async () => {},
      });
    },
    reopen: () => last.storage as Memory,
    transaction: {
      begin: async () => {
        const tx = {};
        begun.add(tx);
        return tx;
      },
      commit: (tx) => last.commit(tx as object),
      rollback: async (tx) => last.rollback(tx as object),
    },
    concurrentWrites: true,
  };
}

let made = 0;

function anotherId(): string {
  made += 1;
  return `01ffffff-0000-7000-8000-${made.toString(16).padStart(12, "0")}`;
}

const reading = (sound: Memory, history: Partial<Memory["history"]>): Memory => ({
  ...sound,
  history: { ...sound.history, ...history },
});

const storing = (sound: Memory, subscriptions: Partial<Memory["subscriptions"]>): Memory => ({
  ...sound,
  subscriptions: { ...sound.subscriptions, ...subscriptions },
});

const redefining = (sound: Memory, change: (lane: LaneDefinition) => LaneDefinition): Memory =>
  storing(sound, {
    create: (record: SubscriptionRecord, lane, tx) =>
      sound.subscriptions.create(record, change(lane), tx),
    update: (record: SubscriptionRecord, lane, tx) =>
      sound.subscriptions.update(record, change(lane), tx),
  });

const claiming = (sound: Memory, change: object): Memory => ({
  ...sound,
  claim: (request, rules) => sound.claim({ ...request, ...change }, rules),
});

const answering = (sound: Memory, change: object): Memory => ({
  ...sound,
  claim: async (request, rules) => ({ ...(await sound.claim(request, rules)), ...change }),
});

function marksAgain(sound: Memory): Memory {
  const seen = new Set<string>();
  let again: RouteInput["events"] = [];
  return {
    ...sound,
    append: async (events) => {
      const appended = await sound.append(events);
      again = appended
        .filter(({ event }) => seen.has(event.id))
        .map(({ event }) => ({ event, after: null }));
      for (const { id } of events) seen.add(id);
      return appended;
    },
    route: async (request, plan) => {
      const marked = again;
      again = [];
      const result = await sound.route(request, (input) =>
        plan({ ...input, events: [...input.events, ...marked] }),
      );
      return { ...result, events: result.events + marked.length };
    },
  };
}

function sharesKeys(sound: Memory): Memory {
  const byKey = new Map<string, NewEvent>();
  return {
    ...sound,
    append: (events) =>
      sound.append(
        events.map((event) => {
          const key = event.idempotencyKey ?? event.id;
          byKey.set(key, byKey.get(key) ?? event);
          return byKey.get(key) ?? event;
        }),
      ),
  };
}

function handsOutItsOwn(sound: Memory): Memory {
  const own = new Map<string, unknown>();
  return reading(sound, {
    event: async (reference) => {
      const kept = own.get(reference.id) ?? structuredClone(await sound.history.event(reference));
      own.set(reference.id, kept);
      return kept as Awaited<ReturnType<Memory["history"]["event"]>>;
    },
  });
}

function claimsTwice(sound: Memory): Memory {
  let earlier: readonly Claim[] = [];
  return {
    ...sound,
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      const claims = [...result.claims, ...earlier].slice(0, request.slots);
      earlier = result.claims;
      return { ...result, claims };
    },
  };
}

/** Claims all it can, keeps what the busiest lanes gave, and gives back the rest. */
function servesBacklogs(sound: Memory): Memory {
  return {
    ...sound,
    claim: async (request, rules) => {
      const all = await sound.claim({ ...request, slots: 1_000, perLane: 1_000 }, rules);
      const waiting = Map.groupBy(all.claims, ({ subscriptionId }) => subscriptionId);
      const sorted = [...waiting.values()].sort((a, b) => b.length - a.length).flat();
      await sound.release(sorted.slice(request.slots), request.now);
      return { ...all, claims: sorted.slice(0, request.slots) };
    },
  };
}

function takesAnyToken(sound: Memory): Memory {
  const tokens = new Map<string, string>();
  return {
    ...sound,
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      for (const { deliveryId, token } of result.claims) tokens.set(deliveryId, token);
      return result;
    },
    settle: (settlements, apply) =>
      sound.settle(
        settlements.map((settlement) => ({
          ...settlement,
          token: tokens.get(settlement.deliveryId) ?? settlement.token,
        })),
        apply,
      ),
    release: (flights, dueAt) =>
      sound.release(
        flights.map((flight) => ({
          ...flight,
          token: tokens.get(flight.deliveryId) ?? flight.token,
        })),
        dueAt,
      ),
  };
}
