import {
  delivered,
  failed,
  type LifecycleEvents,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A bus with destinations that answer what `answers` says of them, or `delivered()`. */
async function setup(...destinations: readonly string[]) {
  const answers = new Map<string, () => Outcome | Promise<Outcome>>();
  const clock = { now: () => 0 };
  const { handler, sent } = probe({
    now: () => clock.now(),
    reply: ({ to }) => answers.get(to)?.() ?? delivered(),
  });
  const bus = createTestBus({ catalog, handlers: [handler] });
  clock.now = bus.system.now;
  const startedAt = bus.system.now();
  const subscribe = (to: string) =>
    bus.subscriptions.create({
      organization: "acme",
      name: to,
      eventTypes: ["*"],
      type: "probe",
      configuration: { to },
    });
  const subscriptions = new Map<string, string>();
  for (const to of destinations) subscriptions.set(to, (await subscribe(to)).id);
  const moves: string[] = [];
  const note = (what: string, { gate }: LifecycleEvents["gate.closed"]): number =>
    moves.push(`${gate} ${what}`);
  bus.lifecycle.on("gate.opened", (report) => note("opened", report));
  bus.lifecycle.on("gate.closed", (report) => note("closed", report));
  return {
    bus,
    answers,
    moves,
    subscribe,
    publish: async (count = 1) => {
      for (let event = 0; event < count; event += 1) {
        await bus.publish("project_created", { name: `${event}` }, { organization: "acme" });
      }
    },
    sentTo: (to: string) => sent.filter((each) => each.to === to),
    elapsed: (to: string) => sent.filter((each) => each.to === to).map(({ at }) => at - startedAt),
    deliveriesTo: async (to: string) => {
      const { items } = await bus.deliveries.list({
        organization: "acme",
        subscriptionId: subscriptions.get(to) ?? "",
        limit: 100,
      });
      return items;
    },
  };
}

describe("a breaker", () => {
  it("spends ten attempts and a few probes on an hour of outage, and none on what waits", async () => {
    const { bus, answers, publish, sentTo, deliveriesTo } = await setup("dead");
    answers.set("dead", () => failed("connection refused"));
    await publish(10);
    await bus.drain();
    expect(sentTo("dead")).toHaveLength(10);
    await publish(90);
    await bus.advance(HOUR);
    const probes = sentTo("dead").length - 10;
    expect(probes).toBeGreaterThanOrEqual(6);
    expect(probes).toBeLessThanOrEqual(10);
    const untouched = (await deliveriesTo("dead")).filter(({ attempts }) => attempts === 0);
    expect(untouched.length).toBeGreaterThan(80);
    for (const { status, reason } of untouched) expect([status, reason]).toEqual(["pending", null]);
  });

  it("leaves other lanes alone", async () => {
    const { bus, answers, publish, elapsed, sentTo } = await setup("dead", "alive");
    answers.set("dead", () => unknown("connection reset"));
    await publish(50);
    await bus.advance(10 * MINUTE);
    expect(elapsed("alive")).toEqual(Array(50).fill(0));
    expect(sentTo("dead").length).toBeLessThan(60);
  });

  it("lets a destination that returns come back slowly, and then takes all to it", async () => {
    const { bus, answers, publish, elapsed, deliveriesTo } = await setup("dead");
    answers.set("dead", () => failed("connection refused"));
    await publish(10);
    await bus.drain();
    await publish(90);
    await bus.advance(HOUR);
    const before = elapsed("dead").length;
    answers.delete("dead");
    await bus.advance(16 * MINUTE);
    const after = elapsed("dead").slice(before);
    const perInstant = [...Map.groupBy(after, (at) => at).values()].map(({ length }) => length);
    expect(perInstant.slice(0, 3)).toEqual([1, 2, 8]);
    const ended = (await deliveriesTo("dead")).filter(({ status }) => status === "delivered");
    expect(ended.length).toBeGreaterThanOrEqual(90);
  });

  it("tells when a gate opens, stays open and closes, and never its key", async () => {
    const { bus, answers, publish, moves } = await setup("https://dead.example/secret");
    const heard: unknown[] = [];
    bus.lifecycle.on("gate.opened", (report) => heard.push(report));
    bus.lifecycle.on("gate.closed", (report) => heard.push(report));
    answers.set("https://dead.example/secret", () => failed("no"));
    await publish(20);
    await bus.advance(MINUTE);
    answers.clear();
    await bus.advance(HOUR);
    expect(moves).toEqual(["target opened", "target opened", "target closed"]);
    expect(heard[0]).toEqual({
      gate: "target",
      organization: "acme",
      handlerType: "probe",
      until: expect.any(Number),
    });
    expect(JSON.stringify(heard)).not.toContain("secret");
  });

  it("does not open for failures among successes", async () => {
    const { bus, answers, publish, moves, sentTo } = await setup("flaky");
    let asked = 0;
    answers.set("flaky", () => {
      asked += 1;
      return asked % 2 === 0 ? failed("no") : delivered();
    });
    for (let round = 0; round < 4; round += 1) {
      await publish(50);
      await bus.drain();
    }
    expect(sentTo("flaky").length).toBeGreaterThanOrEqual(200);
    expect(moves).toEqual([]);
  });

  it("does not open for what the destination refuses", async () => {
    const { bus, answers, publish, moves, deliveriesTo } = await setup("strict");
    answers.set("strict", () => rejected("too long"));
    await publish(30);
    await bus.drain();
    expect(moves).toEqual([]);
    for (const { status } of await deliveriesTo("strict")) expect(status).toBe("dead");
  });

  it("stays as it is when the subscription is saved, and is left behind for a new destination", async () => {
    const { bus, answers, publish, sentTo, subscribe } = await setup();
    answers.set("dead", () => failed("no"));
    const { id } = await subscribe("dead");
    await publish(20);
    await bus.drain();
    expect(sentTo("dead")).toHaveLength(20);
    const reference = { organization: "acme", id };
    await bus.subscriptions.update(reference, { name: "Renamed" });
    await publish();
    await bus.drain();
    expect(sentTo("dead")).toHaveLength(20);
    await bus.subscriptions.update(reference, { configuration: { to: "new" } });
    await bus.drain();
    expect(sentTo("new")).toHaveLength(1);
  });

  it("widens the pause of a gate that throttles one delivery after the other", async () => {
    const { bus, answers, publish, elapsed } = await setup("busy");
    answers.set("busy", () => throttled({ retryAfterMs: 10 * SECOND, gate: "target" }));
    await publish(3);
    await bus.advance(4 * MINUTE);
    const instants = (): number[] => [...new Set(elapsed("busy"))].map((at) => at / SECOND);
    expect(instants()).toEqual([0, 10, 30, 70, 150]);

    answers.delete("busy");
    await bus.advance(HOUR);
    const before = instants().length;
    answers.set("busy", () => throttled({ retryAfterMs: 10 * SECOND, gate: "target" }));
    await publish();
    await bus.advance(10 * SECOND);
    const [first = 0, second] = instants().slice(before);
    expect(second).toBe(first + 10);
  });
});

describe("what waits behind an open gate", () => {
  it("ends when it is too old, though nobody ever tried it", async () => {
    const { handler, sent } = probe({ now: () => 0, reply: () => failed("no") });
    const bus = createTestBus({ catalog, handlers: [handler], pollMs: MINUTE });
    const { system } = bus;
    await bus.subscriptions.create({
      organization: "acme",
      name: "Dead",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "dead" },
    });
    for (let event = 0; event < 1_200; event += 1) {
      await bus.publish("project_created", { name: `${event}` }, { organization: "acme" });
    }
    bus.start();
    const end = system.now() + 8 * DAY;
    while (system.now() < end) {
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      system.moveTo(Math.min(end, system.nextWakeAt ?? end));
    }
    await bus.stop();
    const { backlog } = await bus.health();
    expect(backlog?.waiting).toEqual([]);
    expect(sent.length).toBeLessThan(1_200);
    const { items } = await bus.deliveries.list({ organization: "acme", limit: 100 });
    const expired = items.filter(({ reason }) => reason?.startsWith("expired"));
    expect(expired.length).toBeGreaterThan(0);
    expect(expired.some(({ attempts }) => attempts === 0)).toBe(true);
  });
});
