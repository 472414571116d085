import { createEventBus, type Event, inProcessTransport } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus, virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const acme = { organization: "acme" } as const;
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("bus.on", () => {
  function setup() {
    const { handler } = probe({ now: () => 0 });
    const bus = createTestBus({ catalog, handlers: [handler] });
    const heard: Event[] = [];
    return { bus, heard, hear: (event: Event) => void heard.push(event) };
  }

  it("hears matching events, with their data, until it stops listening", async () => {
    const { bus, heard, hear } = setup();
    const stop = bus.on("project_*", hear);
    const event = await bus.publish("project_created", { name: "x" }, acme);
    await bus.publish("invoice_paid", { amount: 1 }, acme);
    await soon();
    stop();
    await bus.publish("project_deleted", { name: "x" }, acme);
    await soon();
    expect(heard).toEqual([event]);
  });

  it("refuses a pattern that nothing matches, and would never hear of anything", () => {
    const { bus, hear } = setup();
    expect(() => bus.on("projct_*" as never, hear)).toThrow(
      expect.objectContaining({
        code: "unknown_event_type",
        message: 'Unknown event type "projct_*". Did you mean "project_*"?',
      }),
    );
  });

  it("hears an event once, though it is announced at publish and routed later", async () => {
    const { bus, heard, hear } = setup();
    bus.on("*", hear);
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    await soon();
    expect(heard).toHaveLength(1);
  });

  it("hears an event of the host's transaction when its commit is known: not before, not after a rollback", async () => {
    const { bus, heard, hear } = setup();
    bus.on("*", hear);
    const [kept, dropped] = [{}, {}];
    const event = await bus.publish("project_created", { name: "kept" }, { ...acme, tx: kept });
    await bus.publish("project_created", { name: "dropped" }, { ...acme, tx: dropped });
    await bus.drain();
    await soon();
    expect(heard).toEqual([]);
    await bus.commit(kept);
    bus.rollback(dropped);
    await bus.drain();
    await soon();
    expect(heard).toEqual([event]);
  });

  it("disturbs no one by throwing or rejecting, and never delays or fails a publish", async () => {
    const warnings: string[] = [];
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (_: object, text: string) => void warnings.push(text),
    };
    const bus = createTestBus({ catalog, handlers: [], logger });
    const heard: string[] = [];
    bus.on("*", () => {
      throw new Error("listener");
    });
    bus.on("*", async () => {
      throw new Error("async listener");
    });
    bus.on("project_created", () => new Promise(() => {}));
    bus.on("*", ({ type }) => void heard.push(type));
    await bus.publish("project_created", { name: "x" }, acme);
    await soon();
    expect(heard).toEqual(["project_created"]);
    expect(warnings).toEqual(['A listener of "*" failed.', 'A listener of "*" failed.']);
  });

  it("hears what other processes publish, through the transport, once", async () => {
    const system = virtualSystem();
    const storage = memoryStorage();
    const transport = inProcessTransport();
    const open = () => createEventBus({ catalog, handlers: [], storage, transport, system });
    const [here, there] = [open(), open()];
    const heard: string[] = [];
    there.on("*", ({ id }) => void heard.push(id));
    const event = await here.publish("project_created", { name: "x" }, acme);
    await here.drain();
    await soon();
    expect(heard).toEqual([event.id]);
  });
});

describe("bus.lifecycle", () => {
  it("tells what becomes of an event, in order", async () => {
    const { handler } = probe({
      now: () => 0,
      reply: ({ attempt }) =>
        attempt === 1 ? { type: "failed", reason: "no" } : { type: "rejected", reason: "never" },
    });
    const bus = createTestBus({ catalog, handlers: [handler] });
    const heard: string[] = [];
    bus.lifecycle.on("*", (name) => void heard.push(name));
    bus.lifecycle.on("delivery.dead", ({ delivery, attempt }) => {
      heard.push(`${delivery.status} ${attempt?.outcome} ${delivery.attempts}`);
    });
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.advance(60_000);
    expect(heard).toEqual([
      "subscription.created",
      "event.published",
      "delivery.failed",
      "dead rejected 2",
      "delivery.dead",
    ]);
  });

  it("survives listeners that throw", async () => {
    const { handler } = probe({ now: () => 0 });
    const bus = createTestBus({ catalog, handlers: [handler] });
    let heard = 0;
    bus.lifecycle.on("event.published", () => {
      throw new Error("listener");
    });
    bus.lifecycle.on("event.published", () => {
      heard += 1;
    });
    await bus.publish("project_created", { name: "x" }, acme);
    expect(heard).toBe(1);
  });
});
