import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type EventBus,
  type Handler,
  type Logger,
  type Storage,
} from "@posthorn/core";
import { any, strictObject } from "valibot";
import type { World } from "../../packages/rest/test/acme.ts";

const catalog = defineCatalog({ anything: { schema: any() } });

/** A bus whose events may have any data, so that no schema refuses what JSON should. */
export interface Anything {
  readonly bus: EventBus<typeof catalog, Handler>;
  readonly organization: string;
  /** The payloads that the default handler was given. */
  readonly payloads: readonly string[];
  /** What was logged. */
  readonly logged: readonly { readonly fields: object; readonly message: string }[];
  /** Publishes to one subscription, and answers all that is told of its delivery. */
  deliver(data: unknown): Promise<unknown>;
}

let organizations = 0;

/** A bus on the world's storage, for an organization that is not the world's. */
export function anything(
  { bus: { system } }: World,
  storage: Storage,
  { handler, configuration = {} }: { handler?: Handler; configuration?: object } = {},
): Anything {
  organizations += 1;
  const organization = `anything-${organizations}`;
  const payloads: string[] = [];
  const logged: { fields: object; message: string }[] = [];
  const note = (fields: object, message: string): void => void logged.push({ fields, message });
  const keeper = defineHandler({
    type: "keeper",
    configuration: strictObject({}),
    deliver: async ({ event }) => {
      payloads.push(event.payload);
      return delivered();
    },
  });
  const used: Handler = handler ?? keeper;
  const bus = createEventBus<typeof catalog, Handler>({
    catalog,
    storage,
    system,
    handlers: [used],
    logger: { debug: note, info: note, warn: note, error: note } satisfies Logger,
    encryptionKeys: [
      { id: "1", key: Buffer.from("a key for tests that is no other's").subarray(0, 32) },
    ],
  });
  return {
    bus,
    organization,
    payloads,
    logged,
    deliver: async (data) => {
      const { type } = used;
      await bus.subscriptions.create({
        organization,
        name: "Anything",
        eventTypes: ["*"],
        type,
        configuration,
      });
      await bus.publish("anything", data, { organization });
      await bus.drain();
      const [delivery] = (await bus.deliveries.list({ organization })).items;
      return bus.deliveries.get({ organization, id: delivery?.id ?? "" });
    },
  };
}
