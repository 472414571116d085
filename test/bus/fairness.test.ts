import { createEventBus, delivered } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe, settle } from "./probe.ts";

const CONCURRENCY = 10;

/** A bus, and whom it delivered to so far; `meanwhile` happens once, after so many deliveries. */
function setup(meanwhile: { readonly after: number; readonly happens: () => Promise<unknown> }) {
  const { handler, sent } = probe({
    now: () => 0,
    reply: async () => {
      if (sent.length === meanwhile.after) await meanwhile.happens();
      return delivered();
    },
  });
  const bus = createTestBus({ catalog, handlers: [handler], concurrency: CONCURRENCY });
  const subscribe = async (organization: string, count = 1): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      await bus.subscriptions.create({
        organization,
        name: `${organization} ${index}`,
        eventTypes: ["*"],
        type: "probe",
        configuration: { to: organization },
      });
    }
  };
  const publish = async (organization: string, count = 1): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      await bus.publish("project_created", { name: "web" }, { organization });
    }
  };
  return { bus, sent, subscribe, publish };
}

describe("fairness between organizations", () => {
  it("delivers to a new subscription within two rounds, beside 5,000 that are due", async () => {
    const after = 1_000;
    const { bus, sent, subscribe, publish } = setup({
      after,
      happens: async () => {
        await subscribe("new");
        await publish("new");
      },
    });
    await subscribe("busy", 5_000);
    await publish("busy");
    await bus.drain();
    const first = sent.findIndex(({ to }) => to === "new");
    expect(first).toBeGreaterThanOrEqual(after);
    expect(first - after).toBeLessThanOrEqual(2 * CONCURRENCY);
    expect(sent).toHaveLength(5_001);
  }, 30_000);

  it("keeps no other organization waiting for one at full blast", async () => {
    let after = 0;
    const quiet = Array.from({ length: 99 }, (_, index) => `quiet ${index}`);
    const { bus, sent, subscribe, publish } = setup({
      after: 100,
      happens: async () => {
        for (const organization of quiet) await publish(organization, 2);
        after = sent.length;
      },
    });
    await subscribe("busy", 500);
    for (const organization of quiet) await subscribe(organization);
    await publish("busy", 5);
    await bus.drain();
    const last = sent.findLastIndex(({ to }) => to !== "busy");
    expect(last - after).toBeLessThanOrEqual(2 * quiet.length + 4 * CONCURRENCY);
  });
});

describe("what was claimed ahead", () => {
  it("waits behind whoever has less under way, however much later it came", async () => {
    const held: { readonly to: string; end(): void }[] = [];
    const { handler } = probe({
      now: () => 0,
      reply: ({ to }) =>
        new Promise((resolve) => held.push({ to, end: () => resolve(delivered()) })),
    });
    const system = virtualSystem();
    const storage = memoryStorage();
    const bus = createEventBus({
      catalog,
      handlers: [handler],
      storage,
      system,
      concurrency: CONCURRENCY,
    });
    const publish = (organization: string): Promise<unknown> =>
      bus.publish("project_created", { name: "web" }, { organization });
    for (const organization of ["busy", "busy", "eager", "eager", "quiet"]) {
      await bus.subscriptions.create({
        organization,
        name: organization,
        eventTypes: ["*"],
        type: "probe",
        configuration: { to: organization },
      });
    }
    for (let event = 0; event < 100; event += 1) {
      await Promise.all(["busy", "eager"].map(publish));
    }
    bus.start();
    for (let step = 0; step < 20; step += 1) {
      await settle();
      for (const { end } of held.splice(0)) end();
      system.moveTo(system.now() + 2);
    }
    await settle();
    expect(held).toHaveLength(CONCURRENCY);
    expect((await bus.health()).inFlight).toBeGreaterThan(CONCURRENCY);
    await publish("quiet");
    await settle();
    system.moveTo(system.now() + 2);
    await settle();
    expect(held.map(({ to }) => to)).not.toContain("quiet");
    held[0]?.end();
    await settle();
    expect(held.at(-1)?.to).toBe("quiet");
    for (const { end } of held) end();
    await bus.stop({ deadlineMs: 0 });
  });
});

describe("what is in flight", () => {
  it.each([
    { says: {}, places: 8 },
    { says: { perOrganization: 6 }, places: 6 },
    { says: { perOrganization: 10 }, places: 10 },
  ])(
    "is of one organization at most $places where a host says $says, and others go on",
    async ({ says, places }) => {
      const flying = new Map<string, number>();
      const most = new Map<string, number>();
      let system: ReturnType<typeof createTestBus>["system"] | null = null;
      const { handler, sent } = probe({
        now: () => 0,
        reply: async ({ to }) => {
          flying.set(to, (flying.get(to) ?? 0) + 1);
          most.set(to, Math.max(most.get(to) ?? 0, flying.get(to) ?? 0));
          await system?.sleep(1_000);
          flying.set(to, (flying.get(to) ?? 0) - 1);
          return delivered();
        },
      });
      const bus = createTestBus({
        catalog,
        handlers: [handler],
        concurrency: CONCURRENCY,
        ...says,
      });
      system = bus.system;
      for (const to of ["slow", "slow", "slow", "slow", "quick"]) {
        await bus.subscriptions.create({
          organization: to,
          name: to,
          eventTypes: ["*"],
          type: "probe",
          configuration: { to },
        });
      }
      for (let event = 0; event < 5; event += 1) {
        await bus.publish("project_created", { name: "web" }, { organization: "slow" });
      }
      await bus.publish("project_created", { name: "web" }, { organization: "quick" });
      await bus.advance(10_000);
      expect(sent).toHaveLength(21);
      expect(most).toEqual(
        new Map([
          ["slow", places],
          ["quick", 1],
        ]),
      );
    },
  );

  it("is of one lane at most half of what a process can have", async () => {
    let flying = 0;
    let most = 0;
    let system: ReturnType<typeof createTestBus>["system"] | null = null;
    const { handler, sent } = probe({
      now: () => 0,
      reply: async () => {
        flying += 1;
        most = Math.max(most, flying);
        await system?.sleep(1_000);
        flying -= 1;
        return delivered();
      },
    });
    const bus = createTestBus({ catalog, handlers: [handler], concurrency: 8 });
    system = bus.system;
    await bus.subscriptions.create({
      organization: "acme",
      name: "slow",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "slow" },
    });
    for (let event = 0; event < 12; event += 1) {
      await bus.publish("project_created", { name: "web" }, { organization: "acme" });
    }
    await bus.advance(10_000);
    expect([sent.length, most]).toEqual([12, 4]);
  });
});
