import {
  createEventBus,
  defineHandler,
  delivered,
  isPosthornError,
  MASK,
  type Verification,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { createTestBus } from "@posthorn/testing";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { catalog, probe } from "./probe.ts";

const acme = { organization: "acme" } as const;
const input = {
  ...acme,
  name: "Changes",
  eventTypes: ["project_*"],
  type: "probe",
  configuration: { to: "a", token: "s3cret-token" },
} as const;

function setup() {
  const { handler, sent } = probe({ now: () => 0 });
  const bus = createTestBus({ catalog, handlers: [handler] });
  return { bus, sent, handler };
}

/** Calls with anything, as JavaScript callers and request bodies do. */
const loose = (call: unknown) => call as (...args: unknown[]) => Promise<unknown>;

describe("subscriptions.create", () => {
  it("answers what was stored, with secrets masked", async () => {
    const { bus } = setup();
    const created = await bus.subscriptions.create(input);
    expect(created).toEqual({
      id: expect.any(String),
      organization: "acme",
      name: "Changes",
      eventTypes: ["project_*"],
      type: "probe",
      configuration: { to: "a", token: MASK },
      order: "none",
      enabled: true,
      disabledReason: null,
      status: "unverified",
      statusDetail: null,
      statusCheckedAt: null,
      createdAt: bus.system.now(),
      updatedAt: bus.system.now(),
    });
    expect(await bus.subscriptions.get({ ...acme, id: created.id })).toEqual(created);
  });

  const wrong: readonly (readonly [string, object, string, RegExp])[] = [
    [
      "an unknown event type",
      { eventTypes: ["project_crated"] },
      "unknown_event_type",
      /eventTypes\.0: Unknown event type "project_crated"\. Did you mean "project_created"\?/,
    ],
    [
      "a pattern that matches nothing",
      { eventTypes: ["invoices_*"] },
      "unknown_event_type",
      /Did you mean "invoice_\*"\?/,
    ],
    [
      "a pattern that does not end at a separator",
      { eventTypes: ["proj*"] },
      "unknown_event_type",
      /Unknown event type "proj\*"/,
    ],
    [
      "a star in the middle",
      { eventTypes: ["*_created"] },
      "unknown_event_type",
      /Unknown event type/,
    ],
    [
      "a reserved event type",
      { eventTypes: ["webhook_test"] },
      "unknown_event_type",
      /Unknown event type "webhook_test"/,
    ],
    [
      "no event types",
      { eventTypes: [] },
      "invalid_subscription",
      /eventTypes: must name at least one event type; known: project_created/,
    ],
    [
      "a repeated event type",
      { eventTypes: ["*", "*"] },
      "invalid_subscription",
      /eventTypes\.1: "\*" is given twice/,
    ],
    [
      "event types that are no array",
      { eventTypes: "*" },
      "invalid_subscription",
      /eventTypes: must be an array/,
    ],
    [
      "an event type that is no string",
      { eventTypes: [7] },
      "invalid_subscription",
      /eventTypes\.0: must be a string/,
    ],
    [
      "101 event types",
      { eventTypes: Array.from({ length: 101 }, (_, index) => `x${index}`) },
      "invalid_subscription",
      /at most 100/,
    ],
    [
      "an unknown type",
      { type: "prob" },
      "unknown_handler_type",
      /Unknown type "prob"\. Did you mean "probe"\? Known: probe\./,
    ],
    ["a type that is no string", { type: 7 }, "unknown_handler_type", /Unknown type 7/],
    ["an empty name", { name: " " }, "invalid_subscription", /name: must not be empty/],
    [
      "a long name",
      { name: "x".repeat(257) },
      "invalid_subscription",
      /name: must have at most 256/,
    ],
    [
      "a control character in the name",
      { name: "a\nb" },
      "invalid_subscription",
      /name: must not contain control/,
    ],
    [
      "enabled that is no boolean",
      { enabled: "false" },
      "invalid_subscription",
      /enabled: must be true or false/,
    ],
    [
      "no organization",
      { organization: "" },
      "invalid_subscription",
      /organization: must not be empty/,
    ],
    [
      "no configuration",
      { configuration: null },
      "invalid_subscription",
      /configuration: must be an object/,
    ],
    [
      "a wrong configuration",
      { configuration: { to: "" } },
      "invalid_configuration",
      /configuration\.to: must not be empty/,
    ],
    [
      "an unknown configuration key",
      { configuration: { to: "a", extra: 1 } },
      "invalid_configuration",
      /configuration\.extra/,
    ],
    [
      "a configuration that is not JSON",
      { configuration: { to: new Date() } },
      "invalid_subscription",
      /configuration\.to: a Date is not JSON/,
    ],
    [
      "the mask for a secret",
      { configuration: { to: "a", token: MASK } },
      "invalid_configuration",
      /configuration\.token: is the mask/,
    ],
    [
      "a prototype in the configuration",
      { configuration: JSON.parse('{"to":"a","__proto__":{"x":1}}') },
      "invalid_configuration",
      /__proto__/,
    ],
  ];
  it.each(wrong)("refuses %s, and stores nothing", async (_name, change, code, message) => {
    const { bus } = setup();
    const creating = loose(bus.subscriptions.create)({ ...input, ...change });
    await expect(creating).rejects.toThrow(message);
    await expect(creating).rejects.toSatisfy((error) => isPosthornError(error, code as never));
    expect((await bus.subscriptions.list(acme)).items).toEqual([]);
  });

  it("names every mistake at once, each with its place", async () => {
    const { bus } = setup();
    const creating = loose(bus.subscriptions.create)({
      ...input,
      name: "",
      eventTypes: ["x", 7],
      enabled: 1,
    });
    await expect(creating).rejects.toMatchObject({
      issues: [
        { path: ["name"], code: "empty" },
        { path: ["eventTypes", 0], code: "unknown_event_type" },
        { path: ["eventTypes", 1], code: "invalid" },
        { path: ["enabled"], code: "invalid" },
      ],
    });
  });

  it("refuses to store a secret without a key, and says how to make one", async () => {
    const { handler } = probe({ now: () => 0 });
    const bus = createEventBus({ catalog, handlers: [handler], storage: memoryStorage() });
    const creating = bus.subscriptions.create(input);
    await expect(creating).rejects.toThrow(
      /"token" is a secret, and the bus has no encryption key.*randomBytes\(32\)/,
    );
    await expect(
      bus.subscriptions.create({ ...input, configuration: { to: "a" } }),
    ).resolves.toBeDefined();
  });

  it("creates once for one idempotency key, and refuses other input with it", async () => {
    const { bus } = setup();
    const first = await bus.subscriptions.create(input, { idempotencyKey: "k" });
    expect(await bus.subscriptions.create(input, { idempotencyKey: "k" })).toEqual(first);
    const otherSecret = {
      ...input,
      configuration: { ...input.configuration, token: "another-token" },
    };
    await expect(bus.subscriptions.create(otherSecret, { idempotencyKey: "k" })).rejects.toSatisfy(
      (error) => isPosthornError(error, "idempotency_conflict"),
    );
    await bus.subscriptions.update({ ...acme, id: first.id }, { name: "Renamed" });
    expect(await bus.subscriptions.create(input, { idempotencyKey: "k" })).toMatchObject({
      name: "Renamed",
    });
    expect((await bus.subscriptions.list(acme)).items).toHaveLength(1);
  });
});

describe("a handler's verify", () => {
  function verifying(verify: (token: string | undefined) => Promise<Verification>) {
    const handler = defineHandler({
      type: "checked",
      configuration: v.strictObject({ token: v.string() }),
      secrets: ["token"],
      verify: ({ token }) => verify(token),
      deliver: async () => delivered(),
    });
    return createTestBus({ catalog, handlers: [handler] });
  }
  const checked = { ...input, type: "checked", configuration: { token: "t0ken-t0ken" } } as const;

  it("sets the status it finds", async () => {
    const ok = await verifying(async () => ({ status: "ok" })).subscriptions.create(checked);
    expect(ok).toMatchObject({ status: "ok", statusDetail: null });
    const warned = await verifying(async () => ({
      status: "warning",
      detail: "no scope",
    })).subscriptions.create(checked);
    expect(warned).toMatchObject({ status: "warning", statusDetail: "no scope" });
  });

  it("may refuse, and then nothing is stored", async () => {
    const bus = verifying(async () => ({
      status: "refused",
      issues: [{ key: "token", message: "Slack says invalid_auth" }],
    }));
    const creating = bus.subscriptions.create(checked);
    await expect(creating).rejects.toMatchObject({
      code: "handler_refused",
      issues: [{ path: ["configuration", "token"], message: "Slack says invalid_auth" }],
    });
    expect((await bus.subscriptions.list(acme)).items).toEqual([]);
  });

  it("that fails does not block saving", async () => {
    const bus = verifying(async () => {
      throw new Error("network");
    });
    expect(await bus.subscriptions.create(checked)).toMatchObject({ status: "unverified" });
  });

  it("is not asked inside a host's transaction, nor for a change of the name", async () => {
    let asked = 0;
    const bus = verifying(async () => {
      asked += 1;
      return { status: "ok" };
    });
    await bus.subscriptions.create(checked, { tx: {} });
    expect(asked).toBe(0);
    const { id } = await bus.subscriptions.create(checked);
    await bus.subscriptions.update({ ...acme, id }, { name: "New" });
    expect(asked).toBe(1);
    expect(await bus.subscriptions.get({ ...acme, id })).toMatchObject({ status: "ok" });
  });
});

describe("subscriptions.update", () => {
  async function existing() {
    const { bus, sent } = setup();
    const { id } = await bus.subscriptions.create(input);
    const reference = { ...acme, id };
    const change = loose(bus.subscriptions.update);
    return { bus, sent, reference, change };
  }

  it("changes what is given and keeps the rest, secrets included", async () => {
    const { bus, reference } = await existing();
    bus.system.moveTo(bus.system.now() + 1_000);
    const updated = await bus.subscriptions.update(reference, { configuration: { to: "b" } });
    expect(updated).toMatchObject({
      name: "Changes",
      configuration: { to: "b", token: MASK },
      updatedAt: bus.system.now(),
      createdAt: bus.system.now() - 1_000,
    });
  });

  it("keeps a stored secret where the mask is sent back", async () => {
    const { bus, reference } = await existing();
    const configuration = { to: "b", token: MASK };
    const updated = await bus.subscriptions.update(reference, { configuration });
    expect(updated.configuration).toEqual(configuration);
  });

  it("replaces the configuration if asked, but for secrets that are absent", async () => {
    const { bus, reference, change } = await existing();
    await expect(
      change(reference, { configuration: {}, replaceConfiguration: true }),
    ).rejects.toThrow(/configuration\.to/);
    const replaced = await bus.subscriptions.update(reference, {
      configuration: { to: "c" },
      replaceConfiguration: true,
    });
    expect(replaced.configuration).toEqual({ to: "c", token: MASK });
  });

  it("checks the merged result as a whole, and refuses null", async () => {
    const { bus, reference, change } = await existing();
    await expect(change(reference, { configuration: { token: null } })).rejects.toThrow(
      /configuration\.token/,
    );
    await expect(change(reference, { configuration: { extra: 1 } })).rejects.toThrow(
      /configuration\.extra/,
    );
    await expect(change(reference, { eventTypes: [] })).rejects.toThrow(/at least one/);
    await expect(change(reference, { name: null })).rejects.toThrow(/name: must be a string/);
    expect(await bus.subscriptions.get(reference)).toMatchObject({ configuration: { to: "a" } });
  });

  it("applies to deliveries that are already waiting", async () => {
    const { bus, sent, reference } = await existing();
    await bus.subscriptions.update(reference, { enabled: false });
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    expect(sent).toHaveLength(0);
    await bus.subscriptions.update(reference, { configuration: { to: "moved" }, enabled: true });
    await bus.drain();
    expect(sent).toMatchObject([{ to: "moved" }]);
  });

  it("keeps every one of concurrent changes", async () => {
    const { bus, reference } = await existing();
    await Promise.all([
      bus.subscriptions.update(reference, { name: "Renamed" }),
      bus.subscriptions.update(reference, { configuration: { to: "b" } }),
      bus.subscriptions.update(reference, { eventTypes: ["*"] }),
    ]);
    expect(await bus.subscriptions.get(reference)).toMatchObject({
      name: "Renamed",
      configuration: { to: "b" },
      eventTypes: ["*"],
    });
  });
});

describe("a subscription that is switched off while somebody changes it", () => {
  it("stays off, and has the change", async () => {
    const sound = memoryStorage();
    const { handler } = probe({ now: () => 0 });
    let isGone = false;
    const storage = {
      ...sound,
      subscriptions: {
        ...sound.subscriptions,
        get: async (reference: { organization: string; id: string }) => {
          const record = await sound.subscriptions.get(reference);
          if (isGone && record !== null) {
            isGone = false;
            await sound.subscriptions.report(record, { disabledReason: "It is gone." });
          }
          return record;
        },
      },
    };
    const encryptionKeys = [{ id: "a", key: Uint8Array.from({ length: 32 }, (_, at) => at) }];
    const bus = createEventBus({ catalog, handlers: [handler], storage, encryptionKeys });
    const { id } = await bus.subscriptions.create(input);
    isGone = true;
    expect(await bus.subscriptions.update({ ...acme, id }, { name: "Other" })).toMatchObject({
      name: "Other",
      enabled: false,
      disabledReason: "It is gone.",
    });
  });
});

describe("an organization", () => {
  it("finds no other organization's subscription, whatever it tries", async () => {
    const { bus } = setup();
    const { id } = await bus.subscriptions.create(input);
    const foreign = { organization: "globex", id };
    const messages = await Promise.all(
      [
        bus.subscriptions.get(foreign),
        bus.subscriptions.update(foreign, { name: "mine" }),
        bus.subscriptions.delete(foreign),
        bus.subscriptions.test(foreign),
        bus.subscriptions.get({ organization: "globex", id: "nonsense" }),
      ].map((promise) =>
        promise.then(
          () => "found",
          (error: Error) => error.message.replaceAll(/"[^"]+"/g, "…"),
        ),
      ),
    );
    expect(new Set(messages)).toEqual(
      new Set([
        "There is no subscription … in this organization. Check the id and the organization.",
      ]),
    );
    expect((await bus.subscriptions.list({ organization: "globex" })).items).toEqual([]);
  });
});

describe("subscriptions.delete", () => {
  it("cancels what is pending, keeps the history, and delivers nothing more", async () => {
    const { bus, sent } = setup();
    const { id } = await bus.subscriptions.create({ ...input, enabled: false });
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    await bus.subscriptions.delete({ ...acme, id });
    await bus.publish("project_created", { name: "y" }, acme);
    await bus.advance(120_000);
    expect(sent).toEqual([]);
    const { items } = await bus.deliveries.list({ ...acme, subscriptionId: id });
    expect(items).toMatchObject([{ status: "canceled", reason: "the webhook was deleted" }]);
    await expect(bus.subscriptions.get({ ...acme, id })).rejects.toThrow(
      /There is no subscription/,
    );
  });
});

describe("subscriptions.test", () => {
  it("delivers a webhook_test to a subscription, whatever its event types", async () => {
    const { bus, sent } = setup();
    const { id } = await bus.subscriptions.create({ ...input, eventTypes: ["invoice_paid"] });
    const delivery = await bus.subscriptions.test({ ...acme, id });
    expect(delivery).toMatchObject({
      status: "pending",
      eventType: "webhook_test",
      subscriptionId: id,
    });
    await bus.drain();
    expect(sent).toMatchObject([{ type: "webhook_test", to: "a" }]);
    expect(await bus.deliveries.get({ ...acme, id: delivery.id })).toMatchObject({
      status: "delivered",
    });
    expect(await bus.subscriptions.get({ ...acme, id })).toMatchObject({ status: "ok" });
  });
});

describe("deliveries", () => {
  async function ended(reply?: Parameters<typeof probe>[0]["reply"]) {
    const { handler, sent } = probe({ now: () => 0, ...(reply && { reply }) });
    const bus = createTestBus({ catalog, handlers: [handler] });
    const { id: subscriptionId } = await bus.subscriptions.create(input);
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    const [delivery] = (await bus.deliveries.list(acme)).items;
    return { bus, sent, subscriptionId, reference: { ...acme, id: delivery?.id ?? "" } };
  }

  it("can be repeated once they have ended, as new deliveries of the same event", async () => {
    const { bus, sent, reference } = await ended();
    const again = await bus.deliveries.redeliver(reference);
    expect(again).toMatchObject({ status: "pending", redeliveryOf: reference.id });
    await bus.drain();
    expect(sent).toHaveLength(2);
    expect(sent[0]?.eventId).toBe(sent[1]?.eventId);
    expect((await bus.deliveries.list(acme)).items.map(({ status }) => status)).toEqual([
      "delivered",
      "delivered",
    ]);
  });

  it("cannot be repeated while they are pending, nor once their subscription is deleted", async () => {
    const { bus, reference } = await ended(() => ({ type: "failed", reason: "no" }));
    await expect(bus.deliveries.redeliver(reference)).rejects.toMatchObject({
      code: "delivery_pending",
    });
    const finished = await ended();
    await finished.bus.subscriptions.delete({ ...acme, id: finished.subscriptionId });
    await expect(finished.bus.deliveries.redeliver(finished.reference)).rejects.toMatchObject({
      code: "subscription_deleted",
    });
  });

  it("can be canceled while they are pending, and not after", async () => {
    const { bus, sent, reference } = await ended(() => ({ type: "failed", reason: "no" }));
    expect(await bus.deliveries.cancel(reference)).toMatchObject({
      status: "canceled",
      reason: "Canceled by an operator.",
    });
    await bus.advance(3_600_000);
    expect(sent).toHaveLength(1);
    await expect(bus.deliveries.cancel(reference)).rejects.toMatchObject({
      code: "delivery_not_pending",
    });
  });

  it("are listed newest first, page by page in both directions, by subscription, event and status", async () => {
    const { handler } = probe({ now: () => 0 });
    const bus = createTestBus({ catalog, handlers: [handler] });
    await bus.subscriptions.create(input);
    for (let index = 0; index < 7; index += 1) {
      await bus.publish("project_created", { name: `p${index}` }, acme);
      bus.system.moveTo(bus.system.now() + 1);
    }
    await bus.drain();
    const all = (await bus.deliveries.list({ ...acme, limit: 100 })).items;
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    const first = await bus.deliveries.list({ ...acme, limit: 3 });
    expect(first).toMatchObject({ items: all.slice(0, 3), previous: null });
    const second = await bus.deliveries.list({ ...acme, limit: 3, after: first.next ?? "" });
    expect(second.items).toEqual(all.slice(3, 6));
    const back = await bus.deliveries.list({ ...acme, limit: 3, before: second.previous ?? "" });
    expect(back.items).toEqual(first.items);
    const last = await bus.deliveries.list({ ...acme, limit: 3, after: second.next ?? "" });
    expect(last).toMatchObject({ items: all.slice(6), next: null });
    expect((await bus.deliveries.list({ ...acme, status: "dead" })).items).toEqual([]);
    expect((await bus.deliveries.list({ ...acme, eventId: all[2]?.eventId })).items).toEqual([
      all[2],
    ]);
    for (const limit of [0, 101, 1.5, Number.NaN]) {
      await expect(bus.deliveries.list({ ...acme, limit })).rejects.toMatchObject({
        code: "invalid_page",
      });
    }
  });
});
