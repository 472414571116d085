import { defineHandler, failed, type Storage } from "@posthorn/core";
import { http } from "@posthorn/handler-http";
import { createReceiver, type ReceiverReply } from "@posthorn/testing";
import { strictObject } from "valibot";
import { loopback } from "../../packages/handler-http/test/call.ts";
import { httpWebhook, pagerWebhook, type World } from "../../packages/rest/test/acme.ts";
import { anything } from "./anything.ts";
import { asked, type BadInput, badInput, creating, each, thrown } from "./case.ts";

const unknownId = "01890000-0000-7000-8000-000000000000";

/** Ids, pages and organizations. */
export const ids: readonly BadInput[] = [
  badInput("D01", "ids that are none", "404 not_found", (world) =>
    each(
      [
        "..%2Fx",
        "%00",
        "'%20OR%201=1--",
        "1;2",
        "a".repeat(10_000),
        "%F0%9F%93%AF",
        unknownId.toUpperCase().replace("0189", "ABCD"),
      ],
      (id) => asked(world, "GET", `/webhooks/${id}/`),
    ),
  ),
  badInput("D03", "a replay of another organization's webhook", "404 not_found", async (world) => {
    const path = await world.given(pagerWebhook);
    const body = { from: new Date(0).toISOString() };
    return asked(world, "POST", `${path}replays/`, { body, organization: "globex" });
  }),
  badInput(
    "D04",
    "cursors that are none, or another list's",
    "400 invalid_cursor",
    async (world) => {
      for (let nr = 0; nr < 3; nr += 1) await world.given(pagerWebhook);
      const { body } = await world.ask("GET", "/webhooks/?limit=1");
      const cursor = new URL(body.next).searchParams.get("cursor") ?? "";
      const path = await world.given(pagerWebhook);
      const at = (place: string, value: string, organization = "acme"): Promise<string> =>
        asked(world, "GET", `${place}?cursor=${encodeURIComponent(value)}`, { organization });
      return [
        ...(await each(
          ["x", "", "\0", "AAAA", cursor.slice(0, -3), `${cursor}A`, "x".repeat(10_000)],
          (value) => at("/webhooks/", value),
        )),
        await at("/webhooks/", cursor, "globex"),
        await at(`${path}deliveries/`, cursor),
      ];
    },
  ),
  badInput("D05", "limits that are none", /^400 invalid_(?:page|query) limit/, (world) =>
    each(
      [
        "limit=0",
        "limit=-1",
        "limit=101",
        "limit=1e9",
        "limit=10abc",
        "limit=",
        "limit=1&limit=2",
        "limit[]=1",
      ],
      (query) => asked(world, "GET", `/webhooks/?${query}`),
    ),
  ),
  badInput(
    "D06",
    "what is created and deleted while one pages",
    "0 twice, 0 skipped",
    async (world) => {
      const stable = new Set<string>();
      for (let nr = 0; nr < 6; nr += 1)
        stable.add((await world.given(pagerWebhook, "paging")).split("/")[2] ?? "");
      const seen: string[] = [];
      let url: string | null = "/webhooks/?limit=2";
      while (url !== null) {
        const { body }: Awaited<ReturnType<World["ask"]>> = await world.ask("GET", url, {
          organization: "paging",
        });
        seen.push(...body.results.map(({ id }: { id: string }) => id));
        const passing = await world.given(pagerWebhook, "paging");
        await world.ask("DELETE", passing, { organization: "paging" });
        url = body.next?.replace("http://api.test/api/v1", "") ?? null;
      }
      const twice = seen.length - new Set(seen).size;
      const skipped = [...stable].filter((id) => !seen.includes(id)).length;
      return `${twice} twice, ${skipped} skipped`;
    },
  ),
  badInput("D07", "an order that is not offered", "400 invalid_query order", (world) =>
    asked(world, "GET", "/webhooks/?order=name;drop"),
  ),
  badInput("D08", "instants that are none", "422 invalid_replay /from", async (world) => {
    const path = await world.given(pagerWebhook);
    return each(["2024-02-30", "2024-01-01T00:00:00", "yesterday", "", 5], (from) =>
      asked(world, "POST", `${path}replays/`, { body: { from } }),
    );
  }),
  badInput("D08", "an end before its beginning", /^422 invalid_replay/, async (world) => {
    const path = await world.given(pagerWebhook);
    const body = { from: "2020-01-02T00:00:00Z", until: "2020-01-01T00:00:00Z" };
    return asked(world, "POST", `${path}replays/`, { body });
  }),
  badInput("D09", "idempotency keys that are none", "400 invalid_idempotency_key", (world) =>
    each(["", "a".repeat(256), "a b"], (key) =>
      asked(world, "POST", "/webhooks/", {
        body: httpWebhook,
        headers: { "idempotency-key": key },
      }),
    ),
  ),
  badInput(
    "D09",
    "an idempotency key of other input",
    "409 idempotency_conflict",
    async (world) => {
      const headers = { "idempotency-key": "taken" };
      await world.ask("POST", "/webhooks/", { body: httpWebhook, headers });
      return asked(world, "POST", "/webhooks/", {
        body: { ...httpWebhook, name: "Other" },
        headers,
      });
    },
  ),
  badInput("D09", "one idempotency key a hundred times at once", "1", async (world) => {
    const create = () =>
      world.ask("POST", "/webhooks/", {
        body: pagerWebhook,
        headers: { "idempotency-key": "many" },
      });
    const answers = await Promise.all(Array.from({ length: 100 }, create));
    return String(new Set(answers.map(({ body }) => body.id)).size);
  }),
  badInput("D10", "what cannot be redelivered or canceled", /^(?:409|404)/, async (world) => {
    const path = await world.given(pagerWebhook);
    await world.publish();
    const { body } = await world.ask("GET", `${path}deliveries/`);
    const delivery = `${path}deliveries/${body.results[0].id}/`;
    const canceled = await asked(world, "POST", `${delivery}cancel/`);
    const again = await asked(world, "POST", `${delivery}redeliver/`);
    await world.ask("DELETE", path);
    const deleted = await asked(world, "POST", `${delivery}redeliver/`);
    return [canceled, again === "202" ? "409 but this" : again, deleted];
  }),
  badInput("D11", "organizations that are none", "invalid_event", ({ bus }) =>
    each(["", null, 0, "a\0b", "\ud800", "a".repeat(257)], (organization) =>
      thrown(() =>
        bus.publish("project_created", { name: "x" }, { organization: organization as string }),
      ),
    ),
  ),
  badInput("D11", "organizations that look alike", "0", (world) =>
    each(
      ["ACME-1", "acme-1 ", " acme-1", "acmé-1", "__proto__", "acme:1", "acme-1\u200b"],
      async (organization) => {
        await world.given(pagerWebhook, "acme-1");
        const found = await world.bus.subscriptions.list({ organization });
        return String(found.items.length);
      },
    ),
  ),
];

/** Texts that storages keep, and show again as they are. */
const kept = async (world: World, name: string): Promise<string> => {
  const { body } = await world.ask("POST", "/webhooks/", { body: { ...pagerWebhook, name } });
  const { body: found } = await world.ask("GET", `/webhooks/${body.id}/`);
  return found.name === name
    ? "kept"
    : `${JSON.stringify(name)} became ${JSON.stringify(found.name)}`;
};

/** What is told of a delivery that a receiver answered so, as JSON. */
async function toldOf(world: World, storage: Storage, reply: ReceiverReply): Promise<string> {
  const receiver = await createReceiver();
  receiver.respond(() => reply);
  const { deliver } = anything(world, storage, {
    handler: http(loopback),
    configuration: { url: receiver.url },
  });
  const told = await deliver({ name: "web" });
  await receiver.close();
  return JSON.stringify(told);
}

export const unicode: readonly BadInput[] = [
  badInput("X01", "names in two normal forms", "kept", (world) =>
    each(["\u00e9", "e\u0301"], (name) => kept(world, name)),
  ),
  badInput("X02", "names that hide or turn characters around", "kept", (world) =>
    each(["a\u200bb", "a\u202eb", "\u2066a", "\u{1f469}\u200d\u{1f680}"], (name) =>
      kept(world, name),
    ),
  ),
  badInput("X03", "names that differ in case, accent or a blank", "kept", (world) =>
    each(["A", "a", "\u00e4", "a "], (name) => kept(world, name)),
  ),
  badInput("X04", "the longest name, of characters of four bytes", "kept", (world) =>
    kept(world, "\u{1f4ef}".repeat(128)),
  ),
  badInput("X05", "NUL in a name", "422 invalid_webhook /name", (world) =>
    creating(world, {}, { name: "a\u0000" }),
  ),
  badInput("X06", "half a character in a name", "422 invalid_webhook /name", (world) =>
    creating(world, {}, { name: "a\ud800" }),
  ),
  badInput(
    "X07",
    "a host in another alphabet is kept as it was given, and dialled in Punycode",
    "https://ex\u0430mple.com/",
    async ({ ask }) => {
      const configuration = { url: "https://ex\u0430mple.com/" };
      const { body } = await ask("POST", "/webhooks/", { body: { ...httpWebhook, configuration } });
      return body.configuration.url;
    },
  ),
  badInput("X08", "the Kelvin sign for a k in a header's name", /^422 /, (world) =>
    creating(world, { headers: { "\u212aeep-alive": "x" } }),
  ),
  badInput("X09", "the dotless i in an event type", /^422 /, (world) =>
    creating(world, {}, { event_types: ["project_m\u0131ssing"] }),
  ),
  badInput(
    "X10",
    "an answer that is cut within a character",
    "cut before it",
    async (world, storage) => {
      const body = `${"a".repeat(1_021)}\u{1f4ef}`;
      const told = await toldOf(world, storage, { status: 500, body });
      return told.includes(`"response":"${"a".repeat(1_021)}"`) ? "cut before it" : told;
    },
  ),
  badInput(
    "X10",
    "a reason that is cut within a character",
    "well-formed",
    async (world, storage) => {
      const reason = `${"a".repeat(1_998)}${"\u{1f4ef}".repeat(10)}`;
      const handler = defineHandler({
        type: "wordy",
        configuration: strictObject({}),
        deliver: async () => failed(reason),
      });
      const told = JSON.stringify(await anything(world, storage, { handler }).deliver({}));
      const isCut = told.includes("a\u2026") || told.includes("a\ufffd\u2026");
      return isCut && !/\\ud[89a-f]/i.test(told) ? "well-formed" : told;
    },
  ),
  badInput("X11", "answers that are no text, are cut off, or hold NUL", "kept", (world, storage) =>
    each<readonly [string, Record<string, string>, string | null]>(
      [
        ["\0\u0001\u0002", { "content-type": "application/octet-stream" }, null],
        ["\u001f\u008b\b\0", { "content-type": "text/plain", "content-encoding": "gzip" }, null],
        ["a\0b\u001b[2J", { "content-type": "text/plain" }, "a\ufffdb\ufffd[2J"],
        ["h\0i\0", { "content-type": "text/plain; charset=utf-16le" }, "h\ufffdi\ufffd"],
        ["\u202egnp.exe", { "content-type": "text/html" }, "\ufffdgnp.exe"],
      ],
      async ([body, headers, expected]) => {
        const told = await toldOf(world, storage, { status: 500, headers, body });
        const kept =
          expected === null
            ? !told.includes('"response":')
            : told.includes(`"response":${JSON.stringify(expected)}`);
        return kept ? "kept" : told;
      },
    ),
  ),
];
