import type { World } from "../../packages/rest/test/acme.ts";
import { type BadInput, badInput, each, thrown } from "./case.ts";

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
  readonly own = new Map();
}

const circular: { name: string; self?: unknown } = { name: "x" };
circular.self = circular;

/** Events. */
export const publications: readonly BadInput[] = [
  badInput("P01", "data that is no JSON", "invalid_event", (world) =>
    each(
      [
        undefined,
        () => {},
        Symbol("x"),
        1n,
        new Map(),
        Buffer.from("x"),
        { name: 1n },
        { name: undefined },
        { name: Symbol("x") },
        null,
        "x",
      ],
      (data) => publishing(world, data),
    ),
  ),
  badInput(
    "P01",
    "a toJSON or a getter that throws",
    /^(?:invalid_event|Error|TypeError)$/,
    (world) =>
      each(
        [
          {
            get name(): string {
              throw new Error("no");
            },
          },
          {
            name: {
              toJSON: () => {
                throw new Error("no");
              },
            },
          },
          { name: new Custom() },
        ],
        (data) => publishing(world, data),
      ),
  ),
  badInput("P03", "numbers that JSON does not have", "invalid_event", (world) =>
    each([Number.NaN, Number.POSITIVE_INFINITY, -0], (name) => publishing(world, { name })),
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
  badInput("P17", "transactions that are none", /^(?:unknown_transaction|ok)$/, (world) =>
    each([null, 1, "begin", undefined], (tx) => publishing(world, { name: "x" }, { tx })),
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
