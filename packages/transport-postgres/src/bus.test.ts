import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type EventBus,
  type Transport,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { postgresTransport } from "@posthorn/transport-postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type FreshDatabase, freshDatabase, postgresServer } from "../../../test/servers.ts";

const anything = {
  "~standard": { version: 1, vendor: "posthorn", validate: (value: unknown) => ({ value }) },
} as const;
const catalog = defineCatalog({ project_created: { schema: anything } });
const DAY_MS = 86_400_000;

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase(postgresServer());
});
afterAll(() => database.drop());

it("a bus delivers, and tells its listeners, what another process published a moment ago", async () => {
  const storage = memoryStorage();
  const deliver = vi.fn(async () => delivered());
  const handlers = [defineHandler({ type: "probe", configuration: anything, deliver })];
  const begin = (): { bus: EventBus<typeof catalog>; transport: Transport } => {
    const databaseUrl = database.url;
    // #region transport
    const transport = postgresTransport({
      createClient: () => new pg.Client(databaseUrl),
      logger: console,
    });
    // #endregion transport
    const bus = createEventBus({ catalog, storage, handlers, transport, pollMs: DAY_MS });
    return { bus, transport };
  };
  const [publisher, dispatcher] = [begin(), begin()];
  const heard = vi.fn();
  dispatcher.bus.on("project_created", heard);
  dispatcher.bus.start();
  await new Promise<void>((wake) => {
    dispatcher.transport.listen({ wake, event: () => {} });
  });
  await publisher.bus.subscriptions.create({
    organization: "acme",
    name: "Projects",
    eventTypes: ["*"],
    type: "probe",
    configuration: {},
  });
  for (const times of [1, 2]) {
    await publisher.bus.publish("project_created", {}, { organization: "acme" });
    await vi.waitFor(
      () => {
        expect(deliver).toHaveBeenCalledTimes(times);
        expect(heard).toHaveBeenCalledTimes(times);
      },
      { timeout: 10_000, interval: 5 },
    );
  }

  for (const { bus, transport } of [publisher, dispatcher]) {
    // #region close
    await bus.stop();
    await transport.close();
    // #endregion close
  }
});
