import { readFileSync } from "node:fs";
import { createFakeSlack } from "@posthorn/testing/slack";
import { describe, expect, it } from "vitest";
import { call } from "./call.ts";
import { slackInstallUrl, slackManifest, slackScopes } from "./manifest.ts";

const manifest = JSON.parse(readFileSync(new URL("../manifest.json", import.meta.url), "utf8")) as {
  readonly display_information: { readonly name: string; readonly description: string };
  readonly features: { readonly bot_user: { readonly display_name: string } };
  readonly oauth_config: { readonly scopes: { readonly bot: readonly string[] } };
  readonly settings: Readonly<Record<string, boolean>>;
};

it("is what slackManifest makes", () => {
  const { name, description } = manifest.display_information;
  expect(slackManifest({ name, description })).toEqual(manifest);
});

/**
 * Slack's published schemas (https://api.slack.com, major versions 1 and 2) in our own words, for the
 * parts that our manifests have: which members there may be, and how long their texts.
 */
const published = {
  members: {
    "": ["_metadata", "display_information", "features", "oauth_config", "settings"],
    _metadata: ["major_version", "minor_version"],
    display_information: ["name", "description", "long_description", "background_color"],
    features: ["bot_user"],
    "features.bot_user": ["display_name", "always_online"],
    oauth_config: ["scopes"],
    "oauth_config.scopes": ["bot", "bot_optional"],
    settings: ["org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"],
  } as Readonly<Record<string, readonly string[]>>,
  texts: {
    "display_information.name": [1, 35],
    "display_information.description": [1, 140],
    "display_information.long_description": [175, 4_000],
    "features.bot_user.display_name": [1, 80],
  } as Readonly<Record<string, readonly [number, number]>>,
};

function complaints(value: unknown, path = ""): readonly string[] {
  if (Array.isArray(value)) {
    const wrong = value.filter((scope) => typeof scope !== "string" || scope.length > 50);
    return wrong.map((scope) => `${path}: ${scope}`);
  }
  if (typeof value === "string") {
    const [least, most] = published.texts[path] ?? [0, 7];
    return value.length >= least && value.length <= most ? [] : [`${path}: ${value.length}`];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [
    ...(published.members[path]?.includes(name) === true ? [] : [`${path}: unknown ${name}`]),
    ...complaints(member, path === "" ? name : `${path}.${name}`),
  ]);
}

describe("slackManifest", () => {
  const everything = {
    name: "n".repeat(35),
    botName: "b".repeat(80),
    description: "d".repeat(140),
    longDescription: "l".repeat(175),
    backgroundColor: "#3366cc",
    scopes: slackScopes.verifyChannels,
    optionalScopes: ["chat:write.customize"],
  };

  it.each([
    ["the least", { name: "n" }],
    ["everything", everything],
    ["fewer scopes", { name: "n", scopes: slackScopes.minimal }],
    ["public channels", { name: "n", scopes: slackScopes.publicChannels }],
  ])("makes what Slack's schemas and its validation take: %s", async (_, options) => {
    const made = slackManifest(options);
    expect(complaints(made)).toEqual([]);
    const fake = await createFakeSlack({ tokens: ["xoxe.xoxp-1-config"] });
    const { signal } = new AbortController();
    const method = "apps.manifest.validate";
    const body = { manifest: JSON.stringify(made) };
    const token = "xoxe.xoxp-1-config";
    const reply = await call({ baseUrl: fake.url, method, token, body, signal });
    expect(reply).toMatchObject({ body: { ok: true } });
    await fake.close();
  });

  it("is caught by the fixture if it has anything else", () => {
    expect(complaints({ ...manifest, colour: "red" })).toEqual([": unknown colour"]);
    expect(complaints({ display_information: { name: "n".repeat(36) } })).toHaveLength(1);
    expect(complaints({ oauth_config: { scopes: { bot: ["x".repeat(51)] } } })).toHaveLength(1);
  });

  it.each([
    [{ name: "" }, "name has 0 characters. Slack takes 1 to 35."],
    [{ name: "n".repeat(36) }, "name has 36 characters"],
    [{ name: "n", botName: "b".repeat(81) }, "botName has 81 characters"],
    [{ name: "n", description: "d".repeat(141) }, "description has 141 characters"],
    [{ name: "n", longDescription: "short" }, "longDescription has 5 characters"],
    [{ name: "n", backgroundColor: "red" }, "backgroundColor is no colour"],
    [{ name: "n", scopes: ["chat:write.public"] }, "scopes lacks chat:write"],
    [{ name: "n", scopes: ["chat:write", "Post anything"] }, 'has "Post anything"'],
    [{ name: "n", optionalScopes: [""] }, 'optionalScopes has ""'],
  ])("refuses %j, and says what is wrong", (options, message) => {
    expect(() => slackManifest(options)).toThrow(message);
  });
});

describe("slackInstallUrl", () => {
  it("opens Slack with the manifest", () => {
    const made = slackManifest({ name: "R&D “Ops”" });
    const url = new URL(slackInstallUrl(made));
    expect(url.origin + url.pathname).toBe("https://api.slack.com/apps");
    expect(url.searchParams.get("new_app")).toBe("1");
    expect(JSON.parse(url.searchParams.get("manifest_json") ?? "")).toEqual(made);
  });
});

const { bot } = manifest.oauth_config.scopes;

it.each([bot, ...bot.map((scope) => bot.filter((other) => other !== scope))])(
  "can post to a public channel under a name if and only if it has all of them: %s",
  async (...scopes) => {
    const fake = await createFakeSlack({ tokens: [{ token: "xoxb-fake", scopes }] });
    const reply = await call({
      baseUrl: fake.url,
      method: "chat.postMessage",
      token: "xoxb-fake",
      body: { channel: "#general", text: "Hello", username: "CloudTruth" },
      signal: new AbortController().signal,
    });
    expect(reply).toMatchObject({ body: { ok: scopes.length === 3 } });
    await fake.close();
  },
);
