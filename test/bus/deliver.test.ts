import {
  delivered,
  failed,
  gone,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe, type Reply } from "./probe.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function setup(reply?: Reply, limit?: Parameters<typeof probe>[0]["limit"]) {
  const clock = { now: () => 0 };
  const { handler, sent } = probe({
    now: () => clock.now(),
    ...(reply && { reply }),
    ...(limit && { limit }),
  });
  const bus = createTestBus({ catalog, handlers: [handler] });
  clock.now = bus.system.now;
  const startedAt = bus.system.now();
  const subscribe = (to = "a", eventTypes: ["*"] | ["project_*"] | ["invoice_paid"] = ["*"]) =>
    bus.subscriptions.create({
      organization: "acme",
      name: "Test",
      eventTypes,
      type: "probe",
      configuration: { to },
    });
  const publish = (name = "web") =>
    bus.publish("project_created", { name }, { organization: "acme" });
  const deliveries = async () => (await bus.deliveries.list({ organization: "acme" })).items;
  const elapsed = () => sent.map(({ at }) => at - startedAt);
  return { bus, sent, subscribe, publish, deliveries, elapsed };
}

/** Answers the replies in turn, then `delivered()`. */
function inTurn(...replies: readonly (() => Outcome | Promise<Outcome>)[]): Reply {
  let next = 0;
  return () => {
    const reply = replies[next];
    next += 1;
    return reply === undefined ? delivered() : reply();
  };
}

describe("delivery", () => {
  it("takes an event to every subscription of its organization that matches, and to no other", async () => {
    const { bus, sent, subscribe, publish, deliveries } = await setup();
    await subscribe("all");
    await subscribe("projects", ["project_*"]);
    await subscribe("invoices", ["invoice_paid"]);
    await bus.subscriptions.create({
      organization: "globex",
      name: "Foreign",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "foreign" },
    });
    const event = await publish();
    await bus.drain();
    expect(sent.map(({ to, eventId }) => [to, eventId]).toSorted()).toEqual([
      ["all", event.id],
      ["projects", event.id],
    ]);
    expect(await deliveries()).toMatchObject([{ status: "delivered" }, { status: "delivered" }]);
  });

  it("tries a failure again on schedule, and keeps a record of each attempt", async () => {
    const { bus, subscribe, publish, deliveries, elapsed } = await setup(
      inTurn(
        () => failed("HTTP 500", { details: { status: 500 } }),
        () => failed("HTTP 503"),
      ),
    );
    await subscribe();
    await publish();
    await bus.drain();
    expect(await deliveries()).toMatchObject([
      { status: "pending", attempts: 1, reason: "HTTP 500" },
    ]);
    await bus.advance(10 * MINUTE);
    const [delivery] = await deliveries();
    expect(delivery).toMatchObject({ status: "delivered", attempts: 3, reason: null });
    const [first, second, third] = elapsed();
    expect(first).toBe(0);
    expect(second).toBeGreaterThanOrEqual(4 * SECOND);
    expect(second).toBeLessThanOrEqual(6 * SECOND);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(4 * MINUTE);
    const { attemptLog } = await bus.deliveries.get({
      organization: "acme",
      id: delivery?.id ?? "",
    });
    expect(attemptLog).toMatchObject([
      { outcome: "failed", reason: "HTTP 500", details: { status: 500 }, counted: true },
      { outcome: "failed", reason: "HTTP 503" },
      { outcome: "delivered", reason: null },
    ]);
  });

  it("ends a delivery that fails on every attempt of the schedule", async () => {
    const { bus, sent, subscribe, publish, deliveries } = await setup(() => failed("no"));
    await subscribe();
    await publish();
    await bus.advance(7 * 24 * 60 * MINUTE);
    expect(sent).toHaveLength(10);
    expect(await deliveries()).toMatchObject([{ status: "dead", attempts: 10, reason: "no" }]);
    expect(await bus.subscriptions.list({ organization: "acme" })).toMatchObject({
      items: [{ enabled: true, status: "error", statusDetail: "no" }],
    });
  });

  it("ends a delivery that the destination refuses for good, and no other", async () => {
    const { bus, sent, subscribe, publish, deliveries } = await setup(
      inTurn(() => rejected("too long", { remedy: "Shorten it." })),
    );
    await subscribe();
    await publish("first");
    await bus.drain();
    await publish("second");
    await bus.drain();
    expect(sent).toHaveLength(2);
    expect((await deliveries()).map(({ status }) => status)).toEqual(["delivered", "dead"]);
  });

  it("switches a subscription off when its destination is gone, and keeps what comes until it is on again", async () => {
    const { bus, sent, subscribe, publish, deliveries } = await setup(
      inTurn(() => gone("channel_not_found", { remedy: "Invite the app." })),
    );
    const { id } = await subscribe();
    await publish();
    await bus.drain();
    expect(await bus.subscriptions.get({ organization: "acme", id })).toMatchObject({
      enabled: false,
      status: "error",
      disabledReason: "channel_not_found. Invite the app.",
    });
    await publish("kept");
    await bus.advance(60 * MINUTE);
    expect(sent).toHaveLength(1);
    expect((await deliveries()).map(({ status }) => status)).toEqual(["pending", "dead"]);
    expect(
      await bus.subscriptions.update({ organization: "acme", id }, { enabled: true }),
    ).toMatchObject({
      disabledReason: null,
      status: "unverified",
    });
    await bus.drain();
    expect(sent).toHaveLength(2);
    expect((await deliveries()).map(({ status }) => status)).toEqual(["delivered", "dead"]);
    expect(await bus.subscriptions.get({ organization: "acme", id })).toMatchObject({
      status: "ok",
    });
  });

  it("closes a throttled gate for every subscription behind it, and spends no attempt", async () => {
    const { bus, sent, subscribe, publish, deliveries, elapsed } = await setup(
      inTurn(() => throttled({ retryAfterMs: 30 * SECOND, gate: "target" })),
      { limit: 1, perMs: 1_000 },
    );
    await subscribe("shared");
    await subscribe("shared");
    await publish();
    await bus.drain();
    expect(sent).toHaveLength(1);
    await bus.advance(29 * SECOND);
    expect(sent).toHaveLength(1);
    await bus.advance(2 * SECOND);
    expect(elapsed()).toEqual([0, 30 * SECOND, 31 * SECOND]);
    expect(await deliveries()).toMatchObject([
      { status: "delivered", attempts: 1 },
      { status: "delivered", attempts: 1 },
    ]);
  });

  it("never exceeds a gate's rate, and wastes nothing of it", async () => {
    const { bus, subscribe, publish, elapsed } = await setup(undefined, {
      limit: 2,
      perMs: 1_000,
      burst: 2,
    });
    await subscribe();
    for (let index = 0; index < 7; index += 1) await publish(`p${index}`);
    await bus.advance(10 * SECOND);
    expect(elapsed()).toEqual([0, 0, 500, 1_000, 1_500, 2_000, 2_500]);
  });

  it("waits longer after an outcome that nobody knows, since it may have arrived", async () => {
    const { bus, sent, subscribe, publish, elapsed } = await setup(
      inTurn(() => unknown("connection reset")),
    );
    await subscribe();
    await publish();
    await bus.advance(29 * SECOND);
    expect(sent).toHaveLength(1);
    await bus.advance(2 * SECOND);
    expect(elapsed()).toEqual([0, 30 * SECOND]);
  });
});

describe("a handler that misbehaves", () => {
  const misbehaviours: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      "throws an error",
      () => {
        throw new Error("boom");
      },
      /boom/,
    ],
    [
      "throws undefined",
      () => {
        throw undefined;
      },
      /undefined/,
    ],
    [
      "throws a frozen object",
      () => {
        throw Object.freeze({});
      },
      /object/,
    ],
    ["rejects with undefined", () => Promise.reject(), /undefined/],
    [
      "throws something whose text throws",
      () => {
        throw {
          toString() {
            throw new Error("no");
          },
        };
      },
      /cannot be described/,
    ],
    ["returns nothing", () => undefined, /did not report an outcome/],
    ["returns a string", () => "delivered", /did not report an outcome/],
    ["returns an unknown outcome", () => ({ type: "fine" }), /did not report an outcome/],
    [
      "returns a revoked proxy",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
      /did not report an outcome|revoked/,
    ],
  ];
  it.each(misbehaviours)("%s: costs one attempt and nothing else", async (_name, act, reason) => {
    const { bus, sent, subscribe, publish, deliveries } = await setup(inTurn(act as () => Outcome));
    await subscribe();
    await publish();
    await bus.drain();
    const [delivery] = await deliveries();
    expect(delivery).toMatchObject({ status: "pending", attempts: 1 });
    expect(delivery?.reason).toMatch(reason);
    await publish("next");
    await bus.drain();
    expect(sent).toHaveLength(2);
    await bus.advance(10 * SECOND);
    expect((await deliveries()).map(({ status }) => status)).toEqual(["delivered", "delivered"]);
  });

  it("never resolves: costs one attempt, and its slot is free at the deadline", async () => {
    const { bus, sent, subscribe, publish, deliveries } = await setup(
      inTurn(() => new Promise<never>(() => {})),
    );
    await subscribe();
    await publish();
    await bus.advance(20 * SECOND);
    expect(await deliveries()).toMatchObject([
      {
        status: "pending",
        inFlight: false,
        attempts: 1,
        reason: "The handler did not answer within 15000 ms.",
      },
    ]);
    await bus.advance(MINUTE);
    expect(sent).toHaveLength(2);
    expect(await deliveries()).toMatchObject([{ status: "delivered" }]);
  });

  it("answers after its deadline: is not believed", async () => {
    const signals: AbortSignal[] = [];
    const { bus, subscribe, publish, deliveries } = await setup((_sent, signal) => {
      signals.push(signal);
      return new Promise((resolve) => {
        setTimeout(() => resolve(delivered()), 5_000).unref();
      });
    });
    await subscribe();
    await publish();
    await bus.advance(20 * SECOND);
    expect(signals[0]?.aborted).toBe(true);
    expect(await deliveries()).toMatchObject([{ status: "pending", attempts: 1 }]);
  });
});

describe("virtual time", () => {
  it("gives the same ids and instants for the same seed", async () => {
    const run = async (): Promise<unknown> => {
      const { bus, subscribe, publish, deliveries } = await setup(() => failed("no"));
      await subscribe();
      await publish();
      await bus.advance(60 * MINUTE);
      const [delivery] = await deliveries();
      return bus.deliveries.get({ organization: "acme", id: delivery?.id ?? "" });
    };
    expect(await run()).toEqual(await run());
    expect(virtualSystem({ seed: 1 }).id()).not.toBe(virtualSystem({ seed: 2 }).id());
  });
});
