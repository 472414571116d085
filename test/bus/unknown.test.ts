import {
  createEventBus,
  delivered,
  failed,
  type Outcome,
  type RetryPolicy,
  throttled,
  unknown,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { slack } from "../../packages/handler-slack/src/slack.ts";
import { mortal } from "./mortal.ts";
import { catalog, probe, type Reply } from "./probe.ts";

const DAY = 24 * 60 * 60_000;
const organization = "acme";
const abandon: Partial<RetryPolicy> = { unknown: "abandon" };

const subscription = {
  organization,
  name: "n",
  eventTypes: ["*"],
  type: "probe",
  configuration: { to: "a" },
} as const;

async function setup(reply: Reply, retry: Partial<RetryPolicy> = abandon) {
  const { handler, sent } = probe({ now: () => 0, reply });
  const bus = createTestBus({ catalog, handlers: [handler], retryByType: { probe: retry } });
  await bus.subscriptions.create(subscription);
  await bus.publish("project_created", { name: "web" }, { organization });
  const delivery = async () => (await bus.deliveries.list({ organization })).items[0];
  return { bus, sent, delivery };
}

describe("what may have arrived", () => {
  it("is tried again unless the host says otherwise", async () => {
    const { bus, sent, delivery } = await setup(
      ({ attempt }) => (attempt === 1 ? unknown("connection reset") : delivered()),
      {},
    );
    await bus.advance(DAY);
    expect([sent.length, (await delivery())?.status]).toEqual([2, "delivered"]);
  });

  it("ends where the host abandons it, and is never sent twice", async () => {
    const { bus, sent, delivery } = await setup(() => unknown("connection reset"));
    await bus.advance(DAY);
    expect(sent).toHaveLength(1);
    expect(await delivery()).toMatchObject({
      status: "dead",
      attempts: 1,
      reason: "abandoned, for it may have arrived: connection reset",
    });
  });

  it("ends too where the handler is silent until its deadline", async () => {
    const { bus, sent, delivery } = await setup(() => new Promise(() => {}));
    await bus.advance(DAY);
    expect(sent).toHaveLength(1);
    expect((await delivery())?.reason).toMatch(/^abandoned, .*did not answer within 15000 ms/);
  });

  it("ends too where the handler throws when its signal aborts", async () => {
    const { bus, sent, delivery } = await setup(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("This operation was aborted")));
        }),
    );
    await bus.advance(DAY);
    expect(sent).toHaveLength(1);
    expect((await delivery())?.reason).toMatch(/^abandoned, .*: .*This operation was aborted/);
  });

  it("is another thing than what has not", async () => {
    const { bus, sent, delivery } = await setup(({ attempt }) =>
      attempt < 3 ? failed("connection refused") : delivered(),
    );
    await bus.advance(DAY);
    expect([sent.length, (await delivery())?.status]).toEqual([3, "delivered"]);
  });

  it("can be delivered again by somebody who asks for it", async () => {
    let isBroken = true;
    const { bus, sent, delivery } = await setup(() =>
      isBroken ? unknown("connection reset") : delivered(),
    );
    await bus.drain();
    isBroken = false;
    await bus.deliveries.redeliver({ organization, id: (await delivery())?.id ?? "" });
    await bus.drain();
    expect([sent.length, (await delivery())?.status]).toEqual([2, "delivered"]);
  });
});

describe("a process that goes", () => {
  async function processes(reply: Reply, retry: Partial<RetryPolicy>) {
    const system = virtualSystem();
    const storage = memoryStorage();
    const { handler, sent } = probe({ now: system.now, reply });
    const process = mortal(storage, system);
    const options = { catalog, handlers: [handler], retryByType: { probe: retry } };
    const first = createEventBus({
      ...options,
      storage: process.storage,
      system: process.system,
    });
    const second = createEventBus({ ...options, storage, system });
    await second.subscriptions.create(subscription);
    await second.publish("project_created", { name: "web" }, { organization });
    const idle = () => new Promise((resolve) => setImmediate(resolve));
    const later = async () => {
      system.moveTo(system.now() + DAY / 24);
      await second.drain();
      return (await second.deliveries.list({ organization })).items[0];
    };
    /** Stops the first without giving its handlers time. */
    const interrupt = async () => {
      const stopping = first.stop({ deadlineMs: 100 }).then(() => true);
      while (!(await Promise.race([stopping, idle().then(() => false)]))) {
        system.moveTo(system.nextWakeAt ?? system.now());
      }
    };
    return { first, sent, idle, later, interrupt, kill: process.kill };
  }

  const hangsOnce = (): Reply => {
    let calls = 0;
    return () => {
      calls += 1;
      return calls === 1 ? new Promise(() => {}) : delivered();
    };
  };

  it.each([
    ["retry", 2, { status: "delivered", lapses: 1 }],
    ["abandon", 1, { status: "dead", lapses: 1, attempts: 0 }],
  ] as const)("by dying leaves a lapse, which the policy may %s", async (policy, times, end) => {
    const { first, sent, idle, later, kill } = await processes(hangsOnce(), { unknown: policy });
    void first.drain();
    while (sent.length === 0) await idle();
    kill();
    expect(await later()).toMatchObject(end);
    expect(sent).toHaveLength(times);
  });

  it.each([
    ["retry", 2, { status: "delivered", lapses: 1 }],
    ["abandon", 1, { status: "dead", lapses: 1, attempts: 0 }],
  ] as const)("by a stop that interrupts leaves the same: %s", async (policy, times, end) => {
    const { first, sent, idle, later, interrupt } = await processes(hangsOnce(), {
      unknown: policy,
    });
    first.start();
    while (sent.length === 0) await idle();
    await interrupt();
    expect(await later()).toMatchObject(end);
    expect(sent).toHaveLength(times);
  });

  it("leaves no doubt about what its handler knows, when it is told to stop", async () => {
    let calls = 0;
    const reply: Reply = (_, signal) =>
      new Promise((resolve) => {
        calls += 1;
        if (calls > 1) resolve(delivered());
        signal.addEventListener("abort", () => resolve(failed("not sent yet")));
      });
    const { first, sent, idle, later, interrupt } = await processes(reply, abandon);
    first.start();
    while (sent.length === 0) await idle();
    await interrupt();
    expect(await later()).toMatchObject({ status: "delivered", lapses: 1, attempts: 1 });
    expect(sent).toHaveLength(2);
  });
});

describe("a handler that is told to stop,", () => {
  /** One that answers only then; what became of its delivery, and when. */
  async function told(outcome: Outcome) {
    let signals = 0;
    const { handler, sent } = probe({
      now: () => 0,
      reply: (_, signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            signals += 1;
            resolve(outcome);
          });
        }),
    });
    const storage = memoryStorage();
    const system = virtualSystem();
    const bus = createEventBus({ catalog, handlers: [handler], storage, system });
    await bus.subscriptions.create(subscription);
    await bus.publish("project_created", { name: "web" }, { organization });
    bus.start();
    while (sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await bus.stop({ deadlineMs: 0 });
    const { items } = await bus.deliveries.list({ organization });
    return { items, signals, now: system.now() };
  }

  it("and was told to wait, is heard: nothing goes before the time that its destination asked for", async () => {
    const { items, now } = await told(throttled({ retryAfterMs: 60_000 }));
    expect(items).toMatchObject([{ status: "pending", attempts: 0, lapses: 0 }]);
    expect(items[0]?.dueAt).toBeGreaterThanOrEqual(now + 60_000);
  });

  it("and does not know whether it has arrived, has the last word on what follows, as ever", async () => {
    const { items, signals } = await told(unknown("connection reset", { doubt: "abandon" }));
    expect(signals).toBe(1);
    expect(items).toMatchObject([{ status: "dead", reason: expect.stringContaining("abandoned") }]);
  });
});

describe("the page on retries", () => {
  it("gives each type a schedule of its own", async () => {
    const { handler: pager, sent } = probe({ now: () => 0, reply: () => failed("HTTP 503") });
    const createEventBus = createTestBus;
    // #region schedules
    const bus = createEventBus({
      catalog,
      handlers: [slack(), pager],
      retryByType: {
        slack: { unknown: "abandon" },
        probe: { delaysMs: [60_000, 600_000] },
      },
    });
    // #endregion schedules
    await bus.subscriptions.create(subscription);
    await bus.publish("project_created", { name: "web" }, { organization });
    await bus.advance(DAY);
    expect(sent).toHaveLength(3);
  });
});
