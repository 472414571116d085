import { createEventBus, defineCatalog, isPosthornError } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus } from "@posthorn/testing";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

function setup() {
  const { handler, sent } = probe({ now: () => 0 });
  const bus = createTestBus({ catalog, handlers: [handler] });
  const events = async () => (await bus.events.list({ organization: "acme" })).items;
  return { bus, sent, events };
}

const acme = { organization: "acme" } as const;

describe("publish", () => {
  it("stores the event as its schema makes it, and answers it", async () => {
    const { bus, events } = setup();
    const data = { name: "web", unknown: "dropped by the schema" };
    const event = await bus.publish("project_created", data, {
      ...acme,
      occurredAt: bus.system.now() - 5_000,
      actor: { id: "u1", name: "Ana" },
      trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    });
    expect(event).toEqual({
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      type: "project_created",
      organization: "acme",
      occurredAt: bus.system.now() - 5_000,
      data: { name: "web" },
      actor: { id: "u1", name: "Ana" },
      trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    });
    expect(await bus.events.get({ ...acme, id: event.id })).toEqual(event);
    expect(await events()).toEqual([event]);
  });

  it("is not changed by what the caller does with the data afterwards", async () => {
    const { bus, events } = setup();
    const data = { name: "before" };
    const publishing = bus.publish("project_created", data, acme);
    data.name = "after";
    await publishing;
    data.name = "later";
    expect((await events())[0]?.data).toEqual({ name: "before" });
  });

  const wrong: readonly (readonly [string, unknown[], string, RegExp])[] = [
    [
      "an unknown type",
      ["project_crated", { name: "x" }, acme],
      "unknown_event_type",
      /Unknown event type "project_crated"\. Did you mean "project_created"\?/,
    ],
    [
      "a type that is a property of every object",
      ["toString", {}, acme],
      "unknown_event_type",
      /Unknown event type "toString"/,
    ],
    [
      "a reserved type",
      ["webhook_test", {}, acme],
      "unknown_event_type",
      /Unknown event type "webhook_test"/,
    ],
    [
      "wrong data",
      ["project_created", { name: 7 }, acme],
      "invalid_event",
      /Event "project_created" has invalid data: name: .*string/,
    ],
    ["missing data", ["project_created", undefined, acme], "invalid_event", /invalid data/],
    [
      "no organization",
      ["project_created", { name: "x" }, {}],
      "invalid_event",
      /organization: must be a string/,
    ],
    [
      "no options",
      ["project_created", { name: "x" }],
      "invalid_event",
      /^Event "project_created" is published without options\. Say whose it is/,
    ],
    [
      "a transaction by another name",
      ["project_created", { name: "x" }, { ...acme, trx: {} }],
      "invalid_event",
      /trx: is no option\. Did you mean "tx"\?/,
    ],
    [
      "an option of another API",
      ["project_created", { name: "x" }, { ...acme, transaction: {} }],
      "invalid_event",
      /transaction: is no option\. There are organization, .*, tx\.$/,
    ],
    [
      "an idempotency key as JSON has it",
      ["project_created", { name: "x" }, { ...acme, idempotency_key: "k" }],
      "invalid_event",
      /idempotency_key: is no option\. Did you mean "idempotencyKey"\?/,
    ],
    [
      "an empty organization",
      ["project_created", { name: "x" }, { organization: "" }],
      "invalid_event",
      /organization: must not be empty/,
    ],
    [
      "a NUL in the organization",
      ["project_created", { name: "x" }, { organization: "a\0b" }],
      "invalid_event",
      /organization: must not contain control/,
    ],
    [
      "an empty idempotency key",
      ["project_created", { name: "x" }, { ...acme, idempotencyKey: "" }],
      "invalid_event",
      /idempotencyKey: must be 1 to 255/,
    ],
    [
      "seconds for milliseconds",
      ["project_created", { name: "x" }, { ...acme, occurredAt: 1_767_225_600 }],
      "invalid_event",
      /occurredAt: must be integer epoch milliseconds/,
    ],
    [
      "an actor without id",
      ["project_created", { name: "x" }, { ...acme, actor: {} }],
      "invalid_event",
      /actor: must be plain JSON/,
    ],
    [
      "a malformed trace",
      ["project_created", { name: "x" }, { ...acme, trace: { traceparent: "x" } }],
      "invalid_event",
      /trace: must have a `traceparent`/,
    ],
    [
      "more than 256 KiB",
      ["project_created", { name: "x".repeat(262_144) }, acme],
      "invalid_event",
      /more than 262144/,
    ],
  ];
  it.each(wrong)("refuses %s, and writes nothing", async (_name, args, code, message) => {
    const { bus, events } = setup();
    const publishing = (bus.publish as (...args: unknown[]) => Promise<unknown>)(...args);
    await expect(publishing).rejects.toSatisfy((error) => isPosthornError(error, code as never));
    await expect(publishing).rejects.toThrow(message);
    expect(await events()).toEqual([]);
  });

  it("takes data of exactly 256 KiB", async () => {
    const { bus } = setup();
    const name = "x".repeat(262_144 - '{"name":""}'.length);
    await expect(bus.publish("project_created", { name }, acme)).resolves.toMatchObject({
      data: { name },
    });
  });

  it("carries any text unchanged: quotes, NUL, emoji, line ends", async () => {
    const { bus } = setup();
    const name = `"quoted" \\ \0 \u2028 😀 e\u0301 \ud800`;
    const { id } = await bus.publish("project_created", { name }, acme);
    expect((await bus.events.get({ ...acme, id })).data).toEqual({ name });
  });

  it("refuses an event of another organization to whoever asks for it", async () => {
    const { bus } = setup();
    const { id } = await bus.publish("project_created", { name: "x" }, acme);
    await expect(bus.events.get({ organization: "globex", id })).rejects.toThrow(
      /There is no event/,
    );
  });
});

describe("an idempotency key", () => {
  const keyed = { ...acme, idempotencyKey: "k1" };

  it("answers the first event to a publish of the same", async () => {
    const { bus, events } = setup();
    const first = await bus.publish("project_created", { name: "x" }, keyed);
    const again = await bus.publish("project_created", { name: "x" }, keyed);
    expect(again).toEqual(first);
    expect(await events()).toHaveLength(1);
  });

  it("makes one event of a hundred concurrent publishes", async () => {
    const { bus, events } = setup();
    const published = await Promise.all(
      Array.from({ length: 100 }, () => bus.publish("project_created", { name: "x" }, keyed)),
    );
    expect(new Set(published.map(({ id }) => id)).size).toBe(1);
    expect(await events()).toHaveLength(1);
  });

  it("refuses other data, and another type, with the same key", async () => {
    const { bus, events } = setup();
    await bus.publish("project_created", { name: "x" }, keyed);
    for (const [type, name] of [
      ["project_created", "y"],
      ["project_updated", "x"],
    ] as const) {
      const publishing = bus.publish(type, { name }, keyed);
      await expect(publishing).rejects.toSatisfy((error) =>
        isPosthornError(error, "idempotency_conflict"),
      );
    }
    expect(await events()).toHaveLength(1);
  });

  it("belongs to its organization", async () => {
    const { bus } = setup();
    const first = await bus.publish("project_created", { name: "x" }, keyed);
    const other = await bus.publish(
      "project_created",
      { name: "y" },
      { ...keyed, organization: "globex" },
    );
    expect(other.id).not.toBe(first.id);
  });

  it("does not deliver the event twice", async () => {
    const { bus, sent } = setup();
    await bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "probe",
      configuration: { to: "a" },
    });
    await bus.publish("project_created", { name: "x" }, keyed);
    await bus.publish("project_created", { name: "x" }, keyed);
    await bus.drain();
    expect(sent).toHaveLength(1);
  });
});

describe("publishMany", () => {
  const event = (name: string, more = {}) =>
    ({ type: "project_created", data: { name }, organization: "acme", ...more }) as const;

  it("stores all, in order", async () => {
    const { bus, events } = setup();
    const published = await bus.publishMany([event("a"), event("b"), event("c")]);
    expect(published.map(({ data }) => data)).toEqual([
      { name: "a" },
      { name: "b" },
      { name: "c" },
    ]);
    expect((await events()).toReversed()).toEqual(published);
    expect(await bus.publishMany([])).toEqual([]);
  });

  it("stores none if one is wrong, and says which", async () => {
    const { bus, events } = setup();
    const publishing = bus.publishMany([event("a"), event(7 as never), event("c")]);
    await expect(publishing).rejects.toThrow(
      /events\[1\]: Event "project_created" has invalid data/,
    );
    expect(await events()).toEqual([]);
  });

  it("refuses a transaction that is given with one of them, or by another name", async () => {
    const { bus, events } = setup();
    const one = { ...event("a"), tx: {} } as never;
    await expect(bus.publishMany([event("a"), one])).rejects.toThrow(
      /^events\[1\]: .*tx: is no opt/,
    );
    const options = { trx: {} } as never;
    await expect(bus.publishMany([event("a")], options)).rejects.toThrow(
      'publishMany: trx: is no option. Did you mean "tx"?',
    );
    expect(await events()).toEqual([]);
  });

  it("refuses more than 10,000", async () => {
    const { bus } = setup();
    const many = Array.from({ length: 10_001 }, () => event("a"));
    await expect(bus.publishMany(many)).rejects.toThrow(/at most 10000/);
  });
});

describe("publishSync", () => {
  const slow = defineCatalog({
    ...catalog,
    slow: {
      schema: v.pipeAsync(
        v.object({}),
        v.checkAsync(async () => true),
      ),
    },
  });

  it("publishes in the host's transaction without a promise", async () => {
    const { handler } = probe({ now: () => 0 });
    const bus = createTestBus({ catalog, handlers: [handler] });
    const tx = {};
    const event = bus.publishSync("project_created", { name: "x" }, { ...acme, tx });
    expect((await bus.events.list(acme)).items).toEqual([]);
    await bus.commit(tx);
    expect((await bus.events.list(acme)).items).toEqual([event]);
  });

  it("refuses a schema that validates asynchronously, before anything is written", async () => {
    const bus = createTestBus({ catalog: slow, handlers: [] });
    const tx = {};
    expect(() => bus.publishSync("slow", {}, { ...acme, tx })).toThrow(/validates asynchronously/);
    await bus.commit(tx);
    expect((await bus.events.list(acme)).items).toEqual([]);
  });

  it("is refused by a storage that cannot write synchronously", () => {
    const bus = createEventBus({ catalog, handlers: [], storage: memoryStorage() });
    expect(() =>
      bus.publishSync("project_created", { name: "x" }, { ...acme, tx: {} as never }),
    ).toThrow(/cannot write synchronously/);
  });
});
