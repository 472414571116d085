import { createEventBus, delivered, isPosthornError, type Outcome } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { mortal } from "./mortal.ts";
import { catalog, probe, type Reply, settle } from "./probe.ts";

const acme = { organization: "acme" } as const;

async function setup(reply?: Reply, options: { readonly concurrency?: number } = {}) {
  const system = virtualSystem();
  const storage = memoryStorage();
  const { handler, sent } = probe({ now: system.now, ...(reply && { reply }) });
  const open = () => createEventBus({ catalog, handlers: [handler], storage, system, ...options });
  const bus = open();
  const subscribe = () =>
    bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
  await subscribe();
  const publish = (name: string) => bus.publish("project_created", { name }, acme);
  const statuses = async () => (await bus.deliveries.list(acme)).items.map(({ status }) => status);
  const pass = async (ms: number): Promise<void> => {
    const target = system.now() + ms;
    await settle();
    for (let next = system.nextWakeAt; next !== null && next <= target; next = system.nextWakeAt) {
      system.moveTo(next);
      await settle();
    }
    system.moveTo(target);
    await settle();
  };
  return { system, storage, open, bus, sent, subscribe, publish, statuses, pass };
}

/** Replies that wait until the test lets them go. */
function held() {
  const waiting: ((outcome: Outcome) => void)[] = [];
  const reply: Reply = () => new Promise((resolve) => waiting.push(resolve));
  return {
    reply,
    waiting,
    letGo: () => {
      for (const resolve of waiting.splice(0)) resolve(delivered());
    },
  };
}

describe("start", () => {
  it("delivers what is published from then on, without being asked", async () => {
    const { bus, sent, publish } = await setup();
    bus.start();
    await publish("one");
    await settle();
    await publish("two");
    await settle();
    expect(sent).toHaveLength(2);
    await bus.stop();
  });

  it("delivers what was published before", async () => {
    const { bus, sent, publish } = await setup();
    await publish("one");
    bus.start();
    await settle();
    expect(sent).toHaveLength(1);
    await bus.stop();
  });

  it("starts once if called twice", async () => {
    const { bus, sent, publish } = await setup();
    bus.start();
    bus.start();
    await publish("one");
    await settle();
    expect(sent).toHaveLength(1);
    await bus.stop();
  });

  it("sleeps until something is due, and wakes for a retry on time", async () => {
    const { bus, sent, publish, pass, system } = await setup((note) =>
      note.attempt === 1 ? { type: "failed", reason: "no" } : delivered(),
    );
    bus.start();
    await publish("one");
    await pass(10_000);
    expect(sent).toHaveLength(2);
    const waited = (sent[1]?.at ?? 0) - (sent[0]?.at ?? 0);
    expect(waited).toBeGreaterThanOrEqual(4_000);
    expect(waited).toBeLessThanOrEqual(6_000);
    expect(system.nextWakeAt).not.toBeNull();
    await bus.stop();
    await settle();
    expect(system.nextWakeAt).toBeNull();
  });

  it("finds what another process published, though nobody woke it", async () => {
    const { bus, open, sent, pass } = await setup();
    bus.start();
    await settle();
    await open().publish("project_created", { name: "elsewhere" }, acme);
    await settle();
    expect(sent).toHaveLength(0);
    await pass(1_000);
    expect(sent).toHaveLength(1);
    await bus.stop();
  });

  it("never has more in flight than its concurrency", async () => {
    let inFlight = 0;
    let most = 0;
    const { bus, subscribe, publish, statuses } = await setup(
      async () => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await settle();
        inFlight -= 1;
        return delivered();
      },
      { concurrency: 3 },
    );
    await subscribe();
    for (let index = 0; index < 12; index += 1) await publish(`p${index}`);
    await bus.drain();
    expect(most).toBe(3);
    expect(new Set(await statuses())).toEqual(new Set(["delivered"]));
  });

  it("never has more in flight than its concurrency, when it claims ahead because they end fast", async () => {
    const asked: number[] = [];
    const flying = { now: 0, most: 0 };
    const held: (() => void)[] = [];
    const { storage, bus, publish, statuses, pass } = await setup(
      async () => {
        flying.now += 1;
        flying.most = Math.max(flying.most, flying.now);
        await new Promise<void>((resolve) => held.push(resolve));
        flying.now -= 1;
        return delivered();
      },
      { concurrency: 8 },
    );
    const { claim, route } = storage;
    Object.assign(storage, {
      claim: (...args: Parameters<typeof claim>) => {
        asked.push(args[0].slots + flying.now);
        return claim(...args);
      },
      route: (...args: Parameters<typeof route>) => {
        asked.push(args[0].slots + flying.now);
        return route(...args);
      },
    });
    for (let index = 0; index < 60; index += 1) await publish(`p${index}`);
    bus.start();
    for (let ended = 0; ended < 60; ) {
      await settle();
      const some = held.splice(0);
      ended += some.length;
      for (const end of some) end();
      await pass(2);
    }
    expect(flying.most).toBe(4);
    expect(Math.max(...asked)).toBeGreaterThan(8);
    expect(Math.max(...asked)).toBeLessThanOrEqual(16);
    expect(new Set(await statuses())).toEqual(new Set(["delivered"]));
    await bus.stop();
  });

  it("survives a storage that fails for a while, and says so", async () => {
    const system = virtualSystem();
    const real = memoryStorage();
    let broken = true;
    const storage = {
      ...real,
      route: (...args: Parameters<typeof real.route>) =>
        broken ? Promise.reject(new Error("connection refused")) : real.route(...args),
    };
    const { handler, sent } = probe({ now: system.now });
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    const errors: string[] = [];
    bus.lifecycle.on("dispatcher.error", ({ step, message }) => errors.push(`${step}: ${message}`));
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    bus.start();
    await bus.publish("project_created", { name: "x" }, acme);
    await settle();
    expect(errors[0]).toBe("turn: connection refused");
    broken = false;
    for (let second = 0; second < 10; second += 1) {
      system.moveTo(system.now() + 1_000);
      await settle();
    }
    expect(sent).toHaveLength(1);
    await bus.stop();
  });
});

describe("drain", () => {
  it("leaves what is due later, and says when that is", async () => {
    const { bus, sent, publish, system } = await setup(() => ({ type: "failed", reason: "no" }));
    await publish("one");
    const { nextDueAt } = await bus.drain();
    expect(sent).toHaveLength(1);
    expect(nextDueAt).toBeGreaterThan(system.now() + 3_000);
    expect(nextDueAt).toBeLessThan(system.now() + 7_000);
  });

  it("resolves at once when there is nothing", async () => {
    const { bus } = await setup();
    expect(await bus.drain()).toEqual({ nextDueAt: null });
  });

  it("is safe concurrently and while started", async () => {
    const { bus, sent, publish } = await setup();
    bus.start();
    for (let index = 0; index < 50; index += 1) await publish(`p${index}`);
    await Promise.all([bus.drain(), bus.drain(), bus.drain()]);
    expect(sent).toHaveLength(50);
    await bus.stop();
  });

  it("waits for what is in flight", async () => {
    const { reply, waiting, letGo } = held();
    const { bus, publish, statuses } = await setup(reply);
    await publish("one");
    const draining = bus.drain();
    await settle();
    expect(waiting).toHaveLength(1);
    letGo();
    await draining;
    expect(await statuses()).toEqual(["delivered"]);
  });

  it("rejects when the storage fails", async () => {
    const { bus, storage } = await setup();
    await storage.close();
    await expect(bus.drain()).rejects.toThrow(/closed/);
  });
});

describe("stop", () => {
  it("lets what is in flight end, and starts nothing more", async () => {
    const { reply, waiting, letGo } = held();
    const { bus, publish, statuses } = await setup(reply);
    bus.start();
    await publish("one");
    await settle();
    const stopping = bus.stop();
    await publish("two");
    await settle();
    expect(waiting).toHaveLength(1);
    letGo();
    await stopping;
    expect(await statuses()).toEqual(["delivered"]);
    expect((await bus.events.list(acme)).items).toHaveLength(2);
  });

  it("aborts what does not end within the deadline, and spends no attempt on it", async () => {
    const signals: AbortSignal[] = [];
    const { bus, publish, pass } = await setup((_note, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    bus.start();
    await publish("one");
    await settle();
    const stopping = bus.stop({ deadlineMs: 2_000 });
    await pass(1_999);
    expect(signals[0]?.aborted).toBe(false);
    await pass(1_000);
    await stopping;
    expect(signals[0]?.aborted).toBe(true);
    const { items } = await bus.deliveries.list(acme);
    expect(items).toMatchObject([{ status: "pending", inFlight: false, attempts: 0, lapses: 1 }]);
  });

  it("gives back what was claimed while it was told to stop, unspent", async () => {
    const system = virtualSystem();
    const real = memoryStorage();
    let answer = (): void => {};
    const slow = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const storage = {
      ...real,
      route: async (...args: Parameters<typeof real.route>) => {
        const routed = await real.route(...args);
        await slow;
        return routed;
      },
    };
    const { handler, sent } = probe({ now: system.now });
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    await bus.publish("project_created", { name: "one" }, acme);
    bus.start();
    await settle();
    const stopping = bus.stop();
    answer();
    await stopping;
    expect(sent).toEqual([]);
    expect((await bus.deliveries.list(acme)).items).toMatchObject([
      { status: "pending", inFlight: false, attempts: 0, lapses: 0 },
    ]);
  });

  it("loses nothing: whoever runs next delivers it", async () => {
    let hang = true;
    const { bus, open, publish, pass, statuses } = await setup(() =>
      hang ? new Promise<never>(() => {}) : delivered(),
    );
    bus.start();
    await publish("one");
    await publish("two");
    await settle();
    const stopping = bus.stop({ deadlineMs: 100 });
    await pass(5_000);
    await stopping;
    hang = false;
    await open().drain();
    expect(await statuses()).toEqual(["delivered", "delivered"]);
  });

  it("stops once if called twice, and cannot be undone", async () => {
    const { bus } = await setup();
    bus.start();
    await Promise.all([bus.stop(), bus.stop()]);
    expect(() => bus.start()).toThrow(/was stopped and cannot start again/);
    await expect(bus.drain()).rejects.toSatisfy((error) => isPosthornError(error, "bus_stopped"));
  });

  it("ends in time even if the storage does not answer", async () => {
    const system = virtualSystem();
    const real = memoryStorage();
    const storage = { ...real, route: () => new Promise<never>(() => {}) };
    const bus = createEventBus({ catalog, handlers: [], storage, system });
    bus.start();
    await settle();
    let stopped = false;
    void bus.stop({ deadlineMs: 1_000 }).then(() => {
      stopped = true;
    });
    for (let step = 0; step < 4; step += 1) {
      await settle();
      system.moveTo(system.now() + 1_000);
    }
    await settle();
    expect(stopped).toBe(true);
  });
});

describe("processes that share a storage", () => {
  it("deliver each event once between them", async () => {
    const { open, bus, sent, publish, pass } = await setup();
    const others = [open(), open()];
    for (const each of [bus, ...others]) each.start();
    for (let index = 0; index < 200; index += 1) await publish(`p${index}`);
    await pass(2_000);
    expect(sent).toHaveLength(200);
    expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(200);
    await Promise.all([bus, ...others].map((each) => each.stop()));
  });

  it("take over what a process that died had in flight, once its lease is over", async () => {
    const { storage, system, bus, sent, publish, pass, statuses } = await setup();
    const { handler } = probe({ now: system.now, reply: () => new Promise(() => {}) });
    const { kill, ...process } = mortal(storage, system);
    void createEventBus({ catalog, handlers: [handler], ...process }).drain();
    await publish("one");
    await settle();
    kill();
    bus.start();
    await pass(59_000);
    expect(sent).toHaveLength(0);
    await pass(2_000);
    expect(sent).toHaveLength(1);
    expect(await statuses()).toEqual(["delivered"]);
    await bus.stop();
  });

  it("start nothing beside what has lapsed twice, for as long as it is on its way", async () => {
    const system = virtualSystem();
    const storage = memoryStorage();
    const crowd: number[] = [];
    let flying = 0;
    const { handler } = probe({ now: system.now });
    const bus = createEventBus({
      catalog,
      storage,
      system,
      handlers: [
        {
          ...handler,
          deliver: async () => {
            flying += 1;
            crowd.push(flying);
            if (crowd.length === 1) {
              await bus.publish("project_created", { name: "two" }, acme);
              void bus.drain();
            }
            await settle();
            flying -= 1;
            return delivered();
          },
        },
      ],
    });
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    await bus.publish("project_created", { name: "one" }, acme);
    for (let crashes = 0; crashes < 2; crashes += 1) {
      const { kill, ...process } = mortal(storage, system);
      const poison = { ...handler, deliver: () => new Promise<never>(() => {}) };
      void createEventBus({ catalog, handlers: [poison], ...process }).drain();
      await settle();
      kill();
      system.moveTo(system.now() + 60_000);
    }
    await bus.drain();
    expect(crowd).toEqual([1, 1]);
  });

  it("deliver alone what ended in two lapses, and give up at the fifth", async () => {
    const system = virtualSystem();
    const storage = memoryStorage();
    const crowd: number[] = [];
    let flying = 0;
    const { handler } = probe({ now: system.now });
    const poison = { ...handler, deliver: () => new Promise<never>(() => {}) };
    const sound = {
      ...handler,
      deliver: async () => {
        flying += 1;
        crowd.push(flying);
        await settle();
        flying -= 1;
        return delivered();
      },
    };
    const crash = async (): Promise<void> => {
      const { kill, ...process } = mortal(storage, system);
      void createEventBus({ catalog, handlers: [poison], ...process }).drain();
      await settle();
      kill();
      system.moveTo(system.now() + 60_000);
    };
    const bus = createEventBus({ catalog, handlers: [sound], storage, system });
    const lapses: number[] = [];
    bus.lifecycle.on("delivery.lapsed", ({ delivery }) => lapses.push(delivery.lapses));
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    await bus.publish("project_created", { name: "one" }, acme);
    await bus.publish("project_created", { name: "two" }, acme);
    await crash();
    await crash();
    await bus.publish("project_created", { name: "three" }, acme);
    await bus.drain();
    expect(crowd).toEqual([1, 1, 1]);
    expect(lapses).toEqual([2, 2]);

    await bus.publish("project_created", { name: "poison" }, acme);
    for (let crashes = 0; crashes < 5; crashes += 1) await crash();
    await bus.drain();
    const { items } = await bus.deliveries.list(acme);
    expect(items.map(({ status, attempts, lapses: count }) => [status, attempts, count])).toEqual([
      ["dead", 0, 5],
      ["delivered", 1, 0],
      ["delivered", 1, 2],
      ["delivered", 1, 2],
    ]);
  });
});
