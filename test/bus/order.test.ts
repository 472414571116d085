import { type DeliveryOrder, delivered, failed, rejected, unknown } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe, type Reply } from "./probe.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const organization = "acme";

const inDoubt = unknown("connection reset", { doubt: "abandon" });

async function setup(order: DeliveryOrder, reply?: Reply) {
  const clock = { now: () => 0 };
  const { handler, sent } = probe({ now: () => clock.now(), ...(reply && { reply }) });
  const bus = createTestBus({ catalog, handlers: [handler] });
  clock.now = bus.system.now;
  const subscription = await bus.subscriptions.create({
    organization,
    name: "In order",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "a" },
    order,
  });
  const names = new Map<string, string>();
  const publish = async (name: string, orderingKey?: string) => {
    const { id } = await bus.publish(
      "project_created",
      { name },
      { organization, ...(orderingKey !== undefined && { orderingKey }) },
    );
    names.set(id, name);
    return id;
  };
  /** Names of the events, one for each attempt. */
  const tried = () => sent.map(({ eventId }) => names.get(eventId) ?? eventId);
  const deliveries = async () =>
    (await bus.deliveries.list({ organization })).items.toReversed().map((delivery) => ({
      ...delivery,
      name: names.get(delivery.eventId),
    }));
  return { bus, sent, subscription, publish, tried, deliveries, nameOf: names };
}

/** Fails the first event as often as given, or refuses it for good. */
const troubling =
  (outcome: () => ReturnType<typeof failed>, times = 1): Reply =>
  ({ attempt }) =>
    attempt <= times ? outcome() : delivered();

describe("a subscription that keeps an order", () => {
  it("delivers nothing before what was published before it, whatever has to be tried again", async () => {
    let first = "";
    const { bus, publish, tried } = await setup("skip_dead", ({ eventId, attempt }) =>
      eventId === first && attempt < 3 ? failed("HTTP 500") : delivered(),
    );
    first = await publish("one");
    await publish("two");
    await publish("three");
    await bus.advance(DAY);
    expect(tried()).toEqual(["one", "one", "one", "two", "three"]);
  });

  it("lets others overtake where it keeps none", async () => {
    let first = "";
    const { bus, publish, tried } = await setup("none", ({ eventId, attempt }) =>
      eventId === first && attempt < 2 ? failed("HTTP 500") : delivered(),
    );
    first = await publish("one");
    await publish("two");
    await bus.advance(DAY);
    expect(tried()).toEqual(["one", "two", "one"]);
  });

  it("keeps an order per ordering key, side by side", async () => {
    let first = "";
    const { bus, publish, tried } = await setup("skip_dead", ({ eventId, attempt }) =>
      eventId === first && attempt < 2 ? failed("HTTP 500") : delivered(),
    );
    first = await publish("a1", "a");
    await publish("a2", "a");
    await publish("b1", "b");
    await publish("free");
    await bus.drain();
    expect(tried().toSorted()).toEqual(["a1", "b1", "free"]);
    await bus.advance(DAY);
    expect(tried().slice(3)).toEqual(["a1", "a2"]);
  });

  it("drains a queue in one go", async () => {
    const { bus, publish, tried } = await setup("skip_dead");
    const names = Array.from({ length: 20 }, (_, index) => `${index}`);
    for (const name of names) await publish(name);
    await bus.drain();
    expect(tried()).toEqual(names);
  });

  it("shows what is queued as pending, with nothing due", async () => {
    const { bus, publish, deliveries } = await setup(
      "skip_dead",
      troubling(() => failed("no"), 9),
    );
    await publish("one");
    await publish("two");
    await bus.drain();
    expect(await deliveries()).toMatchObject([
      { name: "one", status: "pending", dueAt: expect.any(Number) },
      { name: "two", status: "pending", dueAt: null, inFlight: false },
    ]);
    expect((await bus.health()).backlog?.queued).toBe(1);
  });

  it("skips a dead delivery", async () => {
    let first = "";
    const { bus, publish, deliveries } = await setup("skip_dead", ({ eventId }) =>
      eventId === first ? rejected("HTTP 400") : delivered(),
    );
    first = await publish("one");
    await publish("two");
    await bus.drain();
    expect(await deliveries()).toMatchObject([{ status: "dead" }, { status: "delivered" }]);
  });
});

describe("a subscription that stops at a dead delivery", () => {
  const broken = async () => {
    let first = "";
    let isMended = false;
    const given = await setup("stop_at_dead", ({ eventId }) =>
      eventId === first && !isMended ? rejected("HTTP 400") : delivered(),
    );
    const disabled: string[] = [];
    given.bus.lifecycle.on("subscription.disabled", ({ reason }) => void disabled.push(reason));
    first = await given.publish("one");
    await given.publish("two");
    await given.bus.drain();
    const mend = (): void => {
      isMended = true;
    };
    return { ...given, disabled, mend };
  };

  it("is switched off, and says which delivery holds it up", async () => {
    const { bus, subscription, deliveries, disabled, tried } = await broken();
    const [one] = await deliveries();
    expect(await deliveries()).toMatchObject([
      { name: "one", status: "pending", reason: "HTTP 400" },
      { name: "two", status: "pending" },
    ]);
    const { enabled, disabledReason } = await bus.subscriptions.get(subscription);
    expect(enabled).toBe(false);
    expect(disabledReason).toContain(`Delivery ${one?.id} ("project_created")`);
    expect(disabled).toEqual([disabledReason]);
    await bus.advance(DAY);
    expect(tried()).toEqual(["one"]);
  });

  it("tries it again when it is switched on, and goes on from there", async () => {
    const { bus, subscription, tried, mend } = await broken();
    await bus.subscriptions.update(subscription, { enabled: true });
    await bus.drain();
    expect((await bus.subscriptions.get(subscription)).enabled).toBe(false);
    mend();
    await bus.subscriptions.update(subscription, { enabled: true });
    await bus.drain();
    expect(tried()).toEqual(["one", "one", "one", "two"]);
    expect(await bus.subscriptions.get(subscription)).toMatchObject({
      enabled: true,
      disabledReason: null,
    });
  });

  it("goes on without it once it is canceled", async () => {
    const { bus, subscription, deliveries, tried } = await broken();
    const [one] = await deliveries();
    await bus.deliveries.cancel({ organization, id: one?.id ?? "" });
    await bus.subscriptions.update(subscription, { enabled: true });
    await bus.drain();
    expect(tried()).toEqual(["one", "two"]);
    expect(await deliveries()).toMatchObject([{ status: "canceled" }, { status: "delivered" }]);
  });

  it.each([
    ["fails is tried again at once, and leaves it on", rejected("HTTP 400"), ["one", "one", "two"]],
    ["may have arrived, and is to be abandoned, stops it all the same", inDoubt, ["one"]],
  ])("changed while a delivery is on its way: what %s", async (_, outcome, tries) => {
    let first = "";
    let change: () => Promise<unknown> = () => Promise.resolve();
    const given = await setup("stop_at_dead", async ({ eventId }) => {
      if (eventId !== first) return delivered();
      first = "";
      await change();
      return outcome;
    });
    const { bus, subscription, publish, tried, deliveries } = given;
    change = () => bus.subscriptions.update(subscription, { name: "changed" });
    first = await publish("one");
    await publish("two");
    await bus.drain();
    expect(tried()).toEqual(tries);
    const [one] = await deliveries();
    const { enabled, disabledReason } = await bus.subscriptions.get(subscription);
    expect(enabled).toBe(tries.length > 1);
    if (enabled) return;
    expect(disabledReason).toContain(`Delivery ${one?.id} ("project_created")`);
    await bus.subscriptions.update(subscription, { enabled: true });
    await bus.drain();
    expect(tried()).toEqual(["one", "one", "two"]);
  });

  it("says what is in doubt when its owner has switched it off meanwhile", async () => {
    let change: () => Promise<unknown> = () => Promise.resolve();
    const { bus, subscription, publish } = await setup("stop_at_dead", async () => {
      await change();
      return inDoubt;
    });
    change = () => bus.subscriptions.update(subscription, { enabled: false });
    await publish("one");
    await bus.drain();
    const { enabled, disabledReason } = await bus.subscriptions.get(subscription);
    expect([enabled, disabledReason]).toEqual([false, expect.stringContaining("abandoned")]);
  });

  it("is not stopped by a test delivery", async () => {
    const { bus, subscription } = await setup("stop_at_dead", () => rejected("HTTP 400"));
    await bus.subscriptions.test(subscription);
    await bus.drain();
    expect((await bus.subscriptions.get(subscription)).enabled).toBe(true);
    expect((await bus.deliveries.list({ organization })).items).toMatchObject([{ status: "dead" }]);
  });
});

describe("the guide", () => {
  it("asks for an order, and says what an event is about", async () => {
    const { bus } = await setup("none");
    // #region ask
    const subscription = await bus.subscriptions.create({
      organization,
      name: "Ledger",
      eventTypes: ["project_*"],
      type: "probe",
      configuration: { to: "ledger" },
      order: "skip_dead",
    });
    // #endregion ask
    const projectId = "project-1";
    // #region publish
    await bus.publish("project_created", { name: "web" }, { organization, orderingKey: projectId });
    // #endregion publish
    await bus.drain();
    const { items } = await bus.deliveries.list({ organization, subscriptionId: subscription.id });
    expect(items).toMatchObject([{ status: "delivered" }]);
  });
});

describe("the order of a subscription", () => {
  it("is none unless it is asked for, and can be changed", async () => {
    const { bus, subscription, publish, tried } = await setup("none");
    expect(subscription.order).toBe("none");
    const changed = await bus.subscriptions.update(subscription, { order: "stop_at_dead" });
    expect(changed.order).toBe("stop_at_dead");
    expect((await bus.subscriptions.update(subscription, { name: "New" })).order).toBe(
      "stop_at_dead",
    );
    await publish("one");
    await bus.subscriptions.update(subscription, { order: "none" });
    await bus.drain();
    expect(tried()).toEqual(["one"]);
  });

  it("is refused where it is not one", async () => {
    const { bus, subscription } = await setup("none");
    await expect(
      bus.subscriptions.update(subscription, { order: "strict" as never }),
    ).rejects.toMatchObject({
      code: "invalid_subscription",
      issues: [{ path: ["order"], message: "must be one of none, skip_dead, stop_at_dead" }],
    });
  });

  it.each(["", "ä", "x".repeat(256), 7 as never])(
    "knows no ordering key %j",
    async (orderingKey) => {
      const { publish } = await setup("skip_dead");
      await expect(publish("one", orderingKey)).rejects.toMatchObject({
        code: "invalid_event",
        issues: [{ path: ["orderingKey"] }],
      });
    },
  );
});
