import { createEventBus, defineCatalog, defineHandler, delivered } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountOf, createWorld } from "../test/acme.ts";
import { createRestApi, type RestApi } from "./index.ts";

const $schema = "https://json-schema.org/draft/2020-12/schema";

describe("the event types", () => {
  it("are listed with what they are, what their data looks like and an example", async () => {
    const { ask } = createWorld();
    const { status, body } = await ask("GET", "/event-types/");
    expect([status, body.next, body.previous, body.results.length]).toEqual([200, null, null, 8]);
    expect(body.results[0]).toEqual({
      url: "http://api.test/api/v1/event-types/parameter_created/",
      name: "parameter_created",
      description: "A parameter was created.",
      schema: {
        $schema,
        type: "object",
        properties: { name: { type: "string" } },
        required: ["name"],
      },
      example: { name: "DB_HOST" },
    });
    expect((await ask("GET", "/event-types/parameter_created/")).body).toEqual(body.results[0]);
  });

  it("end with those that tell of other webhooks", async () => {
    const { ask } = createWorld();
    const { results } = (await ask("GET", "/event-types/")).body;
    expect(results.slice(-2)).toMatchObject([
      {
        name: "webhook_disabled",
        description: expect.stringMatching(/switched off/),
        schema: { $schema, required: expect.arrayContaining(["webhook_id", "reason"]) },
        example: { webhook_name: "Releases", failed_attempts: 100 },
      },
      { name: "webhook_failing", description: expect.stringMatching(/fails/) },
    ]);
    for (const { name } of results.slice(-2)) {
      expect((await ask("GET", `/event-types/${name}/`)).status).toBe(200);
    }
  });

  it.each(["nothing", "__proto__", "constructor", "webhook_test", "parameter_*"])(
    "do not include %s",
    async (name) => {
      const { ask } = createWorld();
      const { status, body } = await ask("GET", `/event-types/${name}/`);
      expect([status, body.code]).toEqual([404, "not_found"]);
    },
  );
});

describe("a schema", () => {
  it.each([
    ["valibot", v.object({ name: v.string() })],
    ["zod", z.object({ name: z.string() })],
    ["arktype", type({ name: "string" })],
  ])("of %s becomes JSON Schema", async (_, schema) => {
    const api = apiOf({ named: { schema } });
    const { schema: shown } = await get(api, "named");
    expect(shown).toMatchObject({ $schema, type: "object", required: ["name"] });
  });

  it("and its example are shown as what is delivered, not as what is published", async () => {
    const schema = v.object({
      at: v.optional(v.pipe(v.string(), v.isoTimestamp()), "2026-01-05T14:03:00Z"),
    });
    const { schema: shown, example } = await get(
      apiOf({ timed: { schema, example: {} } }),
      "timed",
    );
    expect(shown).toMatchObject({ properties: { at: { format: "date-time" } } });
    expect(example).toEqual({ at: "2026-01-05T14:03:00Z" });
  });

  it.each([
    [
      "valibot, naming the place",
      v.object({ days: v.array(v.object({ at: v.date() })) }),
      /^catalog\.odd\.schema\.days\.item\.at cannot be shown as JSON Schema: The "date" schema/,
    ],
    [
      "valibot with a transform",
      v.pipe(v.string(), v.transform(Number)),
      /^catalog\.odd\.schema cannot be shown .* "transform"/,
    ],
    ["zod", z.object({ at: z.date() }), /^catalog\.odd\.schema cannot be shown .*: Date/],
    [
      "an unknown library",
      {
        "~standard": { version: 1, vendor: "mine", validate: (value: unknown) => ({ value }) },
      } as const,
      /^catalog\.odd\.schema cannot be shown .* "mine" neither offer/,
    ],
  ])("that JSON Schema cannot say is refused when the API is made: %s", (_, schema, message) => {
    expect(() => apiOf({ odd: { schema } })).toThrow(
      expect.objectContaining({ code: "invalid_options", message: expect.stringMatching(message) }),
    );
  });
});

function apiOf(types: Parameters<typeof defineCatalog>[0]): RestApi {
  const handler = defineHandler({
    type: "none",
    configuration: v.strictObject({}),
    deliver: async () => delivered(),
  });
  const bus = createEventBus({
    catalog: defineCatalog(types),
    storage: memoryStorage(),
    handlers: [handler],
  });
  return createRestApi({ bus, authenticate: accountOf });
}

async function get(api: RestApi, name: string): Promise<{ schema: object; example: unknown }> {
  const headers = { authorization: "Api-Key acme" };
  const request = new Request(`http://api.test/api/v1/event-types/${name}/`, { headers });
  return (await (await api.fetch(request)).json()) as { schema: object; example: unknown };
}
