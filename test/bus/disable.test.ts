import {
  type AutoDisable,
  delivered,
  failed,
  gone,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;

async function setup({
  autoDisable,
  answer = () => failed("connection refused"),
}: {
  readonly autoDisable?: AutoDisable | false;
  readonly answer?: () => Outcome;
} = {}) {
  const reply = { now: answer };
  const { handler, sent } = probe({ now: () => 0, reply: () => reply.now() });
  const bus = createTestBus({ catalog, handlers: [handler], autoDisable });
  const { id } = await bus.subscriptions.create({
    organization: "acme",
    name: "Dead",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "dead" },
  });
  const reference = { organization: "acme", id };
  const told: string[] = [];
  bus.lifecycle.on("subscription.failing", ({ attempts, since }) =>
    told.push(`failing: ${attempts} since ${since}`),
  );
  bus.lifecycle.on("subscription.disabled", ({ reason }) => told.push(`disabled: ${reason}`));
  const publish = async (count: number): Promise<void> => {
    for (let event = 0; event < count; event += 1) {
      await bus.publish("project_created", { name: `${event}` }, { organization: "acme" });
    }
  };
  return {
    bus,
    reply,
    sent,
    reference,
    told,
    publish,
    get: () => bus.subscriptions.get(reference),
  };
}

/** Two half-days of failures switch it off: a warning comes at six hours and two attempts. */
const soon: AutoDisable = { attempts: 4, ms: 12 * HOUR };

describe("a subscription to which nothing arrives", () => {
  it("is switched off after five days and a hundred attempts, with a warning at half of it", async () => {
    const { bus, told, get, publish, sent } = await setup();
    const startedAt = bus.system.now();
    await publish(40);
    for (let day = 0; day < 5; day += 1) {
      expect((await get()).enabled).toBe(true);
      await bus.advance(DAY);
      await publish(5);
    }
    await bus.advance(HOUR);
    const { enabled, disabledReason } = await get();
    expect(enabled).toBe(false);
    expect(disabledReason).toMatch(/^\d+ attempts have failed since 20.*, and none succeeded\./);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/^failing: /);
    const [, attempts = "", since = ""] = /failing: (\d+) since (\d+)/.exec(told[0] ?? "") ?? [];
    expect(Number(attempts)).toBeGreaterThanOrEqual(50);
    expect(Number(since)).toBe(startedAt);
    expect(told[1]).toBe(`disabled: ${disabledReason}`);

    const before = sent.length;
    await publish(3);
    await bus.advance(HOUR);
    expect(sent).toHaveLength(before);
  });

  it("gets what was kept when it is switched on again, and is given the same time anew", async () => {
    const { bus, reply, told, get, publish, reference, sent } = await setup({ autoDisable: soon });
    await publish(1);
    await bus.advance(DAY);
    expect((await get()).enabled).toBe(false);
    const { items } = await bus.deliveries.list({ organization: "acme", status: "pending" });
    expect(items).toHaveLength(1);

    await bus.subscriptions.update(reference, { enabled: true });
    await bus.advance(11 * HOUR);
    expect((await get()).enabled).toBe(true);
    reply.now = () => delivered();
    await bus.advance(DAY);
    const [delivery] = (await bus.deliveries.list({ organization: "acme" })).items;
    expect(delivery?.status).toBe("delivered");
    expect(told.filter((each) => each.startsWith("disabled"))).toHaveLength(1);
    expect(sent.length).toBeGreaterThan(5);
  });

  it("begins anew with a success, and with a changed configuration", async () => {
    for (const change of ["success", "configuration", "off and on"]) {
      const { bus, reply, told, get, publish, reference } = await setup({ autoDisable: soon });
      await publish(1);
      await bus.advance(5 * HOUR);
      if (change === "success") {
        reply.now = () => delivered();
        await bus.subscriptions.test(reference);
        await bus.drain();
        reply.now = () => failed("connection refused");
      } else if (change === "configuration") {
        await bus.subscriptions.update(reference, { configuration: { to: "other" } });
      } else {
        await bus.subscriptions.update(reference, { enabled: false });
        await bus.subscriptions.update(reference, { enabled: true });
      }
      await publish(1);
      await bus.advance(5 * HOUR);
      expect([change, told]).toEqual([change, []]);
      await bus.advance(DAY);
      expect([change, (await get()).enabled]).toEqual([change, false]);
    }
  });

  it("is not given more time by a new name", async () => {
    const { bus, get, publish, reference } = await setup({ autoDisable: soon });
    await publish(1);
    await bus.advance(11 * HOUR);
    await bus.subscriptions.update(reference, { name: "Quite dead" });
    await bus.advance(9 * HOUR);
    expect((await get()).enabled).toBe(false);
  });

  it("counts unknown outcomes, and none that say that the destination is there", async () => {
    const slow = () => throttled({ retryAfterMs: 60_000 });
    const outcomes: readonly (readonly [string, () => Outcome, boolean])[] = [
      ["unknown", () => unknown("timeout"), false],
      ["throttled", slow, true],
      ["rejected", () => rejected("no such field"), true],
    ];
    for (const [name, answer, stays] of outcomes) {
      const { bus, get, publish } = await setup({ autoDisable: soon, answer });
      for (let hour = 0; hour < 20; hour += 1) {
        await publish(1);
        await bus.advance(HOUR);
      }
      expect([name, (await get()).enabled]).toEqual([name, stays]);
    }
  });

  it("stays on where the bus is told so", async () => {
    const { bus, told, get, publish } = await setup({ autoDisable: false });
    for (let day = 0; day < 8; day += 1) {
      await publish(20);
      await bus.advance(DAY);
    }
    expect([(await get()).enabled, told]).toEqual([true, []]);
  });

  it("is told of once, though many attempts fail together", async () => {
    const { bus, told, get, publish } = await setup({ autoDisable: { attempts: 3, ms: 0 } });
    await publish(10);
    await bus.drain();
    expect((await get()).enabled).toBe(false);
    expect(told.map((each) => each.slice(0, 12))).toEqual(["failing: 2 s", "disabled: 3 "]);
  });

  it("is switched off for the reason that the destination gives, if it gives one", async () => {
    const { bus, told, get, publish, reply } = await setup({ autoDisable: soon });
    await publish(1);
    await bus.advance(HOUR);
    reply.now = () => gone("status 410");
    await bus.advance(DAY);
    expect([(await get()).disabledReason, told]).toEqual(["status 410", ["disabled: status 410"]]);
  });
});

it("refuses numbers that make no sense", async () => {
  for (const autoDisable of [{ attempts: 0, ms: 1 }, { attempts: 1, ms: -1 }, {}, true]) {
    await expect(setup({ autoDisable: autoDisable as AutoDisable })).rejects.toThrow(
      /autoDisable\.(attempts|ms) is/,
    );
  }
});

describe("a backlog that was kept", () => {
  it("goes on at the pace of its answers, half of the places at once, and keeps no other waiting", async () => {
    let flying = 0;
    let most = 0;
    const { handler, sent } = probe({
      now: () => 0,
      reply: async ({ to }) => {
        if (to !== "kept") return delivered();
        flying += 1;
        most = Math.max(most, flying);
        if (sent.length === 500) await publishOther();
        await new Promise((resolve) => setImmediate(resolve));
        flying -= 1;
        return delivered();
      },
    });
    const bus = createTestBus({ catalog, handlers: [handler], concurrency: 20 });
    const publishOther = () => bus.publish("invoice_paid", { amount: 1 }, { organization: "acme" });
    const subscribe = (to: string, eventTypes: readonly ("project_*" | "invoice_paid")[]) =>
      bus.subscriptions.create({
        organization: "acme",
        name: to,
        eventTypes,
        type: "probe",
        configuration: { to },
      });
    const kept = await subscribe("kept", ["project_*"]);
    await subscribe("other", ["invoice_paid"]);
    await bus.subscriptions.update(kept, { enabled: false });
    await bus.publishMany(
      Array.from({ length: 2_000 }, (_, event) => ({
        type: "project_created",
        data: { name: `${event}` },
        organization: "acme",
      })),
    );
    await bus.drain();
    expect(sent).toEqual([]);

    await bus.subscriptions.update(kept, { enabled: true });
    await bus.drain();
    expect(sent).toHaveLength(2_001);
    expect(most).toBe(10);
    const other = sent.findIndex(({ to }) => to === "other");
    expect(other).toBeGreaterThanOrEqual(500);
    expect(other).toBeLessThanOrEqual(500 + 2 * 20);
  });
});
