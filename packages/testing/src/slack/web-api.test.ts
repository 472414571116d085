import { LogLevel, WebClient, type WebClientOptions } from "@slack/web-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { METHODS } from "./api.ts";
import { createFakeSlack, type FakeSlack } from "./index.ts";

/** Slack's own client, as its users have it, but for the retries that last half an hour. */
const options: WebClientOptions = {
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
  logLevel: LogLevel.ERROR,
};

const scopes = [
  "chat:write",
  "chat:write.public",
  "chat:write.customize",
  "channels:read",
  "channels:join",
  "channels:history",
];

let fake: FakeSlack;
let client: WebClient;
beforeAll(async () => {
  fake = await createFakeSlack({
    channels: ["general", "random", { name: "attic", archived: true }],
    tokens: [{ token: "xoxb-fake", scopes }, "xoxe.xoxp-1-config"],
  });
  client = new WebClient("xoxb-fake", { slackApiUrl: fake.url, ...options });
});
afterAll(() => fake.close());

const id = (name: string): string => fake.channel(name).id;
const tried = new Set<string>();

/** What a method answers Slack's client; each is tried once here. */
const calls: Readonly<Record<string, () => Promise<void>>> = {
  "api.test": async () => {
    expect(await client.apiCall("api.test", { foo: "bar" })).toMatchObject({
      ok: true,
      args: { foo: "bar" },
    });
  },
  "auth.test": async () => {
    const answer = await client.auth.test();
    expect(answer).toMatchObject({ ok: true, bot_id: expect.any(String) });
    expect(answer.response_metadata?.scopes).toEqual(scopes);
  },
  "chat.postMessage": async () => {
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "*Hello*" } }];
    const channel = "#general";
    const answer = await client.chat.postMessage({
      channel,
      text: "Hello",
      blocks,
      username: "Me",
    });
    expect(answer).toMatchObject({ ok: true, channel: id("general"), message: { username: "Me" } });
    expect(answer.message?.blocks).toMatchObject(blocks);
    await expect(client.chat.postMessage({ channel: "attic", text: "x" })).rejects.toMatchObject({
      data: { ok: false, error: "is_archived" },
    });
  },
  "chat.update": async () => {
    const { ts = "" } = await client.chat.postMessage({ channel: "random", text: "first" });
    const change = { channel: id("random"), ts, text: "second" };
    expect(await client.chat.update(change)).toMatchObject({ ok: true, ts, text: "second" });
    expect(fake.messages("random").at(-1)).toMatchObject({ text: "second", edited: {} });
    await expect(client.chat.update({ ...change, ts: "1.1" })).rejects.toMatchObject({
      data: { error: "message_not_found" },
    });
    await expect(client.chat.update({ ...change, text: "x".repeat(4_001) })).rejects.toMatchObject({
      data: { error: "msg_too_long" },
    });
  },
  "chat.delete": async () => {
    const { ts = "" } = await client.chat.postMessage({ channel: "random", text: "short-lived" });
    const before = fake.messages("random").length;
    expect(await client.chat.delete({ channel: id("random"), ts })).toMatchObject({ ok: true, ts });
    expect(fake.messages("random")).toHaveLength(before - 1);
  },
  "conversations.info": async () => {
    const { channel } = await client.conversations.info({ channel: id("attic") });
    expect(channel).toMatchObject({ name: "attic", is_archived: true, is_member: false });
  },
  "conversations.list": async () => {
    const names: string[] = [];
    const pages = client.paginate("conversations.list", { limit: 1, exclude_archived: true });
    for await (const page of pages) {
      const { channels } = page as unknown as { channels: readonly { readonly name: string }[] };
      names.push(...channels.map(({ name }) => name));
    }
    expect(names).toEqual(["general", "random"]);
  },
  "conversations.join": async () => {
    const first = await client.conversations.join({ channel: id("random") });
    expect(first).toMatchObject({ ok: true, channel: { is_member: true } });
    const second = await client.conversations.join({ channel: id("random") });
    expect(second).toMatchObject({ warning: "already_in_channel" });
  },
  "conversations.history": async () => {
    const metadata = { event_type: "posted", event_payload: { delivery: "d1" } };
    await client.chat.postMessage({ channel: "random", text: "latest", metadata });
    const request = { channel: id("random"), limit: 1 };
    const plain = await client.conversations.history(request);
    expect(plain).toMatchObject({ messages: [{ text: "latest" }], has_more: true });
    expect(plain.messages?.[0]).not.toHaveProperty("metadata");
    const full = await client.conversations.history({ ...request, include_all_metadata: true });
    expect(full.messages?.[0]).toMatchObject({ metadata });
    await expect(client.conversations.history({ channel: id("general") })).rejects.toMatchObject({
      data: { error: "not_in_channel" },
    });
  },
  "apps.manifest.validate": async () => {
    const token = "xoxe.xoxp-1-config";
    const manifest = { display_information: { name: "Releases" } };
    expect(await client.apps.manifest.validate({ token, manifest })).toMatchObject({ ok: true });
    const nameless = { display_information: { name: "" }, colour: "red" };
    await expect(
      client.apiCall("apps.manifest.validate", { token, manifest: nameless }),
    ).rejects.toMatchObject({
      data: {
        error: "invalid_manifest",
        errors: [
          { pointer: "/display_information/name", message: "must be more than 0 characters" },
          { pointer: "/", message: "invalid additional property: colour" },
        ],
      },
    });
    await expect(client.apps.manifest.validate({ manifest })).rejects.toMatchObject({
      data: { error: "not_allowed_token_type" },
    });
  },
};

describe("Slack's own client works against the fake", () => {
  it.each(Object.entries(calls))("%s", async (method, call) => {
    await call();
    tried.add(method);
    expect(fake.requests.map((request) => request.method)).toContain(method);
  });

  it("with each method that the fake has", () => {
    expect([...tried].toSorted()).toEqual([...METHODS.keys(), "api.test"].toSorted());
  });

  it("and sees a 429 as what it is", async () => {
    const limited = await createFakeSlack({ channelRate: { capacity: 0, refillPerSecond: 0.5 } });
    const impatient = new WebClient("xoxb-fake", { slackApiUrl: limited.url, ...options });
    await expect(
      impatient.chat.postMessage({ channel: "general", text: "x" }),
    ).rejects.toMatchObject({ code: "slack_webapi_rate_limited_error", retryAfter: 2 });
    await limited.close();
  });

  it("and never follows a redirect", async () => {
    const away = await createFakeSlack();
    away.fault({ action: { type: "redirect", location: `${fake.url}auth.test` } });
    const before = fake.requests.length;
    const other = new WebClient("xoxb-fake", { slackApiUrl: away.url, ...options });
    await expect(other.auth.test()).rejects.toThrow();
    expect(fake.requests).toHaveLength(before);
    await away.close();
  });
});
