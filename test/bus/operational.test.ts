import {
  type AutoDisable,
  createEventBus,
  type DeliveryOrder,
  delivered,
  failed,
  gone,
  inProcessTransport,
  type Outcome,
  rejected,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { mortal } from "./mortal.ts";
import { catalog, probe } from "./probe.ts";

const HOUR = 60 * 60_000;
const organization = "acme";
const operational = ["webhook_disabled", "webhook_failing"] as const;

/** On the standard schedule: a warning with the fourth failure, and off with the fifth. */
const soon: AutoDisable = { attempts: 4, ms: HOUR };

/** A webhook that fails, one that watches, one that has asked for everything else. */
async function setup(answer: () => Outcome | Promise<Outcome>, order: DeliveryOrder = "none") {
  const reply = { now: answer };
  const transport = inProcessTransport();
  const { handler, sent } = probe({
    now: () => 0,
    reply: ({ to, type }) =>
      to === "bad" || (to === "in order" && type === "project_created") ? reply.now() : delivered(),
  });
  const bus = createTestBus({ catalog, handlers: [handler], autoDisable: soon, transport });
  const subscribe = (
    to: string,
    eventTypes: readonly ("*" | "project_*" | (typeof operational)[number])[],
    more: { readonly organization?: string; readonly order?: DeliveryOrder } = {},
  ) =>
    bus.subscriptions.create({
      organization,
      name: `To ${to}`,
      eventTypes,
      type: "probe",
      configuration: { to, token: "a secret" },
      ...more,
    });
  const bad = await subscribe("bad", ["project_*", ...operational], { order });
  await subscribe("watcher", operational);
  await subscribe("everything", ["*"]);
  await subscribe("stranger", operational, { organization: "globex" });
  const publish = () => bus.publish("project_created", { name: "web" }, { organization });
  /** Who was told what. */
  const told = () =>
    sent.flatMap(({ to, type }) => (type.startsWith("webhook_") ? [`${type} to ${to}`] : []));
  const events = async () =>
    (await bus.events.list({ organization })).items
      .filter(({ type }) => type.startsWith("webhook_"))
      .toReversed();
  return { bus, bad, reply, subscribe, publish, told, events, transport };
}

describe("a subscription that is switched off", () => {
  it("is told to those of its organization that ask for it by name, at once and once", async () => {
    const { bus, bad, publish, told, events, transport } = await setup(() =>
      gone("channel_not_found", { remedy: "Choose another channel." }),
    );
    const heard: string[] = [];
    transport.listen({ wake: () => {}, event: ({ type }) => heard.push(type) });
    expect(() => bus.on("webhook_disabled" as "*", () => {})).toThrow(/Unknown event type/);
    await publish();
    await publish();
    await bus.drain();
    expect(told()).toEqual(["webhook_disabled to watcher"]);
    expect(await events()).toMatchObject([
      {
        type: "webhook_disabled",
        actor: null,
        occurredAt: bus.system.now(),
        data: {
          webhook_id: bad.id,
          webhook_name: "To bad",
          reason: "channel_not_found. Choose another channel.",
          failed_attempts: null,
          failing_since: null,
        },
      },
    ]);
    expect(JSON.stringify(await events())).not.toContain("a secret");
    expect(heard).toEqual(["project_created", "project_created"]);
  });

  it("is told by a bus that runs without waiting for its next look", async () => {
    const idle = () => new Promise((resolve) => setImmediate(resolve));
    const { bus, publish, told } = await setup(async () => {
      for (let turns = 0; turns < 20; turns += 1) await idle();
      return gone("status 410");
    });
    bus.start();
    const startedAt = bus.system.now();
    await publish();
    for (let turns = 0; turns < 100 && told().length === 0; turns += 1) {
      await idle();
    }
    expect([told(), bus.system.now()]).toEqual([["webhook_disabled to watcher"], startedAt]);
    await bus.stop();
  });

  it("is not told of itself, nor once it is on again", async () => {
    const { bus, bad, reply, publish, told } = await setup(() => gone("status 410"));
    await publish();
    await bus.drain();
    reply.now = () => delivered();
    await bus.subscriptions.update(bad, { enabled: true });
    await bus.advance(HOUR);
    expect(told()).toEqual(["webhook_disabled to watcher"]);
  });

  it("is told again if it is switched off again", async () => {
    const { bus, bad, publish, told } = await setup(() => gone("status 410"));
    for (let times = 0; times < 2; times += 1) {
      await publish();
      await bus.drain();
      await bus.subscriptions.update(bad, { enabled: true });
    }
    expect(told()).toEqual(Array(2).fill("webhook_disabled to watcher"));
  });

  it("is not told if its owner switched it off", async () => {
    const { bus, bad, publish, told } = await setup(() => gone("status 410"));
    await bus.subscriptions.update(bad, { enabled: false });
    await publish();
    await bus.advance(HOUR);
    expect(told()).toEqual([]);
  });

  it("has been told of before where nothing arrived, with how often and since when", async () => {
    const { bus, bad, publish, told, events } = await setup(() =>
      failed("connection refused", { remedy: "Start it." }),
    );
    const since = new Date(bus.system.now()).toISOString();
    await publish();
    await bus.advance(24 * HOUR);
    expect(told()).toEqual(["webhook_failing to watcher", "webhook_disabled to watcher"]);
    const { disabledReason } = await bus.subscriptions.get(bad);
    const about = { webhook_id: bad.id, webhook_name: "To bad", failing_since: since };
    expect((await events()).map(({ data }) => data)).toEqual([
      { ...about, reason: "connection refused. Start it.", failed_attempts: 4 },
      { ...about, reason: disabledReason, failed_attempts: 5 },
    ]);
  });

  it("is told where it stopped at a dead delivery", async () => {
    const { bus, bad, publish, told, events } = await setup(
      () => rejected("HTTP 400"),
      "stop_at_dead",
    );
    await publish();
    await publish();
    await bus.drain();
    expect(told()).toEqual(["webhook_disabled to watcher"]);
    const { disabledReason } = await bus.subscriptions.get(bad);
    expect(disabledReason).toMatch(/could not be made, and none may overtake it: HTTP 400/);
    expect(await events()).toMatchObject([{ data: { reason: disabledReason } }]);
  });

  it("is told to watchers that keep an order, past what holds them up", async () => {
    const { bus, bad, reply, publish, subscribe } = await setup(() => gone("status 410"));
    const patterns = ["project_*", "webhook_disabled"] as const;
    const { id } = await subscribe("in order", patterns, { order: "skip_dead" });
    reply.now = () => failed("HTTP 500");
    await publish();
    await bus.drain();
    reply.now = () => gone("status 410");
    await bus.subscriptions.test(bad);
    await bus.drain();
    const { items } = await bus.deliveries.list({ organization, subscriptionId: id });
    expect(items.map(({ eventType, status }) => [eventType, status])).toEqual([
      ["webhook_disabled", "delivered"],
      ["project_created", "pending"],
    ]);
  });
});

it("is told by whoever finds that its process has died, and once", async () => {
  const system = virtualSystem();
  const storage = memoryStorage();
  const { handler, sent } = probe({
    now: system.now,
    reply: ({ to }) => (to === "bad" ? new Promise<never>(() => {}) : delivered()),
  });
  const retryByType = { probe: { unknown: "abandon" } } as const;
  const options = { catalog, handlers: [handler], retryByType };
  const process = mortal(storage, system);
  const dying = createEventBus({
    ...options,
    storage: process.storage,
    system: process.system,
  });
  const survivor = createEventBus({ ...options, storage, system });
  for (const [to, eventTypes, order] of [
    ["bad", ["project_*"], "stop_at_dead"],
    ["watcher", ["webhook_disabled"], "none"],
  ] as const) {
    await survivor.subscriptions.create({
      organization,
      name: `To ${to}`,
      eventTypes,
      type: "probe",
      configuration: { to },
      order,
    });
  }
  await dying.publish("project_created", { name: "web" }, { organization });
  void dying.drain();
  while (sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  process.kill();
  const disabled: string[] = [];
  survivor.lifecycle.on("subscription.disabled", ({ reason }) => disabled.push(reason));
  system.moveTo(system.now() + 60_000);
  await survivor.drain();
  expect(sent.map(({ to, type }) => [to, type])).toEqual([
    ["bad", "project_created"],
    ["watcher", "webhook_disabled"],
  ]);
  expect(disabled).toEqual([
    expect.stringMatching(/none may overtake it: abandoned, for it may have arrived: the flight/),
  ]);
});
