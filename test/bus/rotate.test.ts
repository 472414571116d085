import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createEventBus,
  defineHandler,
  delivered,
  type EncryptionKey,
  isPosthornError,
  type Storage,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { virtualSystem } from "@posthorn/testing";
import * as v from "valibot";
import { afterAll, describe, expect, it } from "vitest";
import { catalog } from "./probe.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-rotate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HOUR_MS = 3_600_000;
const organization = "acme";
const keyOf = (id: string, fill: number): EncryptionKey => ({
  id,
  key: Buffer.from(Array.from({ length: 32 }, (_, index) => index ^ fill)),
});
const keys = [keyOf("one", 1)];

/** A bus whose handler notes which secrets it is called with. */
function setup(
  storage: Storage = memoryStorage(),
  encryptionKeys = keys,
  system = virtualSystem(),
) {
  const used: (readonly string[])[] = [];
  let made = 0;
  const handler = defineHandler({
    type: "signed",
    configuration: v.strictObject({ place: v.string(), secret: v.optional(v.string()) }),
    secrets: ["secret"],
    generates: {
      key: "secret",
      create: ({ place }, random) => {
        made += 1;
        return `secret-${place}-${random(2).length}-${made}`;
      },
      shown: (secret) => `shown ${secret}`,
    },
    deliver: async ({ configuration, previousSecrets = [] }) => {
      used.push([configuration.secret ?? "none", ...previousSecrets]);
      return delivered({ details: { configuration, previousSecrets } as never });
    },
  });
  const bus = createEventBus({ catalog, storage, handlers: [handler], encryptionKeys, system });
  const create = (configuration = {}) =>
    bus.subscriptions.create({
      organization,
      name: "S",
      eventTypes: ["*"],
      type: "signed",
      configuration: { place: "here", ...configuration },
    });
  return {
    bus,
    used,
    system,
    create,
    /** The secrets with which an event goes out now. */
    secrets: async () => {
      await bus.publish("project_created", { name: "web" }, { organization });
      await bus.drain();
      return used.at(-1);
    },
  };
}

const storages: Readonly<Record<string, () => Promise<Storage>>> = {
  memory: async () => memoryStorage(),
  SQLite: async () => {
    const storage = sqliteStorage({ file: join(folder, `${randomUUID()}.db`) });
    await storage.migrate();
    return storage as Storage;
  },
};

for (const [name, open] of Object.entries(storages)) {
  describe(`a generated secret, in ${name}`, () => {
    it("is made by the handler, shown once, and used", async () => {
      const { bus, create, secrets } = setup(await open());
      const { id, generatedSecret } = await create();
      expect(generatedSecret).toBe("shown secret-here-2-1");
      expect(await bus.subscriptions.get({ organization, id })).not.toHaveProperty(
        "generatedSecret",
      );
      expect(await secrets()).toEqual(["secret-here-2-1"]);
      await bus.stop();
    });

    it("is what the customer gives, if one is given", async () => {
      const { create, secrets } = setup(await open());
      expect(await create({ secret: "my own" })).not.toHaveProperty("generatedSecret");
      expect(await secrets()).toEqual(["my own"]);
    });

    it("is used beside the new one for a day after it was rotated", async () => {
      const { bus, create, secrets, system } = setup(await open());
      const { id } = await create();
      const rotated = await bus.subscriptions.rotateSecret({ organization, id });
      expect(rotated.generatedSecret).toBe("shown secret-here-2-2");
      expect(rotated.previousLiveUntil - rotated.updatedAt).toBe(24 * HOUR_MS);
      expect(await secrets()).toEqual(["secret-here-2-2", "secret-here-2-1"]);
      system.moveTo(rotated.previousLiveUntil - 1_000);
      expect(await secrets()).toEqual(["secret-here-2-2", "secret-here-2-1"]);
      system.moveTo(rotated.previousLiveUntil + 1_000);
      expect(await secrets()).toEqual(["secret-here-2-2"]);
    });

    it("is one of three at the most, and all but the newest can be revoked", async () => {
      const { bus, create, secrets } = setup(await open());
      const { id } = await create();
      const reference = { organization, id };
      await bus.subscriptions.rotateSecret(reference);
      await bus.subscriptions.rotateSecret(reference);
      expect((await secrets())?.toSorted()).toEqual([
        "secret-here-2-1",
        "secret-here-2-2",
        "secret-here-2-3",
      ]);
      await expect(bus.subscriptions.rotateSecret(reference)).rejects.toSatisfy((error) =>
        isPosthornError(error, "too_many_secrets"),
      );
      await bus.subscriptions.revokePreviousSecrets(reference);
      expect(await secrets()).toEqual(["secret-here-2-3"]);
      await bus.subscriptions.rotateSecret(reference, { overlapMs: 0 });
      expect(await secrets()).toEqual(["secret-here-2-4"]);
    });

    it("can be rotated again when those before have ended", async () => {
      const { bus, create, secrets, system } = setup(await open());
      const reference = { organization, id: (await create()).id };
      await bus.subscriptions.rotateSecret(reference);
      const { previousLiveUntil } = await bus.subscriptions.rotateSecret(reference);
      system.moveTo(previousLiveUntil + 10_000);
      await bus.subscriptions.rotateSecret(reference);
      expect(await secrets()).toEqual(["secret-here-2-4", "secret-here-2-3"]);
    });

    it("stays live while other things of its subscription change", async () => {
      const { bus, create, secrets } = setup(await open());
      const { id } = await create();
      const reference = { organization, id };
      await bus.subscriptions.rotateSecret(reference);
      await bus.subscriptions.update(reference, { name: "T" });
      await bus.subscriptions.update(reference, { configuration: { place: "there" } });
      expect(await secrets()).toEqual(["secret-here-2-2", "secret-here-2-1"]);
    });

    it("is sealed again with a new key, the previous ones too", async () => {
      const storage = await open();
      const before = setup(storage);
      const { id } = await before.create();
      await before.bus.subscriptions.rotateSecret({ organization, id });
      const both = setup(storage, [keyOf("two", 2), ...keys], before.system);
      expect(await both.bus.reseal()).toEqual({ resealed: 1 });
      const after = setup(storage, [keyOf("two", 2)], before.system);
      expect(await after.secrets()).toEqual(["secret-here-2-2", "secret-here-2-1"]);
    });

    it("is in no event, attempt or subscription that anybody sees", async () => {
      const { bus, create, secrets } = setup(await open());
      const heard: unknown[] = [];
      bus.lifecycle.on("*", (event) => void heard.push(event));
      const { id } = await create();
      const { generatedSecret: _, ...rotated } = await bus.subscriptions.rotateSecret({
        organization,
        id,
      });
      await secrets();
      const { items } = await bus.deliveries.list({ organization });
      const told: unknown[] = [heard, rotated, await bus.subscriptions.get({ organization, id })];
      for (const delivery of items)
        told.push(await bus.deliveries.get({ organization, id: delivery.id }));
      expect(heard.length).toBeGreaterThan(2);
      expect(JSON.stringify(told)).not.toContain("secret-here");
    });
  });
}

describe("rotating", () => {
  it("is refused for other organizations, and for times that make no sense", async () => {
    const { bus, create } = setup();
    const { id } = await create();
    const foreign = bus.subscriptions.rotateSecret({ organization: "globex", id });
    await expect(foreign).rejects.toSatisfy((error) => isPosthornError(error, "not_found"));
    for (const overlapMs of [-1, 0.5, Number.NaN, 8 * 24 * HOUR_MS]) {
      const wrong = bus.subscriptions.rotateSecret({ organization, id }, { overlapMs });
      await expect(wrong).rejects.toSatisfy((error) =>
        isPosthornError(error, "invalid_subscription"),
      );
    }
  });

  it("of two at once makes two secrets, and loses none", async () => {
    const { bus, create, secrets } = setup();
    const { id } = await create();
    const rotate = () => bus.subscriptions.rotateSecret({ organization, id });
    await Promise.all([rotate(), rotate()]);
    expect(await secrets()).toHaveLength(3);
  });

  it("needs a handler that declares what it generates as one of its secrets", () => {
    const handler = (generates: object, secrets?: readonly string[]) => () =>
      createEventBus({
        catalog,
        storage: memoryStorage(),
        handlers: [
          {
            type: "x",
            configuration: v.object({}),
            secrets,
            generates,
            deliver: async () => delivered(),
          } as never,
        ],
      });
    expect(handler({ key: "secret", create: () => "" })).toThrow("generates");
    expect(handler({ key: "secret", create: () => "" }, ["token"])).toThrow("generates");
    expect(handler({ key: "secret" }, ["secret"])).toThrow("generates");
    expect(handler({ key: "a:b", create: () => "" }, ["a:b"])).toThrow("secrets");
  });
});
