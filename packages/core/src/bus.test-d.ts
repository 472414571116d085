import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  createEventBus,
  type Delivery,
  defineCatalog,
  defineHandler,
  delivered,
  type Event,
  type EventBus,
  type EventBusOptions,
  family,
  type Lifecycle,
  type LifecycleEvents,
  type Storage,
  type SubscriptionWithSecret,
} from "./index.ts";

const catalog = defineCatalog({
  ...family("project", { schema: v.object({ name: v.string() }) }),
  invoice_paid: { schema: z.object({ amount: z.number(), at: z.string().transform(Number) }) },
  "audit.added": { schema: type({ actor: "string" }) },
});

const slack = defineHandler({
  type: "slack",
  configuration: v.strictObject({ channel: v.string(), token: v.string() }),
  secrets: ["token"],
  deliver: async () => delivered(),
});
const http = defineHandler({
  type: "http",
  configuration: z.strictObject({ url: z.string(), retries: z.number().default(3) }),
  deliver: async () => delivered(),
});
const handlers = [slack, http] as const;

interface PgTransaction {
  readonly dialect: "postgres";
}
interface SqliteTransaction {
  readonly dialect: "sqlite";
}

declare const alone: Storage;
declare const postgres: Storage<PgTransaction>;
declare const either: Storage<PgTransaction | SqliteTransaction>;
declare const pg: PgTransaction;
declare const sqlite: SqliteTransaction;

declare const bus: EventBus<typeof catalog, typeof slack | typeof http, PgTransaction>;
const organization = "acme";
const everything = ["*"] as const;

describe("a bus", () => {
  it("infers its catalog, handlers and transactions from its options", () => {
    const made = createEventBus({ catalog, storage: postgres, handlers });
    expectTypeOf(made).toEqualTypeOf<
      EventBus<typeof catalog, typeof slack | typeof http, PgTransaction>
    >();
    const inline = createEventBus({ catalog, storage: postgres, handlers: [slack, http] });
    expectTypeOf(inline).toEqualTypeOf(made);
    expectTypeOf(createEventBus({ catalog, storage: alone, handlers })).toEqualTypeOf<
      EventBus<typeof catalog, typeof slack | typeof http, never>
    >();
  });

  it("takes schedules by the types of its handlers, whole or in part", () => {
    const made = createEventBus({
      catalog,
      storage: postgres,
      handlers: [slack, http],
      retryByType: { slack: { unknown: "abandon" }, http: undefined },
    });
    expectTypeOf(made).toEqualTypeOf<
      EventBus<typeof catalog, typeof slack | typeof http, PgTransaction>
    >();
    // @ts-expect-error no handler has the type
    createEventBus({ catalog, storage: alone, handlers, retryByType: { slakc: {} } });
    // @ts-expect-error it is `retry` or `abandon`
    createEventBus({ catalog, storage: alone, handlers, retryByType: { slack: { unknown: "" } } });
  });

  it("does not compile without catalog, storage or handlers", () => {
    // @ts-expect-error a bus has a catalog
    createEventBus({ storage: alone, handlers });
    // @ts-expect-error a bus has a storage
    createEventBus({ catalog, handlers });
    // @ts-expect-error a bus has handlers
    createEventBus({ catalog, storage: alone });
  });

  it("does not compile with an option that it does not have", () => {
    // @ts-expect-error it is called `concurrency`
    createEventBus({ catalog, storage: alone, handlers, concurency: 5 });
    // @ts-expect-error durations are numbers of milliseconds
    createEventBus({ catalog, storage: alone, handlers, leaseMs: "1m" });
  });

  it("takes any options where any are wanted", () => {
    expectTypeOf(handlers).toExtend<
      EventBusOptions<typeof catalog, typeof slack | typeof http>["handlers"]
    >();
    expectTypeOf<
      EventBus<typeof catalog, typeof slack, PgTransaction>["lifecycle"]
    >().toEqualTypeOf<Lifecycle>();
  });
});

describe("publish", () => {
  it("takes the data of its type and answers it as listeners see it", () => {
    expectTypeOf(
      bus.publish("invoice_paid", { amount: 5, at: "7" }, { organization }),
    ).resolves.toEqualTypeOf<Event<"invoice_paid", { amount: number; at: number }>>();
    expectTypeOf(
      bus.publishSync("project_created", { name: "Apollo" }, { organization, tx: pg }),
    ).toEqualTypeOf<Event<"project_created", { name: string }>>();
  });

  it("takes undefined for what is not given, as code that passes options on has it", () => {
    void bus.publish(
      "audit.added",
      { actor: "u1" },
      { organization, tx: undefined, idempotencyKey: undefined, actor: undefined },
    );
  });

  it("does not compile with a name that the catalog does not have", () => {
    // @ts-expect-error it is called `invoice_paid`
    void bus.publish("invoice_payed", { amount: 5, at: "7" }, { organization });
    // @ts-expect-error a pattern is not a name
    void bus.publish("project_*", { name: "Apollo" }, { organization });
    // @ts-expect-error Posthorn's own event types are not published by hosts
    void bus.publish("webhook_test", {}, { organization });
  });

  it("does not compile with data that its schema refuses: valibot, zod, arktype", () => {
    // @ts-expect-error the name is a text
    void bus.publish("project_created", { name: 5 }, { organization });
    // @ts-expect-error the name is missing
    void bus.publish("project_created", {}, { organization });
    // @ts-expect-error projects have no owner
    void bus.publish("project_created", { name: "Apollo", owner: "u1" }, { organization });
    // @ts-expect-error the data of another type
    void bus.publish("project_created", { amount: 5, at: "7" }, { organization });
    // @ts-expect-error the schema's output is not its input
    void bus.publish("invoice_paid", { amount: 5, at: 7 }, { organization });
    // @ts-expect-error the actor is a text
    void bus.publish("audit.added", { actor: 5 }, { organization });
  });

  it("does not compile without an organization, or with an option that it does not have", () => {
    // @ts-expect-error an event belongs to an organization
    void bus.publish("project_created", { name: "Apollo" }, {});
    // @ts-expect-error an event belongs to an organization
    void bus.publish("project_created", { name: "Apollo" });
    // @ts-expect-error it is called `idempotencyKey`
    void bus.publish("project_created", { name: "Apollo" }, { organization, key: "k1" });
    // @ts-expect-error instants are epoch milliseconds
    void bus.publish("project_created", { name: "A" }, { organization, occurredAt: new Date(0) });
  });

  it("tells the events of publishMany apart by their type", () => {
    void bus.publishMany([
      { type: "project_created", data: { name: "Apollo" }, organization },
      { type: "invoice_paid", data: { amount: 5, at: "7" }, organization },
    ]);
    void bus.publishMany([
      // @ts-expect-error the data of another type
      { type: "project_created", data: { amount: 5, at: "7" }, organization },
    ]);
    void bus.publishMany([
      // @ts-expect-error the catalog has no such name
      { type: "project_archived", data: { name: "Apollo" }, organization },
    ]);
  });
});

describe("a transaction", () => {
  const data = { name: "Apollo" };

  it("is taken by all that writes for the host", () => {
    void bus.publish("project_created", data, { organization, tx: pg });
    void bus.publishMany([], { tx: pg });
    bus.publishSync("project_created", data, { organization, tx: pg });
    void bus.subscriptions.delete({ organization, id: "s1" }, { tx: pg });
    void bus.subscriptions.update({ organization, id: "s1" }, { name: "New" }, { tx: pg });
    const both = createEventBus({ catalog, storage: either, handlers });
    void both.publish("project_created", data, { organization, tx: sqlite });
  });

  it("of another database does not compile", () => {
    // @ts-expect-error the storage is not SQLite's
    void bus.publish("project_created", data, { organization, tx: sqlite });
    // @ts-expect-error the storage is not SQLite's
    void bus.publishMany([], { tx: sqlite });
    // @ts-expect-error the storage is not SQLite's
    bus.publishSync("project_created", data, { organization, tx: sqlite });
    // @ts-expect-error the storage is not SQLite's
    void bus.subscriptions.delete({ organization, id: "s1" }, { tx: sqlite });
    // @ts-expect-error a pool is not a transaction
    void bus.publish("project_created", data, { organization, tx: { query: () => {} } });
  });

  it("of any kind does not compile where the storage has none", () => {
    const memory = createEventBus({ catalog, storage: alone, handlers });
    void memory.publish("project_created", data, { organization });
    // @ts-expect-error this storage knows no transactions
    void memory.publish("project_created", data, { organization, tx: pg });
    // @ts-expect-error this storage knows no transactions
    void memory.publishMany([], { tx: {} });
    // @ts-expect-error this storage knows no transactions
    memory.publishSync("project_created", data, { organization, tx: pg });
  });

  it("is what publishSync cannot do without", () => {
    // @ts-expect-error a synchronous publish is part of the host's transaction
    bus.publishSync("project_created", data, { organization });
    // @ts-expect-error undefined is no transaction
    bus.publishSync("project_created", data, { organization, tx: undefined });
  });

  it("makes storages that differ only in it differ", () => {
    expectTypeOf(postgres).not.toExtend<Storage<SqliteTransaction>>();
    expectTypeOf(either).toExtend<Storage<PgTransaction>>();
    expectTypeOf(postgres).toExtend<Storage>();
  });
});

describe("a subscription", () => {
  const more = { organization, name: "To the team", eventTypes: everything };

  it("takes the configuration of its type", () => {
    expectTypeOf(
      bus.subscriptions.create({
        ...more,
        type: "slack",
        configuration: { channel: "#general", token: "xoxb" },
      }),
    ).resolves.toEqualTypeOf<SubscriptionWithSecret>();
    void bus.subscriptions.create({ ...more, type: "http", configuration: { url: "https://a" } });
    void bus.subscriptions.create({
      ...more,
      eventTypes: ["project_*", "audit.added", "audit.*", "webhook_disabled"],
      type: "http",
      configuration: { url: "https://a", retries: 5 },
    });
  });

  it("does not compile with another handler's configuration", () => {
    void bus.subscriptions.create({
      ...more,
      type: "slack",
      // @ts-expect-error a URL is for http
      configuration: { url: "https://a" },
    });
    void bus.subscriptions.create({
      ...more,
      type: "http",
      // @ts-expect-error a channel is for slack
      configuration: { channel: "#general", token: "xoxb" },
    });
    void bus.subscriptions.create({
      ...more,
      type: "slack",
      // @ts-expect-error the token is missing
      configuration: { channel: "#general" },
    });
    void bus.subscriptions.create({
      ...more,
      type: "http",
      // @ts-expect-error the number of retries is a number
      configuration: { url: "https://a", retries: "5" },
    });
  });

  it("does not compile with a key that no configuration has", () => {
    void bus.subscriptions.create({
      ...more,
      type: "http",
      // @ts-expect-error it is called `url`
      configuration: { url: "https://a", ulr: "https://b" },
    });
  });

  it("does not compile with a type that no handler has", () => {
    void bus.subscriptions.create({
      ...more,
      // @ts-expect-error the handlers are slack and http
      type: "mail",
      configuration: { url: "https://a" },
    });
  });

  it("does not compile with a pattern that matches nothing", () => {
    const wanted = {
      organization,
      name: "To the team",
      type: "http",
      configuration: { url: "https://a" },
    } as const;
    // @ts-expect-error no name begins so
    void bus.subscriptions.create({ ...wanted, eventTypes: ["projects_*"] });
    // @ts-expect-error a beginning ends with a separator
    void bus.subscriptions.create({ ...wanted, eventTypes: ["proj*"] });
    // @ts-expect-error a pattern has no end
    void bus.subscriptions.create({ ...wanted, eventTypes: ["*_created"] });
    // @ts-expect-error one of two is a typo
    void bus.subscriptions.create({ ...wanted, eventTypes: ["project_*", "invoice_payed"] });
    // @ts-expect-error the separator of these names is `_`
    void bus.subscriptions.create({ ...wanted, eventTypes: ["project.*"] });
    // @ts-expect-error operational events are asked for by their names
    void bus.subscriptions.create({ ...wanted, eventTypes: ["webhook_*"] });
    // @ts-expect-error a test is sent to whom it tests
    void bus.subscriptions.create({ ...wanted, eventTypes: ["webhook_test"] });
  });

  it("does not compile as an update with keys or patterns that are not", () => {
    const reference = { organization, id: "s1" };
    void bus.subscriptions.update(reference, { configuration: { channel: "#general" } });
    // @ts-expect-error no handler has such a key
    void bus.subscriptions.update(reference, { configuration: { chanel: "#general" } });
    // @ts-expect-error no name begins so
    void bus.subscriptions.update(reference, { eventTypes: ["projects_*"] });
    // @ts-expect-error a subscription keeps its type
    void bus.subscriptions.update(reference, { type: "http" });
  });
});

describe("a listener", () => {
  it("hears events of a union that their type narrows", () => {
    bus.on("*", (event) => {
      expectTypeOf(event.type).toEqualTypeOf<
        "project_created" | "project_updated" | "project_deleted" | "invoice_paid" | "audit.added"
      >();
      if (event.type === "invoice_paid") {
        expectTypeOf(event.data).toEqualTypeOf<{ amount: number; at: number }>();
      } else if (event.type === "audit.added") {
        expectTypeOf(event.data).toEqualTypeOf<{ actor: string }>();
      } else {
        expectTypeOf(event.data).toEqualTypeOf<{ name: string }>();
      }
    });
  });

  it("of a pattern hears the events that it matches", () => {
    bus.on("project_*", (event) => {
      expectTypeOf(event.data).toEqualTypeOf<{ name: string }>();
      // @ts-expect-error no invoice begins with `project_`
      return event.type === "invoice_paid";
    });
    bus.on("invoice_paid", (event) => {
      expectTypeOf(event).toEqualTypeOf<Event<"invoice_paid", { amount: number; at: number }>>();
    });
    expectTypeOf(bus.on("*", async () => {})).toEqualTypeOf<() => void>();
  });

  it("does not compile for a pattern that matches nothing", () => {
    // @ts-expect-error no name begins so
    bus.on("projects_*", () => {});
    // @ts-expect-error it is called `invoice_paid`
    bus.on("invoice_payed", () => {});
    // @ts-expect-error what the bus does is heard with `lifecycle.on`
    bus.on("delivery.dead", () => {});
    // @ts-expect-error operational events are delivered, and hosts hear `bus.lifecycle`
    bus.on("webhook_disabled", () => {});
  });
});

describe("a listener of the lifecycle", () => {
  it("hears what belongs to the name", () => {
    bus.lifecycle.on("delivery.dead", ({ delivery, attempt }) => {
      expectTypeOf(delivery).toEqualTypeOf<Delivery>();
      expectTypeOf(attempt?.outcome).toEqualTypeOf<
        "delivered" | "failed" | "throttled" | "rejected" | "gone" | "unknown" | undefined
      >();
      // @ts-expect-error a flight's token is nobody's business
      void attempt?.token;
    });
    bus.lifecycle.on("subscription.disabled", (report) => {
      expectTypeOf(report).toEqualTypeOf<{
        readonly id: string;
        readonly organization: string;
        readonly reason: string;
      }>();
    });
  });

  it("of * hears everything, and its name tells what it is", () => {
    bus.lifecycle.on("*", (name, report) => {
      if (name === "delivery.dead") expectTypeOf(report.delivery).toEqualTypeOf<Delivery>();
      if (name === "dispatcher.error") expectTypeOf(report.message).toEqualTypeOf<string>();
      // @ts-expect-error an event that was published has no delivery
      if (name === "event.published") void report.delivery;
    });
    bus.lifecycle.on("*", (name) => {
      expectTypeOf(name).toExtend<keyof LifecycleEvents>();
    });
  });

  it("does not compile for a name that is not", () => {
    // @ts-expect-error it is called `delivery.dead`
    bus.lifecycle.on("delivery.died", () => {});
    // @ts-expect-error events of the catalog are heard with `bus.on`
    bus.lifecycle.on("project_created", () => {});
  });

  it("does not compile with a payload that is another's", () => {
    // @ts-expect-error a disabled subscription is told by its id, and has no delivery
    bus.lifecycle.on("subscription.disabled", ({ delivery }) => delivery);
  });
});
