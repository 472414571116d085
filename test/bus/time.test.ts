import { createEventBus, type Storage } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const HOUR = 3_600_000;
const organization = "acme";

/** A process whose wall clock is three hours ahead, and that has asked nobody for the time yet. */
async function ahead() {
  const system = virtualSystem();
  const truth = system.now();
  const whole = memoryStorage();
  const storage: Storage = { ...whole, clock: async () => truth };
  const { handler } = probe({ now: () => truth });
  const common = { catalog, handlers: [handler], storage };
  const right = createEventBus({ ...common, system });
  const { id } = await right.subscriptions.create({
    organization,
    name: "n",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "a" },
  });
  const wrong = createEventBus({
    ...common,
    system: { ...system, now: () => system.now() + 3 * HOUR },
  });
  return { truth, right, wrong, subscription: { organization, id } };
}

describe("what somebody asks for goes by the storage's time, whatever the process takes for it:", () => {
  it("a test delivery is due now", async () => {
    const { truth, wrong, subscription } = await ahead();
    expect(await wrong.subscriptions.test(subscription)).toMatchObject({ dueAt: truth });
  });

  it("a delivery that is repeated is due now", async () => {
    const { truth, right, wrong, subscription } = await ahead();
    const { id } = await right.subscriptions.test(subscription);
    await right.drain();
    expect(await wrong.deliveries.redeliver({ organization, id })).toMatchObject({ dueAt: truth });
  });

  it("a replay ends where it began", async () => {
    const { truth, wrong, subscription } = await ahead();
    const { id: subscriptionId } = subscription;
    const replay = await wrong.replays.create({ organization, subscriptionId, from: 0 });
    expect(replay).toMatchObject({ until: truth, createdAt: truth });
  });
});
