import { createEventBus, delivered, failed, throttled } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { mortal } from "./mortal.ts";
import { catalog, probe, type Reply, settle } from "./probe.ts";

const acme = { organization: "acme" } as const;
const SECOND = 1_000;

async function setup(reply: Reply = () => delivered()) {
  const system = virtualSystem();
  const storage = memoryStorage();
  const { handler } = probe({ now: system.now, reply });
  const open = (pollMs?: number) =>
    createEventBus({ catalog, handlers: [handler], storage, system, pollMs });
  const web = open();
  for (const to of ["a", "b"]) {
    await web.subscriptions.create({
      ...acme,
      name: to,
      eventTypes: ["*"],
      type: "probe",
      configuration: { to },
    });
  }
  const pass = async (ms: number): Promise<void> => {
    const target = system.now() + ms;
    await settle();
    for (let next = system.nextWakeAt; next !== null && next <= target; next = system.nextWakeAt) {
      system.moveTo(next);
      await settle();
    }
    system.moveTo(target);
    await settle();
  };
  return {
    ...{ system, storage, handler, open, web, pass, settle },
    publish: () => web.publish("project_created", { name: "one" }, acme),
    alive: async () => (await web.health()).backlog?.dispatchers,
  };
}

describe("health", () => {
  it("knows, in a process that only publishes, whether others deliver", async () => {
    const { open, web, pass, publish, alive } = await setup();
    await publish();
    expect(await web.health()).toMatchObject({
      status: "degraded",
      problems: [{ code: "no_dispatcher" }],
    });
    const [first, second] = [open(), open()];
    first.start();
    second.start();
    await pass(SECOND);
    expect(await web.health()).toMatchObject({ status: "ok", problems: [] });
    expect(await alive()).toBe(2);
    await pass(3_600 * SECOND);
    expect(await alive()).toBe(2);
    await first.stop();
    expect(await alive()).toBe(1);
    await second.stop();
    expect(await alive()).toBe(0);
  });

  it("takes a dispatcher for dead half a minute after it fell silent", async () => {
    const { system, storage, handler, pass, alive } = await setup();
    const { kill, ...process } = mortal(storage, system);
    const bus = createEventBus({ catalog, handlers: [handler], ...process });
    bus.start();
    await pass(60 * SECOND);
    kill();
    await pass(20 * SECOND);
    expect(await alive()).toBe(1);
    await pass(12 * SECOND);
    expect(await alive()).toBe(0);
  });

  it("does not take a dispatcher for dead because it sleeps for long", async () => {
    const { open, pass, alive } = await setup();
    const bus = open(300 * SECOND);
    bus.start();
    for (let minute = 0; minute < 30; minute += 1) {
      await pass(60 * SECOND);
      expect(await alive()).toBe(1);
    }
    await bus.stop();
  });

  it("tells each minute six times that it is alive, and not at every look", async () => {
    const { system, storage, handler, pass } = await setup();
    let beats = 0;
    const counting = {
      ...storage,
      beat: (heartbeat: Parameters<typeof storage.beat>[0]) => {
        beats += 1;
        return storage.beat(heartbeat);
      },
    };
    const bus = createEventBus({ catalog, handlers: [handler], storage: counting, system });
    bus.start();
    await pass(60 * SECOND);
    expect(beats).toBeGreaterThanOrEqual(6);
    expect(beats).toBeLessThanOrEqual(7);
    await bus.stop();
  });

  it("counts subscriptions that fail, and gates that are closed", async () => {
    let isUp = false;
    const { web, publish } = await setup(({ to }) => {
      if (isUp) return delivered();
      return to === "a" ? failed("no") : throttled({ retryAfterMs: 60_000, gate: "target" });
    });
    for (let event = 0; event < 10; event += 1) await publish();
    await web.drain();
    expect((await web.health()).backlog).toMatchObject({
      failing: 1,
      gates: { paused: 1, open: 1 },
    });
    isUp = true;
    const { items } = await web.subscriptions.list(acme);
    for (const { id, name } of items) {
      if (name === "a") await web.subscriptions.update({ ...acme, id }, { enabled: false });
    }
    expect((await web.health()).backlog?.failing).toBe(0);
  });
});
