import { delivered, rejected } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

async function setup({ limit }: { limit?: { limit: number; perMs: number } } = {}) {
  let isDown = true;
  const { handler, sent } = probe({
    now: () => bus.system.now(),
    reply: () => (isDown ? rejected("closed") : delivered()),
    ...(limit && { limit }),
  });
  const bus = createTestBus({ catalog, handlers: [handler] });
  const subscription = await bus.subscriptions.create({
    organization: "acme",
    name: "Projects",
    eventTypes: ["project_*"],
    type: "probe",
    configuration: { to: "there" },
  });
  const from = bus.system.now();
  const publish = async (count: number) => {
    const event = { type: "project_created", data: { name: "web" }, organization: "acme" } as const;
    await bus.publishMany(Array.from({ length: count }, () => event));
    await bus.advance(1_000);
  };
  const order = { organization: "acme", subscriptionId: subscription.id, from } as const;
  return {
    bus,
    sent,
    publish,
    order,
    recover: () => {
      isDown = false;
      sent.length = 0;
    },
  };
}

describe("a replay", () => {
  it("delivers again what died, and tells when it is done", async () => {
    const { bus, sent, publish, order, recover } = await setup();
    await publish(1_200);
    recover();
    const ended: unknown[] = [];
    bus.lifecycle.on("replay.ended", (replay) => ended.push(replay));
    const replay = await bus.replays.create(order);
    expect(replay).toMatchObject({ status: "running", redelivered: 0, which: "dead" });
    await bus.advance(10_000);
    expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(1_200);
    expect(sent).toHaveLength(1_200);
    const done = await bus.replays.get({ organization: "acme", id: replay.id });
    expect(done).toMatchObject({ status: "done", redelivered: 1_200 });
    expect(ended).toEqual([done]);
  });

  it("goes no faster than its destination bears", async () => {
    const { bus, sent, publish, order, recover } = await setup({
      limit: { limit: 100, perMs: 1_000 },
    });
    await publish(700);
    await bus.advance(10_000);
    recover();
    const { id } = await bus.replays.create(order);
    await bus.advance(2_000);
    expect(sent.length).toBeGreaterThan(150);
    expect(sent.length).toBeLessThanOrEqual(202);
    expect((await bus.replays.get({ organization: "acme", id })).redelivered).toBeLessThan(710);
    await bus.advance(20_000);
    expect(sent).toHaveLength(700);
  });

  it("is begun and ended as the page about it says", async () => {
    const { bus, publish, order, recover } = await setup({ limit: { limit: 1, perMs: 1_000 } });
    const { subscriptionId, from: outageBegan } = order;
    await publish(5);
    await bus.advance(10_000);
    recover();
    const outageEnded = bus.system.now();
    // #region create
    const replay = await bus.replays.create({
      organization: "acme",
      subscriptionId,
      from: outageBegan,
      until: outageEnded,
    });
    // #endregion create
    await bus.advance(1_000);
    // #region cancel-all
    const { canceled } = await bus.deliveries.cancelAll({
      organization: "acme",
      subscriptionId,
      from: replay.createdAt,
    });
    // #endregion cancel-all
    expect(canceled).toBe(3);
  });

  it("can be canceled, with what it has made", async () => {
    const { bus, sent, publish, order, recover } = await setup({
      limit: { limit: 1, perMs: 1_000 },
    });
    await publish(3);
    await bus.advance(10_000);
    recover();
    const replay = await bus.replays.create(order);
    await bus.advance(1);
    const reference = { organization: "acme", id: replay.id };
    expect(await bus.deliveries.cancelAll({ ...order, from: replay.createdAt })).toEqual({
      canceled: 2,
    });
    await bus.advance(60_000);
    expect(sent).toHaveLength(1);
    await expect(bus.replays.cancel(reference)).rejects.toMatchObject({ code: "replay_ended" });
  });

  it.each([
    ["from no instant", { from: 1.5 }],
    ["to before it begins", { until: 1 }],
    ["in the future", { from: 9e15 }],
    ["of a choice that there is not", { which: "some" }],
  ])("%s is refused, and nothing begins", async (_, wrong) => {
    const { bus, order } = await setup();
    await bus.advance(1);
    await expect(bus.replays.create({ ...order, ...wrong } as never)).rejects.toMatchObject({
      code: "invalid_replay",
      issues: [expect.anything()],
    });
    const { items } = await bus.replays.list({ organization: "acme" });
    expect(items).toEqual([]);
  });

  it("of a foreign subscription is not found", async () => {
    const { bus, order } = await setup();
    await bus.advance(1);
    await expect(bus.replays.create({ ...order, organization: "umbrella" })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});
