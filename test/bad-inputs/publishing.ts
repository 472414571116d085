import { defineHandler, failed, type Storage } from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { createFakeSlack } from "@posthorn/testing/slack";
import { strictObject } from "valibot";
import type { World } from "../../packages/rest/test/acme.ts";
import { anything } from "./anything.ts";
import { asked, type BadInput, badInput, each, thrown } from "./case.ts";

const organization = "acme";

/** Publishes what the compiler would not let through. */
const publishing = (
  { bus }: World,
  data: unknown,
  options: object = {},
  type = "project_created",
) =>
  thrown(() => bus.publish(type as "project_created", data as never, { organization, ...options }));

/** What is stored of a name that was published, or why it is not. */
async function stored(world: World, name: string): Promise<string> {
  const { id } = await world.bus.publish("project_created", { name }, { organization });
  const { data } = (await world.bus.events.get({ organization, id })) as { data: { name: string } };
  return data.name === name
    ? "kept"
    : `${JSON.stringify(name)} became ${JSON.stringify(data.name)}`;
}

class Custom {
  readonly name = "x";
}

const circular: { name: string; self?: unknown } = { name: "x" };
circular.self = circular;
const ring: unknown[] = [[]];
(ring[0] as unknown[]).push(ring);

/** Publishes data that no schema looks at. */
const publishingAnything = (world: World, storage: Storage, data: unknown): Promise<string> => {
  const { bus, organization } = anything(world, storage);
  return thrown(() => bus.publish("anything", data, { organization }));
};

const throwing = (): never => {
  throw new Error("no");
};

/** Events. */
export const publications: readonly BadInput[] = [
  badInput("P01", "data that its schema does not take", "invalid_event", (world) =>
    each([undefined, null, "x", {}, { name: 1 }, { name: { toJSON: () => "x" } }], (data) =>
      publishing(world, data),
    ),
  ),
  badInput("P01", "data that is no JSON", "invalid_event", (world, storage) =>
    each(
      [
        undefined,
        () => {},
        Symbol("x"),
        1n,
        new Date(0),
        new Map(),
        Buffer.from("x"),
        new Custom(),
        { inside: [1n] },
        { inside: new Date(0) },
        { toJSON: () => "x" },
        [undefined],
        { [Symbol("x")]: 1 },
      ],
      (data) => publishingAnything(world, storage, data),
    ),
  ),
  badInput("P01", "a toJSON or a getter that throws", "invalid_event", (world, storage) =>
    each(
      [
        {
          get name(): string {
            return throwing();
          },
        },
        { toJSON: throwing },
        new Proxy({ name: "x" }, { get: throwing }),
      ],
      (data) => publishingAnything(world, storage, data),
    ),
  ),
  badInput("P02", "data that goes in a circle", "invalid_event", (world, storage) =>
    each([circular, ring, { inside: circular }], (data) =>
      publishingAnything(world, storage, data),
    ),
  ),
  badInput("P03", "numbers that JSON does not have", "invalid_event", (world, storage) =>
    each([Number.NaN, Number.POSITIVE_INFINITY, { a: [Number.NEGATIVE_INFINITY] }], (data) =>
      publishingAnything(world, storage, data),
    ),
  ),
  badInput("P03", "arrays with holes", "invalid_event", (world, storage) =>
    // biome-ignore lint/suspicious/noSparseArray: that is the bad input.
    publishingAnything(world, storage, [1, , 2]),
  ),
  badInput(
    "P03",
    "what JSON writes otherwise, or leaves out",
    '{"zero":0}',
    async (world, storage) => {
      const { deliver, payloads } = anything(world, storage);
      await deliver({ zero: -0, nothing: undefined });
      return payloads;
    },
  ),
  badInput("P04", "more than 256 KB", "invalid_event", (world) =>
    each([262_144, 1_000_000], (length) => publishing(world, { name: "a".repeat(length) })),
  ),
  badInput("P04", "as much as may be is fine", "ok", (world) =>
    publishing(world, { name: "a".repeat(262_144 - '{"name":""}'.length) }),
  ),
  badInput("P05", "data that changes after it was published", "kept", async ({ bus }) => {
    const data = { name: "before" };
    const publishing = bus.publish("project_created", data, { organization });
    data.name = "after";
    const { id } = await publishing;
    const found = (await bus.events.get({ organization, id })) as { data: { name: string } };
    return found.data.name === "before" ? "kept" : found.data.name;
  }),
  badInput("P06", "half a character", "kept", (world) =>
    each(["\ud800", "a\udc00b"], (name) => stored(world, name)),
  ),
  badInput("P07", "NUL", "kept", (world) => stored(world, "a\u0000b")),
  badInput("P08", "characters of four bytes", "kept", (world) =>
    stored(world, "\u{1f4ef}".repeat(100)),
  ),
  badInput(
    "P09",
    "numbers at the ends of what a number can say, written once and never again",
    '{"a":9007199254740992,"b":1.7976931348623157e+308,"c":5e-324,"d":0.1,"e":1e+21}',
    async (world, storage) => {
      const { deliver, payloads } = anything(world, storage);
      // biome-ignore lint/correctness/noPrecisionLoss: that is the bad input.
      await deliver({ a: 9007199254740993, b: Number.MAX_VALUE, c: 5e-324, d: 0.1, e: 1e21 });
      return payloads;
    },
  ),
  badInput(
    "P09",
    "the text of a number that no number can say, as a text",
    '"1e400 and 9007199254740993"',
    async (world, storage) => {
      const { deliver, payloads } = anything(world, storage);
      await deliver("1e400 and 9007199254740993");
      return payloads;
    },
  ),
  badInput("P10", "keys in no order", '{"b":1,"a":2,"__proto__":3}', async (world, storage) => {
    const { deliver, payloads } = anything(world, storage);
    await deliver(JSON.parse('{"b":1,"a":2,"__proto__":3}'));
    return payloads;
  }),
  badInput("P10", "names that every object has, in data", "ok", (world) =>
    publishing(world, JSON.parse('{"name":"x","__proto__":{"a":1},"constructor":1}')),
  ),
  badInput("P11", "event types that are none", "unknown_event_type", (world) =>
    each(
      [
        "",
        ".",
        "a..b",
        "A B",
        "x".repeat(300),
        "*",
        "project_*",
        "project_created\n",
        "proj\u00e9ct",
        "webhook_test",
        "toString",
        "__proto__",
      ],
      (type) => publishing(world, { name: "x" }, {}, type),
    ),
  ),
  badInput("P12", "an id of the publisher's own", "invalid_event", (world) =>
    publishing(world, { name: "x" }, { id: "mine.1" }),
  ),
  badInput("P13", "times that are none", "invalid_event", (world) =>
    each([Number.NaN, 1.5, Number.POSITIVE_INFINITY, "2026", 9e15], (occurredAt) =>
      publishing(world, { name: "x" }, { occurredAt }),
    ),
  ),
  badInput("P13", "seconds in place of milliseconds", "invalid_event", (world) =>
    publishing(world, { name: "x" }, { occurredAt: Math.floor(world.bus.system.now() / 1_000) }),
  ),
  badInput(
    "P14",
    "what Slack would act upon, in data",
    "&lt;!channel&gt; &lt;@U1&gt; &lt;http://evil.test|bank.test&gt; &amp; &lt;b&gt;",
    async (world, storage) => {
      const fake = await createFakeSlack({ channelRate: false, teamRate: false });
      const { deliver } = anything(world, storage, {
        handler: slack({ baseUrl: fake.url }),
        configuration: { token: "xoxb-fake", channel: "#general", username: "Posthorn" },
      });
      await deliver({ name: "<!channel> <@U1> <http://evil.test|bank.test> & <b>" });
      const posted = JSON.stringify(fake.messages("general"));
      await fake.close();
      const [, name] = /(&lt;!channel.*?&lt;b&gt;)/.exec(posted) ?? [];
      return /<!channel|<@U1|<http:\/\/evil/.test(posted) ? posted : (name ?? posted);
    },
  ),
  badInput(
    "P15",
    "line breaks, escapes and turned writing, from a destination, in what is logged and told",
    "plain",
    async (world, storage) => {
      const hostile = 'no\n{"level":"fatal"}\r\u001b[2J\u202egnp.exe\u0000';
      const handler = defineHandler({
        type: "hostile",
        configuration: strictObject({}),
        deliver: async () => failed(hostile, { remedy: hostile }),
      });
      const { deliver, logged } = anything(world, storage, { handler });
      const texts: string[] = [];
      JSON.stringify([await deliver({ name: hostile }), logged], (_, value) => {
        if (typeof value === "string") texts.push(value);
        return value;
      });
      const told = texts.filter((text) => text.includes("fatal"));
      const isPlain = told.every((text) => !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(text));
      return told.length > 0 && isPlain ? "plain" : JSON.stringify(told);
    },
  ),
  badInput(
    "P16",
    "passwords in data, which are in no line of a log",
    "not logged",
    async (world, storage) => {
      const handler = defineHandler({
        type: "noisy",
        configuration: strictObject({}),
        deliver: async () => {
          throw new Error("The destination is gone");
        },
      });
      const { bus, deliver, logged, organization } = anything(world, storage, { handler });
      const data = { password: "canary-9d41", token: "canary-9d41" };
      await deliver(data);
      await thrown(() => bus.publish("anything", { ...data, at: 1n }, { organization }));
      await world.publish({ name: "canary-9d41" });
      await asked(world, "GET", "/webhooks/");
      return JSON.stringify([logged, world.logged]).includes("canary-9d41")
        ? "logged"
        : "not logged";
    },
  ),
  badInput("P17", "transactions that are none", "unknown_transaction", (world) =>
    each([null, 1, "begin", {}], (tx) => publishing(world, { name: "x" }, { tx })),
  ),
  badInput("P18", "no events at all are fine", "ok", ({ bus }) =>
    thrown(() => bus.publishMany([])),
  ),
  badInput(
    "P18",
    "one bad event among good ones, and none is stored",
    "0 of invalid_event",
    async ({ bus }) => {
      const good = { type: "project_created", data: { name: "x" }, organization: "many" } as const;
      const bad = { ...good, data: { name: 1 as never } };
      const code = await thrown(() => bus.publishMany([...Array(99).fill(good), bad]));
      const { items } = await bus.events.list({ organization: "many" });
      return `${items.length} of ${code}`;
    },
  ),
];
