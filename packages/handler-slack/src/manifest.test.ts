import { readFileSync } from "node:fs";
import { createFakeSlack } from "@posthorn/testing/slack";
import { expect, it } from "vitest";
import { post } from "./post.ts";

const manifest = JSON.parse(readFileSync(new URL("../manifest.json", import.meta.url), "utf8")) as {
  readonly display_information: { readonly name: string; readonly description: string };
  readonly features: { readonly bot_user: { readonly display_name: string } };
  readonly oauth_config: { readonly scopes: { readonly bot: readonly string[] } };
  readonly settings: Readonly<Record<string, boolean>>;
};

it("asks for the three scopes that the configuration needs, and no others", () => {
  expect(manifest.oauth_config.scopes).toEqual({
    bot: ["chat:write", "chat:write.public", "chat:write.customize"],
  });
});

it("has what Slack requires, within its limits, and no rotating token", () => {
  expect(Object.keys(manifest).toSorted()).toEqual([
    "_metadata",
    "display_information",
    "features",
    "oauth_config",
    "settings",
  ]);
  expect(manifest.display_information.name).toMatch(/^.{1,35}$/);
  expect(manifest.display_information.description).toMatch(/^.{1,140}$/);
  expect(manifest.features.bot_user.display_name).toMatch(/^.{1,80}$/);
  expect(manifest.settings).toEqual({
    org_deploy_enabled: false,
    socket_mode_enabled: false,
    token_rotation_enabled: false,
  });
});

const { bot } = manifest.oauth_config.scopes;

it.each([bot, ...bot.map((scope) => bot.filter((other) => other !== scope))])(
  "can post to a public channel under a name if and only if it has all of them: %s",
  async (...scopes) => {
    const fake = await createFakeSlack({ tokens: [{ token: "xoxb-fake", scopes }] });
    const reply = await post({
      baseUrl: fake.url,
      token: "xoxb-fake",
      body: { channel: "#general", text: "Hello", username: "CloudTruth" },
      signal: new AbortController().signal,
    });
    expect(reply).toMatchObject({ body: { ok: scopes.length === 3 } });
    await fake.close();
  },
);
