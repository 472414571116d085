import { createEventBus, delivered, failed, type Outcome, type Storage } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { type VirtualSystem, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe, type Reply, settle } from "./probe.ts";

const acme = { organization: "acme" } as const;

interface Given {
  readonly reply?: Reply;
  readonly concurrency?: number;
  readonly limit?: { readonly limit: number; readonly perMs: number };
  /** Comes between the dispatcher and its storage. */
  between?(sound: Storage): Partial<Storage>;
}

/** Lets time pass, and all that happens in it. */
const passing =
  (system: VirtualSystem) =>
  async (ms: number): Promise<void> => {
    const target = system.now() + ms;
    await settle();
    for (let next = system.nextWakeAt; next !== null && next <= target; ) {
      system.moveTo(next);
      await settle();
      next = system.nextWakeAt;
    }
    system.moveTo(target);
    await settle();
  };

async function setup({ reply, concurrency = 50, limit, between }: Given) {
  const system = virtualSystem();
  const sound = memoryStorage();
  const { handler, sent } = probe({
    now: system.now,
    ...(reply && { reply }),
    ...(limit && { limit }),
  });
  const storage = { ...sound, ...between?.(sound) };
  const bus = createEventBus({ catalog, handlers: [handler], storage, system, concurrency });
  await bus.subscriptions.create({
    ...acme,
    name: "n",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "a" },
  });
  const begun = system.now();
  return {
    system,
    bus,
    sent: () => sent.map(({ at, attempt }) => [at - begun, attempt]),
    publish: () => bus.publish("project_created", { name: "x" }, acme),
    pass: passing(system),
  };
}

/** A bus on a machine that goes to sleep: its wall clock goes on, its monotonic clock does not. */
async function sleeper(
  between: (sound: Storage, sleep: (ms: number) => void) => Partial<Storage>,
  limit?: Given["limit"],
) {
  const system = virtualSystem();
  const sound = memoryStorage();
  let sleptMs = 0;
  const now = (): number => system.now() + sleptMs;
  const sleep = (ms: number): void => {
    sleptMs += ms;
  };
  const replies: (() => Promise<Outcome>)[] = [];
  const { handler } = probe({
    now,
    reply: () => replies.shift()?.() ?? delivered(),
    ...(limit && { limit }),
  });
  const told = { isDown: false };
  const clock = async (): Promise<number> => {
    if (told.isDown) throw new Error("down");
    return now();
  };
  const storage = { ...sound, clock, ...between(sound, sleep) };
  const bus = createEventBus({ catalog, handlers: [handler], storage, system: { ...system, now } });
  await bus.subscriptions.create({
    ...acme,
    name: "n",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "a" },
  });
  return { bus, now, sleep, replies, told, pass: passing(system) };
}

describe("a machine that sleeps", () => {
  it("claims by the time that it is when it wakes, not by that of its last look", async () => {
    const behind: number[] = [];
    const { bus, now } = await sleeper((sound, sleep) => ({
      route: async (request, plan) => {
        const routed = await sound.route(request, plan);
        sleep(60_000);
        return routed;
      },
      claim: (request, rules) => {
        behind.push(now() - request.now);
        return sound.claim(request, rules);
      },
    }));
    await bus.drain();
    expect(behind).toEqual([0]);
  });

  it("tries again as long after its failure as the schedule says, by the time that it is", async () => {
    const { bus, now, sleep, replies } = await sleeper(() => ({}));
    replies.push(async () => {
      await settle();
      sleep(20_000);
      return failed("away");
    });
    await bus.publish("project_created", { name: "x" }, acme);
    const { nextDueAt } = await bus.drain();
    expect((nextDueAt ?? 0) - now()).toBeGreaterThanOrEqual(4_000);
  });

  it("starts nothing that it has claimed before it is told the time", async () => {
    const [claims, starts]: [number[], number[]] = [[], []];
    const { bus, now, replies, told, pass } = await sleeper(
      (sound, sleep) => ({
        claim: async (request, rules) => {
          const claimed = await sound.claim(request, rules);
          if (claimed.claims.length > 0) claims.push(now());
          if (claimed.claims.length > 0 && claims.length === 1) {
            told.isDown = true;
            sleep(2_000);
          }
          return claimed;
        },
      }),
      { limit: 1_000, perMs: 1_000 },
    );
    replies.push(async () => {
      starts.push(now());
      return delivered();
    });
    await bus.publish("project_created", { name: "x" }, acme);
    bus.start();
    await pass(1_000);
    expect([claims.length, starts]).toEqual([1, []]);
    told.isDown = false;
    await pass(10_000);
    expect(starts).toEqual(claims.slice(1));
    await bus.stop();
  });

  it("records what it did as soon as it is told the time", async () => {
    const { bus, now, sleep, replies, told, pass } = await sleeper(() => ({}));
    let failedAt = 0;
    replies.push(async () => {
      await settle();
      sleep(20_000);
      told.isDown = true;
      failedAt = now();
      return failed("away");
    });
    await bus.publish("project_created", { name: "x" }, acme);
    bus.start();
    await pass(1_000);
    told.isDown = false;
    await pass(2_500);
    const { items } = await bus.deliveries.list(acme);
    expect(
      items.map(({ attempts, dueAt }) => [attempts, (dueAt ?? 0) >= failedAt + 4_000]),
    ).toEqual([[1, true]]);
    await bus.stop();
  });

  it("records what it did though it must stop before it is told the time", async () => {
    const { bus, sleep, replies, told } = await sleeper(() => ({}));
    replies.push(async () => {
      await settle();
      sleep(20_000);
      told.isDown = true;
      return delivered();
    });
    await bus.publish("project_created", { name: "x" }, acme);
    bus.start();
    await settle();
    await bus.stop({ deadlineMs: 0 });
    const { items } = await bus.deliveries.list(acme);
    expect(items.map(({ status }) => status)).toEqual(["delivered"]);
  });
});

describe("what cannot start in time", () => {
  it("is given back though the storage fails at first, and does not lapse", async () => {
    let releases = 0;
    let isLate = true;
    const { bus, publish, pass, system, sent } = await setup({
      limit: { limit: 1_000, perMs: 1_000 },
      between: (sound) => ({
        claim: async (request, rules) => {
          const claimed = await sound.claim(request, rules);
          if (isLate && claimed.claims.length > 0) system.moveTo(system.now() + 300);
          isLate &&= claimed.claims.length === 0;
          return claimed;
        },
        release: async (flights, dueAt) => {
          releases += 1;
          if (releases <= 3) throw new Error("down");
          await sound.release(flights, dueAt);
        },
      }),
    });
    await publish();
    bus.start();
    await pass(5_000);
    await bus.stop();
    const { items } = await bus.deliveries.list(acme);
    expect(items.map(({ status, lapses, attempts }) => [status, lapses, attempts])).toEqual([
      ["delivered", 0, 1],
    ]);
    expect([releases, sent().length]).toEqual([4, 1]);
  });
});

describe("a bus that stops in the middle of a look", () => {
  it("takes nothing more", async () => {
    let claims = 0;
    const { bus } = await setup({
      between: (sound) => ({
        route: async (request, plan) => {
          const routed = await sound.route(request, plan);
          void bus.stop();
          return routed;
        },
        claim: (request, rules) => {
          claims += 1;
          return sound.claim(request, rules);
        },
      }),
    });
    bus.start();
    await settle();
    expect(claims).toBe(0);
  });
});

describe("a route", () => {
  /** Routes 3,000 events where each takes so long; answers how much was routed, and asked for, at once. */
  async function sizesWhere(
    eachMs: number,
  ): Promise<{ readonly sizes: readonly number[]; readonly most: number }> {
    const sizes: number[] = [];
    let most = 0;
    const { bus, publish, pass, system } = await setup({
      between: (sound) => ({
        route: async (request, plan) => {
          const routed = await sound.route(request, plan);
          if (routed.events > 0) sizes.push(routed.events);
          most = Math.max(most, request.maxDeliveries);
          system.moveTo(system.now() + routed.events * eachMs);
          return routed;
        },
      }),
    });
    for (let event = 0; event < 3_000; event += 1) await publish();
    bus.start();
    for (let turn = 0; turn < 100 && sizes.reduce((sum, size) => sum + size, 0) < 3_000; ) {
      await pass(1_000);
      turn += 1;
    }
    await bus.stop();
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(3_000);
    return { sizes, most };
  }

  it("takes 500 events, and makes 5,000 deliveries, at once at most", async () => {
    const { sizes, most } = await sizesWhere(0);
    expect(sizes[0]).toBe(32);
    expect(Math.max(...sizes)).toBeGreaterThan(400);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    expect(most).toBeGreaterThan(4_000);
    expect(most).toBeLessThanOrEqual(5_000);
  });

  it("takes as many as it can in some 25 ms where they take their time", async () => {
    const { sizes } = await sizesWhere(0.25);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(125);
    expect(Math.max(...sizes)).toBeGreaterThanOrEqual(94);
  });
});

describe("a flight", () => {
  it("is asked for only where a slot is free", async () => {
    const waiting: ((outcome: Outcome) => void)[] = [];
    const asked: { readonly slots: number; readonly free: number }[] = [];
    const free = (): number => 4 - waiting.length;
    const { bus, publish } = await setup({
      concurrency: 4,
      reply: () => new Promise((resolve) => waiting.push(resolve)),
      between: (sound) => ({
        route: (request, plan) => {
          asked.push({ slots: request.slots, free: free() });
          return sound.route(request, plan);
        },
        claim: (request, rules) => {
          asked.push({ slots: request.slots, free: free() });
          return sound.claim(request, rules);
        },
      }),
    });
    bus.start();
    for (let index = 0; index < 12; index += 1) {
      await publish();
      await settle();
      if (index % 3 === 2) waiting.shift()?.(delivered());
    }
    while (waiting.length > 0) {
      waiting.shift()?.(delivered());
      await settle();
    }
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter(({ slots, free }) => slots > free)).toEqual([]);
    await bus.stop();
  });

  it("is not begun when its lease may end before its handler does, and nothing of it is spent", async () => {
    const { bus, sent, publish, pass, system } = await setup({
      between: (sound) => ({
        route: afterwards(sound.route, () => system.moveTo(system.now() + 50_000)),
      }),
    });
    bus.start();
    await publish();
    await pass(100);
    expect(sent()).toEqual([[50_000, 1]]);
    await bus.stop();
  });

  it("behind a limit is not begun 250 ms after it was let through, and its room stays spent", async () => {
    const { bus, sent, publish, pass, system } = await setup({
      limit: { limit: 1, perMs: 10_000 },
      between: (sound) => ({
        claim: afterwards(sound.claim, () => system.moveTo(system.now() + 251)),
      }),
    });
    bus.start();
    await publish();
    await pass(20_000);
    expect(sent()).toEqual([[10_000, 1]]);
    await bus.stop();
  });

  it("behind a limit is begun where 250 ms have not passed", async () => {
    const { bus, sent, publish, pass, system } = await setup({
      limit: { limit: 1, perMs: 10_000 },
      between: (sound) => ({
        claim: afterwards(sound.claim, () => system.moveTo(system.now() + 250)),
      }),
    });
    bus.start();
    await publish();
    await pass(20_000);
    expect(sent()).toEqual([[250, 1]]);
    await bus.stop();
  });

  /** Something happens, once, before the dispatcher hears of claims. */
  function afterwards<
    Args extends unknown[],
    Result extends { readonly claims: readonly unknown[] },
  >(
    verb: (...args: Args) => Promise<Result>,
    happens: () => void,
  ): (...args: Args) => Promise<Result> {
    let isDone = false;
    return async (...args) => {
      const result = await verb(...args);
      if (!isDone && result.claims.length > 0) {
        isDone = true;
        happens();
      }
      return result;
    };
  }
});

describe("a look", () => {
  const looking = (looks: () => void) => (sound: Storage) => ({
    append: (events: Parameters<Storage["append"]>[0]) => sound.append(events),
    route: (...given: Parameters<Storage["route"]>) => {
      looks();
      return sound.route(...given);
    },
  });

  it("is taken 5, 20, 80 and 320 ms after a publish in the host's transaction", async () => {
    const looks: number[] = [];
    const { bus, pass, system } = await setup({ between: looking(() => looks.push(system.now())) });
    bus.start();
    await pass(900);
    const published = system.now();
    looks.length = 0;
    await bus.publish("project_created", { name: "x" }, { ...acme, tx: {} as never });
    await pass(321);
    const after = new Set(looks.map((at) => at - published));
    for (const ms of [5, 20, 80, 320]) expect(after).toContain(ms);
    await bus.stop();
  });

  it("is taken once a second though nothing happens, and at once when woken", async () => {
    let looks = 0;
    const { bus, pass } = await setup({ between: looking(() => (looks += 1)) });
    bus.start();
    await pass(100);
    looks = 0;
    await pass(10_000);
    expect(looks).toBe(10);
    bus.wake();
    await settle();
    expect(looks).toBe(11);
    await bus.stop();
  });

  it("is taken again a moment later, not at once, while others hold what is due", async () => {
    let looks = 0;
    const held = { claims: [], suspects: false, lapsed: [] };
    const { bus, pass, system } = await setup({
      between: (sound) => ({
        ...looking(() => (looks += 1))(sound),
        claim: async ({ now }) => ({ ...held, nextDueAt: now }),
      }),
    });
    bus.start();
    await pass(1_000);
    expect(looks).toBeGreaterThan(10);
    expect(looks).toBeLessThan(100);
    expect(system.nextWakeAt).not.toBeNull();
    await bus.stop();
  });

  it("is taken as soon as a limit lets the next through, a hundred times a second", async () => {
    const { bus, sent, publish, pass } = await setup({ limit: { limit: 100, perMs: 1_000 } });
    for (let index = 0; index < 50; index += 1) await publish();
    bus.start();
    await pass(1_000);
    expect(sent().at(-1)).toEqual([490, 1]);
    await bus.stop();
  });
});
