import {
  type Catalog,
  createEventBus,
  defineCatalog,
  type EventBus,
  type EventType,
  type Handler,
} from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { object, string } from "valibot";
import { grounds } from "../ground/grounds.ts";

/** What a process of the load is told when it starts. */
export interface Part {
  readonly name: string;
  readonly database: string;
  readonly slackUrl: string;
  /** How many events it publishes for each channel, in turns. */
  readonly events: readonly number[];
}

/** The event type of a channel, by its number. */
export const typeOf = (channel: number): string => `changed_${channel}`;

/** A bus on the database that all processes of the load share. */
export function loadBus({ database, slackUrl, events }: Omit<Part, "name">): {
  readonly bus: EventBus<Catalog, Handler>;
  readonly storage: ReturnType<(typeof grounds)["sqlite"]["openStorage"]>["storage"];
  close(): Promise<void>;
} {
  const schema: EventType["schema"] = object({ name: string() });
  const types = events.map((_, channel) => [typeOf(channel), { schema }] as const);
  const { storage, close } = grounds.sqlite.openStorage(database);
  const bus = createEventBus({
    catalog: defineCatalog(Object.fromEntries(types)),
    storage,
    handlers: [slack({ baseUrl: slackUrl })],
    encryptionKeys: [{ id: "load", key: Buffer.alloc(32, "a key for the load") }],
    pollMs: 200,
  });
  return { bus: bus as unknown as EventBus<Catalog, Handler>, storage, close };
}
