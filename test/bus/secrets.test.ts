import { randomBytes } from "node:crypto";
import {
  createEventBus,
  defineHandler,
  delivered,
  type EncryptionKey,
  failed,
  gone,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { virtualSystem } from "@posthorn/testing";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { catalog } from "./probe.ts";

const acme = { organization: "acme" } as const;
const CANARY = 'xoxb-canary-"71b7f3a2e9"-\\end';

const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32).toString("base64") });

/** A bus over a storage that notes everything it is told, and a logger that notes everything. */
function setup(
  keys: readonly EncryptionKey[],
  storage = memoryStorage(),
  system = virtualSystem(),
) {
  const told: unknown[] = [];
  const noting = <Methods extends object>(methods: Methods): Methods =>
    new Proxy(methods, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member === "object" && member !== null) return noting(member);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          told.push([String(name), args]);
          return member.apply(target, args);
        };
      },
    });
  const log = (fields: object, text: string): void => void told.push([fields, text]);
  const outcomes: Outcome[] = [];
  const seen: string[] = [];
  const handler = defineHandler({
    type: "leaky",
    configuration: v.strictObject({ token: v.string(), room: v.string() }),
    secrets: ["token"],
    gates: ({ token }) => [{ name: "token", key: token, limit: 1, perMs: 1, burst: 100 }],
    deliver: async ({ configuration, logger }) => {
      seen.push(configuration.token);
      logger.info({ room: configuration.room }, "delivering");
      const outcome = outcomes.shift();
      if (outcome === undefined) throw new Error(`cannot reach https://x/?t=${CANARY}`);
      return outcome;
    },
  });
  const bus = createEventBus({
    catalog,
    handlers: [handler],
    storage: noting(storage),
    system,
    encryptionKeys: keys,
    logger: { debug: log, info: log, warn: log, error: log },
  });
  bus.lifecycle.on("*", (name, report) => void told.push([name, report]));
  const create = () =>
    bus.subscriptions.create({
      ...acme,
      name: "n",
      eventTypes: ["*"],
      type: "leaky",
      configuration: { token: CANARY, room: "general" },
    });
  return { bus, system, told, outcomes, seen, create };
}

const everything = (told: unknown): string =>
  JSON.stringify(told, (_key, value: unknown) =>
    value instanceof Error ? { ...value, message: value.message, stack: value.stack } : value,
  );

/** The parts of the canary that would give it away, however it was escaped. */
const traces = ["xoxb-canary", "71b7f3a2e9"];

describe("a secret", () => {
  it("is nowhere but in the handler's hands: not in storage, logs, errors, answers or lifecycle events", async () => {
    const { bus, system, told, outcomes, seen, create } = setup([key("k1")]);
    const note = {
      remedy: `try ${CANARY}`,
      details: { deep: [CANARY] },
      state: { pinned: CANARY },
    };
    outcomes.push(
      failed(`failed with ${CANARY}`, note),
      throttled({ retryAfterMs: 1, gate: "token", reason: CANARY, ...note }),
      unknown(encodeURIComponent(CANARY), note),
      delivered({ ...note, warning: CANARY }),
      rejected(CANARY, note),
      gone(CANARY, note),
    );
    const { id } = await create();
    const reference = { ...acme, id };
    told.push(await bus.subscriptions.get(reference));
    told.push(await bus.subscriptions.update(reference, { configuration: { room: "random" } }));
    for (let index = 0; index < 4; index += 1) {
      await bus.publish("project_created", { name: "x" }, acme);
      await bus.drain();
      system.moveTo(system.now() + 60 * 60_000);
      await bus.drain();
    }
    told.push(await bus.subscriptions.update(reference, { enabled: true }));
    await bus.subscriptions.test(reference);
    await bus.drain();
    const wrong = [
      bus.subscriptions.update(reference, { configuration: { room: 7 as never } }),
      bus.subscriptions.create({
        ...acme,
        name: "",
        eventTypes: ["*"],
        type: "leaky",
        configuration: { token: CANARY, room: "r" },
      }),
      bus.subscriptions.create({
        ...acme,
        name: "n",
        eventTypes: ["*"],
        type: "leaky",
        configuration: { token: CANARY } as never,
      }),
    ];
    for (const promise of wrong) told.push(await promise.catch((error: unknown) => error));
    for (const { id: delivery } of (await bus.deliveries.list(acme)).items) {
      told.push(await bus.deliveries.get({ ...acme, id: delivery }));
    }
    told.push((await bus.subscriptions.list(acme)).items, await bus.health());
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(new Set(seen)).toEqual(new Set([CANARY]));
    for (const trace of traces) expect(everything(told)).not.toContain(trace);
  });

  it("would be found by this test if it leaked", () => {
    for (const trace of traces) expect(everything([{ secret: CANARY }])).toContain(trace);
  });

  it("does not open in another subscription's row", async () => {
    const storage = memoryStorage();
    const { bus, create, seen, told } = setup([key("k1")], storage);
    const victim = await create();
    const thief = await create();
    const stolen = await storage.subscriptions.get({ ...acme, id: victim.id });
    const own = await storage.subscriptions.get({ ...acme, id: thief.id });
    if (stolen === null || own === null) throw new Error("not stored");
    const keyId = stolen.secrets["token"]?.split(".")[1] ?? "";
    await storage.subscriptions.update(
      { ...own, secrets: stolen.secrets, version: own.version + 1 },
      { gates: [], keyId, gateKeyId: null, order: "none", parked: false },
    );
    await bus.publish("project_created", { name: "x" }, acme);
    await bus.drain();
    expect(seen).toHaveLength(1);
    expect(everything(told)).toContain("cannot be opened");
    const { items } = await bus.deliveries.list({ ...acme, subscriptionId: thief.id });
    expect(items).toMatchObject([{ status: "pending", attempts: 0, lapses: 0 }]);
  });
});

describe("key rotation", () => {
  it("seals everything anew, after which the old key may go", async () => {
    const storage = memoryStorage();
    const system = virtualSystem();
    const [old, fresh] = [key("old"), key("fresh")];
    const before = setup([old], storage, system);
    for (let index = 0; index < 3; index += 1) await before.create();
    const during = setup([fresh, old], storage, system);
    expect(await during.bus.reseal()).toEqual({ resealed: 3 });
    expect(await during.bus.reseal()).toEqual({ resealed: 0 });
    const after = setup([fresh], storage, system);
    after.outcomes.push(delivered(), delivered(), delivered());
    await after.bus.publish("project_created", { name: "x" }, acme);
    await after.bus.drain();
    expect(after.seen).toEqual([CANARY, CANARY, CANARY]);
  });

  it("leaves deliveries waiting where the key is gone, unspent, and health says why", async () => {
    const storage = memoryStorage();
    const system = virtualSystem();
    const old = key("old");
    await setup([old], storage, system).create();
    const without = setup([key("fresh")], storage, system);
    await without.bus.publish("project_created", { name: "x" }, acme);
    await without.bus.drain();
    expect(without.seen).toEqual([]);
    expect((await without.bus.deliveries.list(acme)).items).toMatchObject([
      { status: "pending", attempts: 0, lapses: 0 },
    ]);
    expect(await without.bus.health()).toMatchObject({
      status: "degraded",
      problems: [
        {
          code: "missing_encryption_key",
          detail: expect.stringContaining('1 deliveries of type "leaky" wait for the key "old"'),
        },
      ],
    });
    await expect(without.bus.reseal()).rejects.toMatchObject({ code: "missing_encryption_key" });
    const back = setup([old], storage, system);
    back.outcomes.push(delivered());
    await back.bus.drain();
    expect(back.seen).toEqual([CANARY]);
    expect(await back.bus.health()).toMatchObject({ status: "ok", problems: [] });
  });
});

describe("health", () => {
  it("names deliveries whose handler no process has, and they spend nothing", async () => {
    const storage = memoryStorage();
    const k = key("k");
    await setup([k], storage).create();
    const other = createEventBus({ catalog, handlers: [], storage });
    await other.publish("project_created", { name: "x" }, acme);
    await other.drain();
    expect(await other.health()).toMatchObject({
      status: "degraded",
      dispatcher: "idle",
      problems: [{ code: "no_handler", detail: expect.stringContaining('of type "leaky"') }],
    });
  });

  it("says that the storage is down, without throwing", async () => {
    const storage = memoryStorage();
    const bus = createEventBus({ catalog, handlers: [], storage });
    await storage.close();
    expect(await bus.health()).toMatchObject({
      status: "down",
      backlog: null,
      problems: [{ code: "storage_down" }],
    });
  });
});
