import {
  type AutoDisable,
  createEventBus,
  type DeliverItem,
  type DeliveryOrder,
  defineHandler,
  delivered,
  failed,
  gone,
  type Json,
  type Outcome,
  rejected,
  type Storage,
  throttled,
  unknown,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { mortal } from "./mortal.ts";
import { catalog, settle } from "./probe.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const acme = { organization: "acme" } as const;

/** A call of a handler. */
interface Call {
  readonly at: number;
  /** The names of the projects that it tells of. */
  readonly names: readonly string[];
  readonly attempts: readonly number[];
  readonly isBatch: boolean;
  readonly state: Json;
}

type Reply = (call: Call, signal: AbortSignal) => Outcome | Promise<Outcome>;

/** A handler that takes up to 20 in a call, writes down its calls, and answers as the test says. */
function digests(now: () => number, reply: Reply = () => delivered(), burst = 1) {
  const calls: Call[] = [];
  const take = async (
    items: readonly DeliverItem[],
    isBatch: boolean,
    { state, signal }: { readonly state: Json; readonly signal: AbortSignal },
  ): Promise<Outcome> => {
    const names = items.map(({ event }) => (event.data as { readonly name: string }).name);
    const attempts = items.map(({ delivery }) => delivery.attempt);
    const call: Call = { at: now(), names, attempts, isBatch, state };
    calls.push(call);
    return reply(call, signal);
  };
  const handler = defineHandler({
    type: "digest",
    configuration: v.strictObject({ to: v.string() }),
    gates: ({ to }) => [{ name: "target", key: to, limit: 1, perMs: SECOND, burst }],
    deliver: (context) => take([context], false, context),
    batch: { max: 20, deliver: (context) => take(context.items, true, context) },
  });
  return { handler, calls };
}

async function setup({
  reply,
  burst,
  autoDisable,
  order,
}: {
  readonly reply?: Reply;
  readonly order?: DeliveryOrder;
  readonly burst?: number;
  readonly autoDisable?: AutoDisable;
} = {}) {
  const clock = { now: () => 0 };
  const { handler, calls } = digests(() => clock.now(), reply, burst);
  const bus = createTestBus({ catalog, handlers: [handler], autoDisable });
  clock.now = bus.system.now;
  const startedAt = bus.system.now();
  const { id } = await subscribe(bus, order);
  const told: string[] = [];
  bus.lifecycle.on("*", (name) => told.push(name));
  return {
    bus,
    calls,
    told: (name: string) => told.filter((each) => each === name).length,
    subscription: () => bus.subscriptions.get({ ...acme, id }),
    publish: (count: number, name?: string) => publish(bus, count, name),
    deliveries: async () => (await bus.deliveries.list({ ...acme, limit: 100 })).items,
    log: async (deliveryId: string) =>
      (await bus.deliveries.get({ ...acme, id: deliveryId })).attemptLog,
    sizes: () => calls.map(({ names }) => names.length),
    elapsed: () => calls.map(({ at }) => at - startedAt),
  };
}

const subscribe = (
  bus: {
    readonly subscriptions: {
      create(input: {
        readonly organization: string;
        readonly name: string;
        readonly eventTypes: ["*"];
        readonly type: "digest";
        readonly configuration: { readonly to: string };
        readonly order: DeliveryOrder;
      }): Promise<{ readonly id: string }>;
    };
  },
  order: DeliveryOrder = "none",
): Promise<{ readonly id: string }> =>
  bus.subscriptions.create({
    ...acme,
    name: "Digest",
    eventTypes: ["*"],
    type: "digest",
    configuration: { to: "a" },
    order,
  });

async function publish(
  bus: {
    publish(
      type: "project_created",
      data: { readonly name: string },
      options: typeof acme & { readonly orderingKey: string },
    ): Promise<unknown>;
  },
  count: number,
  name = "web",
): Promise<void> {
  for (let event = 0; event < count; event += 1) {
    await bus.publish(
      "project_created",
      { name: `${name}-${event}` },
      { ...acme, orderingKey: `${event}` },
    );
  }
}

describe("what waits behind a rate limit", () => {
  it("goes in as few calls as it takes, in the order in which it was published", async () => {
    const { bus, calls, publish, deliveries, sizes, elapsed } = await setup();
    await publish(45);
    await bus.advance(MINUTE);
    expect(sizes()).toEqual([20, 20, 5]);
    expect(elapsed()).toEqual([0, SECOND, 2 * SECOND]);
    expect(calls.flatMap(({ names }) => names)).toEqual(
      Array.from({ length: 45 }, (_, event) => `web-${event}`),
    );
    for (const { status, attempts } of await deliveries()) {
      expect([status, attempts]).toEqual(["delivered", 1]);
    }
  });

  it("goes one by one while the limit lets it, by `deliver`", async () => {
    const { bus, calls, publish } = await setup({ burst: 5 });
    await publish(3);
    await bus.drain();
    expect(calls.map(({ names, isBatch }) => [names, isBatch])).toEqual([
      [["web-0"], false],
      [["web-1"], false],
      [["web-2"], false],
    ]);
  });

  it("is shared evenly between the calls that may go", async () => {
    const { bus, calls, publish, sizes } = await setup({ burst: 3 });
    await publish(7);
    await bus.drain();
    expect(sizes()).toEqual([3, 2, 2]);
    expect(calls.every(({ isBatch }) => isBatch)).toBe(true);
  });

  it("has a record of each delivery's attempt", async () => {
    const { bus, publish, deliveries, log, told } = await setup({
      reply: ({ names }) => delivered({ details: { lines: names.length } }),
    });
    await publish(3);
    await bus.drain();
    for (const { id } of await deliveries()) {
      expect(await log(id)).toMatchObject([
        { outcome: "delivered", details: { lines: 3 }, together: 3 },
      ]);
    }
    expect(told("delivery.delivered")).toBe(3);
  });

  it("does not go behind what came after it, because the destination asked to wait", async () => {
    let asks = 1;
    const { bus, calls, publish } = await setup({
      reply: () => {
        asks -= 1;
        return asks === 0 ? throttled({ retryAfterMs: 30 * SECOND, gate: "target" }) : delivered();
      },
    });
    await publish(12, "before");
    await bus.advance(SECOND);
    await publish(15, "since");
    await bus.advance(MINUTE);
    const [refused, ...told] = calls.map(({ names }) => names);
    expect(refused).toHaveLength(12);
    expect(told.map(({ length }) => length)).toEqual([20, 7]);
    expect(told.flat()).toEqual([
      ...Array.from({ length: 12 }, (_, event) => `before-${event}`),
      ...Array.from({ length: 15 }, (_, event) => `since-${event}`),
    ]);
  });

  it("is given what an earlier call remembered, and remembers for the next", async () => {
    const { bus, calls, publish } = await setup({
      reply: ({ state }) => delivered({ state: Number(state) + 1 }),
    });
    await publish(30);
    await bus.advance(MINUTE);
    expect(calls.map(({ state }) => state)).toEqual([null, 1]);
  });
});

describe("a call for several that is refused", () => {
  it("falls apart into single calls, once", async () => {
    const { bus, publish, deliveries, log, sizes, subscription } = await setup({
      reply: ({ isBatch }) => (isBatch ? rejected("too long", { remedy: "Cut it." }) : delivered()),
    });
    await publish(4);
    await bus.drain();
    for (const { status, attempts, reason } of await deliveries()) {
      expect([status, attempts]).toEqual(["pending", 1]);
      expect(reason).toBe("refused in one call with 3 others: too long");
    }
    expect(await subscription()).toMatchObject({
      enabled: true,
      status: "warning",
      statusDetail: "too long. Cut it.",
    });
    await bus.advance(10 * SECOND);
    expect(sizes()).toEqual([4, 1, 1, 1, 1]);
    for (const { id, status, attempts } of await deliveries()) {
      expect([status, attempts]).toEqual(["delivered", 2]);
      expect(await log(id)).toMatchObject([
        { outcome: "rejected", reason: "too long", counted: true, together: 4 },
        { outcome: "delivered", together: 1 },
      ]);
    }
  });

  it("costs one of twenty its delivery, where one of them spoils it", async () => {
    const { bus, calls, publish, deliveries } = await setup({
      reply: ({ names }) => (names.includes("web-7") ? rejected("bad name") : delivered()),
    });
    await publish(20);
    await bus.advance(MINUTE);
    const ended = await deliveries();
    expect(ended.filter(({ status }) => status === "delivered")).toHaveLength(19);
    expect(ended.filter(({ status }) => status === "dead")).toMatchObject([
      { reason: "bad name", attempts: 2 },
    ]);
    expect(calls).toHaveLength(21);
  });

  it("does not keep what is published later waiting, which goes together", async () => {
    const { bus, calls, publish, sizes } = await setup({
      reply: ({ names }) => (names.includes("web-7") ? rejected("bad name") : delivered()),
    });
    await publish(20);
    await bus.drain();
    await publish(30, "later");
    await bus.advance(10 * SECOND);
    const later = calls.filter(({ names }) => names[0]?.startsWith("later"));
    expect(later.flatMap(({ names }) => names)).toHaveLength(30);
    expect(later).toHaveLength(2);
    expect(sizes().filter((size) => size === 1).length).toBeGreaterThanOrEqual(7);
  });
});

describe("what an outcome means for several", () => {
  it("is that each is tried again by itself after a failure, on a schedule of its own", async () => {
    let isDown = true;
    const { bus, calls, publish, deliveries, told } = await setup({
      reply: () => (isDown ? failed("HTTP 503") : delivered()),
    });
    await publish(20);
    await bus.drain();
    expect(new Set((await deliveries()).map(({ dueAt }) => dueAt)).size).toBeGreaterThan(10);
    isDown = false;
    await bus.advance(HOUR);
    expect(calls.map(({ names }) => names.length)).toEqual([20, ...Array(20).fill(1)]);
    expect(told("delivery.failed")).toBe(20);
    expect(told("delivery.delivered")).toBe(20);
  });

  it("is one failure for the breaker and for the subscription, not twenty", async () => {
    for (const outcome of [failed("HTTP 503"), unknown("no answer")]) {
      const { bus, publish, told, subscription } = await setup({
        reply: () => outcome,
        autoDisable: { attempts: 2, ms: 0 },
      });
      await publish(20);
      await bus.drain();
      expect([told("gate.opened"), (await subscription()).enabled]).toEqual([0, true]);
      await bus.advance(HOUR);
      expect((await subscription()).enabled).toBe(false);
    }
  });

  it("is one request to wait for the gate, and that they go together again", async () => {
    let isBusy = true;
    const { bus, calls, publish, sizes, elapsed, deliveries } = await setup({
      reply: () => (isBusy ? throttled({ retryAfterMs: 2 * SECOND, gate: "target" }) : delivered()),
    });
    await publish(15);
    await bus.drain();
    isBusy = false;
    await bus.advance(MINUTE);
    expect(sizes()).toEqual([15, 15]);
    expect(elapsed()).toEqual([0, 2 * SECOND]);
    expect(calls[1]?.attempts).toEqual(Array(15).fill(1));
    for (const { attempts, throttles } of await deliveries()) {
      expect([attempts, throttles]).toEqual([1, 1]);
    }
  });

  it("is that the subscription is switched off when its destination is gone, and told of once", async () => {
    const { bus, publish, deliveries, told, subscription } = await setup({
      reply: () => gone("no such channel"),
    });
    await publish(5);
    await bus.drain();
    expect(await subscription()).toMatchObject({
      enabled: false,
      disabledReason: "no such channel",
    });
    expect((await deliveries()).map(({ status }) => status)).toEqual(Array(5).fill("dead"));
    expect(told("subscription.disabled")).toBe(1);
  });

  it("is the same where an order keeps each from being skipped", async () => {
    const { bus, publish, deliveries, told, subscription, sizes } = await setup({
      reply: () => gone("no such channel"),
      order: "stop_at_dead",
    });
    await publish(5);
    await bus.drain();
    expect(sizes()).toEqual([5]);
    expect(await subscription()).toMatchObject({
      enabled: false,
      disabledReason: "no such channel",
    });
    expect((await deliveries()).map(({ status }) => status)).toEqual(Array(5).fill("pending"));
    expect(told("subscription.disabled")).toBe(1);
  });

  it("is that a throw is a failure of each", async () => {
    const { bus, publish, deliveries } = await setup({
      reply: () => {
        throw new Error("a bug");
      },
    });
    await publish(3);
    await bus.drain();
    for (const { reason, attempts } of await deliveries()) {
      expect([reason, attempts]).toEqual(["a bug", 1]);
    }
  });
});

describe("a call for several that does not end", () => {
  it("has one deadline", async () => {
    const { bus, publish, deliveries, sizes } = await setup({
      reply: (_, signal) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve(unknown("no answer"))),
        ),
    });
    await publish(5);
    await bus.advance(16 * SECOND);
    expect(sizes()).toEqual([5]);
    for (const { reason, attempts } of await deliveries()) {
      expect([reason, attempts]).toEqual(["no answer", 1]);
    }
  });

  it("is a lapse of each when the bus stops, and counts as deliveries in flight until then", async () => {
    const { bus, publish, deliveries } = await setup({ reply: () => new Promise(() => {}) });
    await publish(5);
    bus.start();
    await settle();
    expect((await bus.health()).inFlight).toBe(5);
    const stopping = bus.stop({ deadlineMs: 0 });
    for (let turns = 0; turns < 10; turns += 1) {
      await settle();
      if (bus.system.nextWakeAt !== null) bus.system.moveTo(bus.system.nextWakeAt);
    }
    await stopping;
    for (const { status, attempts, lapses, inFlight } of await deliveries()) {
      expect([status, attempts, lapses, inFlight]).toEqual(["pending", 0, 1, false]);
    }
  });

  it("is a lapse of each when its process dies; what lapses again goes alone", async () => {
    const system = virtualSystem();
    const storage = memoryStorage();
    const { handler, calls } = digests(system.now);
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    await subscribe(bus);
    await publish(bus, 5);
    for (let crashes = 0; crashes < 2; crashes += 1) {
      const doomed = digests(system.now, () => new Promise(() => {}));
      const { kill, ...process } = mortal(storage, system);
      void createEventBus({ catalog, handlers: [doomed.handler], ...process }).drain();
      await settle();
      kill();
      expect(doomed.calls.map(({ names }) => names.length)).toEqual([5]);
      system.moveTo(system.now() + MINUTE);
    }
    for (let turn = 0; turn < 5; turn += 1) {
      await bus.drain();
      system.moveTo(system.now() + SECOND);
    }
    expect(calls.map(({ names, isBatch }) => [names.length, isBatch])).toEqual(
      Array(5).fill([1, false]),
    );
    const { items } = await bus.deliveries.list(acme);
    expect(items.map(({ status, lapses }) => [status, lapses])).toEqual(
      Array(5).fill(["delivered", 2]),
    );
  });
});

describe("a call for several that cannot start in time", () => {
  it("is given back as one, unspent, and goes later", async () => {
    const system = virtualSystem();
    const sound = memoryStorage();
    const released: number[] = [];
    let isLate = true;
    const storage: Storage = {
      ...sound,
      claim: async (request, rules) => {
        const result = await sound.claim(request, rules);
        if (isLate && result.claims.length > 0) system.moveTo(system.now() + 300);
        isLate &&= result.claims.length === 0;
        return result;
      },
      release: (flights, dueAt) => {
        released.push(flights.length);
        return sound.release(flights, dueAt);
      },
    };
    const { handler, calls } = digests(system.now);
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    await subscribe(bus);
    await publish(bus, 5);
    await bus.drain();
    expect([released, calls]).toEqual([[5], []]);
    system.moveTo(system.now() + SECOND);
    await bus.drain();
    expect(calls).toMatchObject([{ isBatch: true, attempts: [1, 1, 1, 1, 1] }]);
  });
});

describe("what settles after a call for several", () => {
  it("is handed to the storage together, as one settlement for each delivery", async () => {
    const system = virtualSystem();
    const sound = memoryStorage();
    const settled: (readonly boolean[])[] = [];
    const storage: Storage = {
      ...sound,
      settle: (settlements, apply) => {
        settled.push(settlements.map(({ plain }) => plain));
        return sound.settle(settlements, apply);
      },
    };
    const { handler } = digests(system.now);
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    await subscribe(bus);
    for (let turn = 0; turn < 2; turn += 1) {
      await publish(bus, 3);
      await bus.drain();
      system.moveTo(system.now() + SECOND);
    }
    expect(settled).toEqual([
      [false, true, true],
      [true, true, true],
    ]);
  });
});
