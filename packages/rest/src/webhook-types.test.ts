import { createEventBus, defineCatalog, defineHandler, delivered } from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { memoryStorage } from "@posthorn/storage-memory";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { accountOf, createWorld } from "../test/acme.ts";
import { createRestApi } from "./index.ts";

describe("the types of webhooks", () => {
  it("are listed with what their configuration is, and how to come by it", async () => {
    const { ask } = createWorld();
    const { status, body } = await ask("GET", "/webhooks/types/");
    expect([status, body.next, body.previous]).toEqual([200, null, null]);
    const { slack: shown } = Object.fromEntries(
      body.results.map((type: { readonly type: string }) => [type.type, type]),
    );
    const made = slack();
    expect(shown).toMatchObject({
      url: "http://api.test/api/v1/webhooks/types/slack/",
      type: "slack",
      description: "Posts to a Slack channel.",
      configuration: {
        type: "object",
        required: ["token", "channel", "username"],
        additionalProperties: false,
        properties: {
          token: { type: "string", title: "Token" },
          on_ambiguous: { enum: ["retry", "abandon"] },
        },
      },
      secrets: ["token"],
      instructions: made.setup?.instructions,
      manifest: made.setup?.manifest,
      install_url: made.setup?.installUrl,
    });
    expect(shown.instructions).toHaveLength(8);
    expect(shown.install_url).toMatch(/^https:\/\/api\.slack\.com\/apps\?new_app=1&manifest_json=/);
    expect((await ask("GET", "/webhooks/types/slack/")).body).toEqual(shown);
  });

  it("may need nothing to be done before", async () => {
    const { ask } = createWorld();
    expect((await ask("GET", "/webhooks/types/pager/")).body).toMatchObject({
      type: "pager",
      instructions: [],
      manifest: null,
      install_url: null,
    });
  });

  it.each(["nothing", "__proto__", "constructor"])("do not include %s", async (type) => {
    const { ask } = createWorld();
    const { status, body } = await ask("GET", `/webhooks/types/${type}/`);
    expect([status, body.code]).toEqual([404, "not_found"]);
  });

  it("are only read", async () => {
    const { ask } = createWorld();
    for (const path of ["/webhooks/types/", "/webhooks/types/slack/"]) {
      const { status, body } = await ask("DELETE", path);
      expect([status, body.detail]).toEqual([405, "This path knows GET, HEAD."]);
    }
  });
});

it("an API is not made for a configuration that cannot be shown", () => {
  const handler = defineHandler({
    type: "odd",
    configuration: v.strictObject({ when: v.date() }),
    deliver: async () => delivered(),
  });
  const bus = createEventBus({
    catalog: defineCatalog({ created: { schema: v.object({}) } }),
    handlers: [handler],
    storage: memoryStorage(),
  });
  expect(() => createRestApi({ bus: bus as never, authenticate: accountOf })).toThrow(
    'The configuration of handler "odd".when cannot be shown as JSON Schema',
  );
});
