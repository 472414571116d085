import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

function setup() {
  const { handler } = probe({ now: () => 0 });
  const bus = createTestBus({ catalog, handlers: [handler] });
  const publish = (organization: string) =>
    bus.publish("project_created", { name: "web" }, { organization });
  const names = async (organization: string) =>
    (await bus.events.list({ organization })).items.map(({ id }) => id);
  return { bus, publish, names };
}

describe("events.prune", () => {
  it("forgets one organization's events, however many, and nobody else's", async () => {
    const { bus, publish, names } = setup();
    const events = Array.from({ length: 2_500 }, () => ({
      type: "project_created" as const,
      data: { name: "web" },
      organization: "acme",
    }));
    await bus.publishMany(events);
    const theirs = await publish("umbrella");
    await bus.drain();
    await bus.advance(1);
    expect(await bus.events.prune({ organization: "acme" })).toEqual({ pruned: 2_500 });
    expect(await names("acme")).toEqual([]);
    expect(await names("umbrella")).toEqual([theirs.id]);
  });

  it("keeps what is not delivered yet, and what was published later", async () => {
    const { bus, publish, names } = setup();
    const event = await publish("acme");
    const before = bus.system.now() + 1;
    expect(await bus.events.prune({ organization: "acme", before })).toEqual({ pruned: 0 });
    await bus.drain();
    expect(await bus.events.prune({ organization: "acme" })).toEqual({ pruned: 0 });
    expect(await names("acme")).toEqual([event.id]);
    expect(await bus.events.prune({ organization: "acme", before })).toEqual({ pruned: 1 });
  });

  it.each([undefined, null, "", 7])("refuses %j for an organization", async (organization) => {
    const { bus } = setup();
    await expect(bus.events.prune({ organization: organization as never })).rejects.toMatchObject({
      code: "invalid_options",
    });
  });
});
