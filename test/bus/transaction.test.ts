import { createEventBus, isPosthornError } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const acme = { organization: "acme" } as const;

async function setup() {
  const { handler, sent } = probe({ now: () => 0 });
  const bus = createTestBus({ catalog, handlers: [handler] });
  await bus.subscriptions.create({
    ...acme,
    name: "n",
    eventTypes: ["*"],
    type: "probe",
    configuration: { to: "a" },
  });
  const events = async () => (await bus.events.list(acme)).items;
  return { bus, sent, events };
}

describe("publishing in the host's transaction", () => {
  it("happens when the host commits", async () => {
    const { bus, sent, events } = await setup();
    const tx = {};
    const event = await bus.publish("project_created", { name: "x" }, { ...acme, tx });
    await bus.drain();
    expect([await events(), sent]).toEqual([[], []]);
    await bus.commit(tx);
    await bus.drain();
    expect(await events()).toEqual([event]);
    expect(sent).toMatchObject([{ eventId: event.id }]);
  });

  it("never happens if the host rolls back", async () => {
    const { bus, sent, events } = await setup();
    const tx = {};
    await bus.publishMany(
      [
        { type: "project_created", data: { name: "x" }, ...acme },
        { type: "project_deleted", data: { name: "x" }, ...acme },
      ],
      { tx },
    );
    bus.rollback(tx);
    await bus.advance(60_000);
    expect([await events(), sent]).toEqual([[], []]);
  });

  it("keeps transactions apart", async () => {
    const { bus, events } = await setup();
    const [kept, dropped] = [{}, {}];
    const event = await bus.publish("project_created", { name: "kept" }, { ...acme, tx: kept });
    await bus.publish("project_created", { name: "dropped" }, { ...acme, tx: dropped });
    await bus.commit(kept);
    bus.rollback(dropped);
    expect(await events()).toEqual([event]);
  });

  it("respects idempotency keys of committed events and of its own", async () => {
    const { bus, events } = await setup();
    const keyed = { ...acme, idempotencyKey: "k" };
    const first = await bus.publish("project_created", { name: "x" }, keyed);
    const tx = {};
    expect(await bus.publish("project_created", { name: "x" }, { ...keyed, tx })).toEqual(first);
    const other = { ...acme, idempotencyKey: "other", tx };
    const own = await bus.publish("project_created", { name: "y" }, other);
    expect(await bus.publish("project_created", { name: "y" }, other)).toEqual(own);
    await bus.commit(tx);
    expect(await events()).toHaveLength(2);
  });

  it("is refused once the transaction has ended", async () => {
    const { bus, events } = await setup();
    const tx = {};
    await bus.publish("project_created", { name: "x" }, { ...acme, tx });
    bus.rollback(tx);
    const publishing = bus.publish("project_created", { name: "x" }, { ...acme, tx });
    await expect(publishing).rejects.toSatisfy((error) =>
      isPosthornError(error, "unknown_transaction"),
    );
    expect(await events()).toEqual([]);
  });

  it("is refused by memory storage, which knows no transactions, before anything is written", async () => {
    const bus = createEventBus({ catalog, handlers: [], storage: memoryStorage() });
    const publishing = bus.publish("project_created", { name: "x" }, { ...acme, tx: {} as never });
    await expect(publishing).rejects.toSatisfy((error) =>
      isPosthornError(error, "unknown_transaction"),
    );
    expect((await bus.events.list(acme)).items).toEqual([]);
  });

  it("covers changes of subscriptions", async () => {
    const { bus, sent } = await setup();
    const tx = {};
    const input = {
      ...acme,
      name: "in tx",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "tx" },
    } as const;
    const created = await bus.subscriptions.create(input, { tx });
    expect((await bus.subscriptions.list(acme)).items).toHaveLength(1);
    const reference = { ...acme, id: created.id };
    await bus.subscriptions.update(reference, { name: "renamed" }, { tx });
    await bus.commit(tx);
    expect(await bus.subscriptions.get(reference)).toMatchObject({ name: "renamed" });
    const undone = {};
    await bus.subscriptions.delete(reference, { tx: undone });
    bus.rollback(undone);
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    expect(sent.map(({ to }) => to).toSorted()).toEqual(["a", "tx"]);
  });
});
