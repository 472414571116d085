import {
  createEventBus,
  defineHandler,
  delivered,
  type Outcome,
  type Page,
  type Storage,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import pg from "pg";
import { strictObject } from "valibot";
import { catalog, organizations } from "../event.ts";
import type { Opened, Peer, Work } from "./peer.ts";

/** A storage, ready to be used, and how to end it. */
export interface Stored {
  readonly storage: Storage<never>;
  end(): Promise<void>;
}

type Open = (place: string) => Promise<Stored>;

export const onMemory: Open = async () => ({ storage: memoryStorage(), end: async () => {} });

export const onSqlite =
  (synchronous: "normal" | "full"): Open =>
  async (file) => {
    const storage = sqliteStorage({ file, synchronous });
    await storage.migrate();
    return { storage, end: () => storage.close() };
  };

export const onPostgres: Open = async (connectionString) => {
  const pool = new pg.Pool({ connectionString, max: 10 });
  const storage = postgresStorage({ pool });
  await storage.migrate();
  return {
    storage,
    end: async () => {
      await storage.close();
      await pool.end();
    },
  };
};

/** A bus whose only handler calls the job. How many may be under way at once is its option. */
export function jobBus(
  storage: Storage<never>,
  { handle, concurrency }: Pick<Work, "handle" | "concurrency">,
) {
  const job = defineHandler({
    type: "job",
    configuration: strictObject({}),
    deliver: async ({ event, signal }): Promise<Outcome> => {
      const doing = handle(event.payload, signal);
      if (doing !== undefined) await doing;
      return delivered();
    },
  });
  const bus = createEventBus({ catalog, storage, handlers: [job], concurrency });
  for (const name of TROUBLE) bus.lifecycle.on(name, (report) => console.error(name, report));
  return bus;
}

/** Nothing of it is expected while measuring. */
const TROUBLE = [
  "dispatcher.error",
  "delivery.failed",
  "delivery.dead",
  "delivery.lapsed",
] as const;

export type JobBus = ReturnType<typeof jobBus>;

/** The same again changes nothing. */
export const subscribe = (bus: JobBus, organization: string, name = "Bench"): Promise<unknown> =>
  bus.subscriptions.create(
    {
      organization,
      name,
      eventTypes: ["parameter_updated"],
      type: "job",
      configuration: {},
    },
    { idempotencyKey: name },
  );

/** Ours: a handler that calls the job, a subscription for each organization, full history. */
const posthorn = (name: string, on: Peer["on"], settings: string, store: Open): Peer => ({
  name: `Posthorn on ${name}`,
  on,
  settings,
  open: async (place): Promise<Opened> => {
    const { storage, end } = await store(place);
    let publisher = jobBus(storage, { handle: () => undefined, concurrency: 50 });
    const buses = [publisher];
    await Promise.all(organizations().map((organization) => subscribe(publisher, organization)));
    return {
      enqueue: (data) =>
        publisher.publish("parameter_updated", data, { organization: data.organization }),
      enqueueMany: (all) =>
        publisher.publishMany(
          all.map((data) => ({
            type: "parameter_updated",
            data,
            organization: data.organization,
          })),
        ),
      work: async (work) => {
        const bus = jobBus(storage, work);
        buses.push(bus);
        publisher = bus;
        bus.lifecycle.on("delivery.delivered", () => work.onDone(1));
        bus.start();
        return () => bus.stop();
      },
      check: (count) => checkHistory(publisher, count),
      close: async () => {
        for (const bus of buses) await bus.stop();
        await end();
      },
    };
  },
});

/** Of so many deliveries, how many are looked at attempt by attempt. */
const LOOKED_INTO = 500;

/** Every event is there, with a delivery that was delivered at its first attempt. */
async function checkHistory(bus: JobBus, count: number): Promise<void> {
  const seen = { events: 0, delivered: 0, attempts: 0 };
  let left = LOOKED_INTO;
  for (const organization of organizations()) {
    for await (const { items } of pages((page) => bus.events.list({ organization, ...page }))) {
      seen.events += items.length;
    }
    for await (const { items } of pages((page) => bus.deliveries.list({ organization, ...page }))) {
      seen.delivered += items.filter(({ status }) => status === "delivered").length;
      for (const { id, attempts } of items) {
        left -= 1;
        if (left < 0) seen.attempts += attempts;
        else seen.attempts += (await bus.deliveries.get({ organization, id })).attemptLog.length;
      }
    }
  }
  const wrong = Object.entries(seen).filter(([, number]) => number !== count);
  if (wrong.length === 0) return;
  const found = wrong.map(([what, number]) => `${number} ${what}`).join(", ");
  throw new Error(`The history of ${count} events has ${found}.`);
}

async function* pages<Item>(
  read: (page: { readonly limit: number; readonly after?: string }) => Promise<Page<Item>>,
): AsyncGenerator<Page<Item>> {
  let page = await read({ limit: 100 });
  yield page;
  while (page.next !== null) {
    page = await read({ limit: 100, after: page.next });
    yield page;
  }
}

export const posthornMemory = posthorn("memory", "memory", "memoryStorage()", onMemory);
export const posthornSqliteNormal = posthorn(
  "SQLite NORMAL",
  "sqlite",
  "synchronous normal",
  onSqlite("normal"),
);
export const posthornSqliteFull = posthorn(
  "SQLite FULL",
  "sqlite",
  "synchronous full, the default",
  onSqlite("full"),
);
export const posthornPostgres = posthorn("PostgreSQL", "postgres", "pool 10", onPostgres);
