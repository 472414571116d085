import { expect, it } from "vitest";
import { onEachServer } from "../../test/on-each-server.ts";
import { aGate, NOW } from "../../test/work.ts";

onEachServer("an order", ({ fresh }) => {
  it("is kept while a host holds another lane that an event owes something to", async () => {
    const tables = await fresh();
    const { subscribe, save, publish, route, claim } = tables.process("hasty");
    const changing = await subscribe({ eventTypes: ["one"] }, { gates: [aGate()] });
    const ordered = await subscribe(
      { eventTypes: ["one", "two"], order: "skip_dead" },
      { order: "skip_dead" },
    );
    await publish({ type: "one" });
    await publish({ type: "two" });

    const host = await tables.begin();
    await save(changing, { gates: [aGate()] }, host.tx);
    expect(await route()).toMatchObject({ events: 0, deliveries: 0 });
    await publish({ type: "two" });
    expect(await route()).toMatchObject({ events: 0, deliveries: 0, left: 0 });
    await host.end("commit");

    const now = NOW + 1_000;
    expect(await route({ now })).toMatchObject({ events: 3, deliveries: 4, left: 0 });
    const { claims } = await claim({ now });
    const own = claims.filter(({ subscriptionId }) => subscriptionId === ordered.id);
    expect(own.map(({ event }) => event.type)).toEqual(["one"]);
  });
});
