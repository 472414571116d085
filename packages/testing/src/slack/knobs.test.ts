import { afterEach, describe, expect, it } from "vitest";
import { createFakeSlack, type FakeSlack, type FakeSlackOptions } from "./index.ts";

const open: FakeSlack[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((slack) => slack.close()));
});

async function start(options?: FakeSlackOptions): Promise<FakeSlack> {
  const slack = await createFakeSlack(options);
  open.push(slack);
  return slack;
}

async function call(
  slack: FakeSlack,
  method: string,
  body: object = {},
  token = "xoxb-fake",
  // biome-ignore lint/suspicious/noExplicitAny: a reply is whatever the fake says it is.
): Promise<any> {
  const response = await fetch(`${slack.url}${method}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json; charset=utf-8",
    },
    body: JSON.stringify(body),
  });
  return response.json();
}

const post = (slack: FakeSlack, body: object = {}, token?: string) =>
  call(slack, "chat.postMessage", { channel: "general", text: "hi", ...body }, token);

describe("what is disputed about Slack", () => {
  it("a client_msg_id that comes twice makes one message only if the knob says so", async () => {
    const slack = await start({ dedupeClientMsgId: true });
    const first = await post(slack, { client_msg_id: "one" });
    const second = await post(slack, { client_msg_id: "one" });
    expect(second).toMatchObject({ ok: true, ts: first.ts, is_duplicate: true });
    expect(await post(slack, { client_msg_id: "two" })).not.toHaveProperty("is_duplicate");
    expect(slack.messages("general")).toHaveLength(2);
  });

  it("a private channel is found by name only if the knob says so, and only by its members", async () => {
    const channels = [{ name: "secret", private: true, members: ["xoxb-fake"] }];
    const tokens = ["xoxb-fake", { token: "xoxb-other", app: "A2" }];
    const strict = await start({ channels, tokens });
    expect(await post(strict, { channel: "secret" })).toMatchObject({ error: "channel_not_found" });
    const lenient = await start({ channels, tokens, privateByName: true });
    expect(await post(lenient, { channel: "#secret" })).toMatchObject({ ok: true });
    const stranger = await post(lenient, { channel: "secret" }, "xoxb-other");
    expect(stranger).toMatchObject({ error: "channel_not_found" });
  });

  it("the last ts is returned for a text that was split if the knob says so", async () => {
    const slack = await start({ splitReturns: "last" });
    const { ts } = await post(slack, { text: "x".repeat(4_041) });
    expect(ts).toBe(slack.messages("general")[1]?.ts);
  });

  it("strings within JSON and an empty username pass if the knobs say so", async () => {
    const slack = await start({ stringsInJson: "accept", emptyUsername: "ignore" });
    const blocks = '[{"type":"divider"}]';
    expect(await post(slack, { blocks, username: "" })).toMatchObject({ ok: true });
  });

  it("the budget of all blocks can be another", async () => {
    const slack = await start({ blocksBudget: 5 });
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "123456" } }];
    expect(await post(slack, { blocks })).toEqual({ ok: false, error: "msg_blocks_too_long" });
  });
});

describe("above the rate", () => {
  const none = { capacity: 1, refillPerSecond: 0.1 };

  it("200 answers rate_limited without saying for how long", async () => {
    const slack = await start({ channelRate: none, aboveRate: "200", now: () => 0 });
    await post(slack);
    expect(await post(slack)).toEqual({ ok: false, error: "rate_limited" });
    expect(slack.traffic.limited()).toHaveLength(1);
  });

  it("hide says ok and shows the message to nobody", async () => {
    const slack = await start({ channelRate: none, aboveRate: "hide", now: () => 0 });
    const first = await post(slack);
    const second = await post(slack);
    expect([first.ok, second.ok]).toEqual([true, true]);
    expect(second.message).not.toHaveProperty("hidden");
    expect(slack.messages("general").map(({ hidden = false }) => hidden)).toEqual([false, true]);
  });

  it("a workspace of a free plan takes no more than its messages", async () => {
    const slack = await start({ messageLimit: 1 });
    await post(slack);
    expect(await post(slack, { channel: "random" })).toEqual({
      ok: false,
      error: "message_limit_exceeded",
    });
  });
});

describe("tokens", () => {
  it.each([
    ["xapp-1-A1", "not_allowed_token_type"],
    ["xoxe-1-refresh", "not_allowed_token_type"],
    ["xoxe.xoxp-1-config", "not_allowed_token_type"],
    ["xoxc-session", "not_allowed_token_type"],
    ["xoxp-person", undefined],
    ["xoxe.xoxb-1-rotating", undefined],
  ])("of the kind of %s are answered with %s", async (token, error) => {
    const slack = await start({ tokens: [token] });
    expect((await post(slack, {}, token)).error).toBe(error);
  });

  it("of a legacy bot are refused as such", async () => {
    const slack = await start({ tokens: [{ token: "xoxb-old", kind: "legacy" }] });
    expect(await post(slack, {}, "xoxb-old")).toMatchObject({ error: "is_bot" });
  });

  it.each([
    ["two_factor", "two_factor_setup_required"],
    ["not_granted", "team_access_not_granted"],
    ["app_restricted", "app_access_restricted"],
    ["login_required", "org_login_required"],
  ] as const)("in the state %s are answered with %s", async (state, error) => {
    const slack = await start();
    slack.updateToken("xoxb-fake", { state });
    expect(await post(slack)).toMatchObject({ error });
  });

  it("of an organization know channels by their ids only", async () => {
    const slack = await start({ tokens: [{ token: "xoxb-fake", orgWide: true }] });
    expect(await post(slack)).toMatchObject({ error: "team_not_found" });
    expect(await post(slack, { channel: slack.channel("general").id })).toMatchObject({ ok: true });
    expect(await call(slack, "auth.test")).toMatchObject({ is_enterprise_install: true });
  });

  it("can be rotated, and taken away with their app", async () => {
    const slack = await start();
    slack.rotateToken("xoxb-fake", "xoxb-next");
    expect(await post(slack)).toMatchObject({ error: "token_expired" });
    expect(await post(slack, {}, "xoxb-next")).toMatchObject({ ok: true });
    slack.uninstall("xoxb-next");
    expect(await post(slack, {}, "xoxb-next")).toMatchObject({ error: "token_revoked" });
  });

  it("name what goes wrong if asked to, always or once", async () => {
    const slack = await start({ tokenFaults: true });
    const fails = async (token: string) => (await post(slack, {}, token)).error;
    expect(await fails("xoxb-fatal_error")).toBe("fatal_error");
    expect(await fails("xoxb-fatal_error")).toBe("fatal_error");
    expect(await fails("xoxb-ratelimited_only_once")).toBe("ratelimited");
    expect(await fails("xoxb-ratelimited_only_once")).toBeUndefined();
    expect(await fails("xoxb-anything")).toBe("invalid_auth");
    expect(await fails("xoxb-constructor")).toBe("invalid_auth");
    const strict = await start();
    expect(await post(strict, {}, "xoxb-fatal_error")).toMatchObject({ error: "invalid_auth" });
  });
});

describe("workspaces and channels", () => {
  it.each([
    ["migrating", "team_added_to_org"],
    ["ekm_locked", "ekm_access_denied"],
    ["network_limited", "accesslimited"],
  ] as const)("a workspace that is %s answers %s", async (state, error) => {
    const slack = await start();
    const { workspace } = slack.channel("general");
    slack.updateWorkspace(workspace, { state });
    expect(await post(slack)).toMatchObject({ error });
    slack.updateWorkspace(workspace, { state: "active" });
    expect(await post(slack)).toMatchObject({ ok: true });
  });

  it.each([
    ["limited_access", {}, "channel_is_limited_access"],
    ["connect_blocked", {}, "slack_connect_file_link_sharing_blocked"],
    ["messages_tab_disabled", {}, "messages_tab_disabled"],
    ["non_threadable", {}, undefined],
    ["non_threadable", { thread_ts: "1.1" }, "restricted_action_non_threadable_channel"],
    ["thread_locked", { thread_ts: "1.1" }, "restricted_action_thread_locked"],
  ] as const)("a channel that is %s answers %j with %s", async (posting, more, error) => {
    const slack = await start({ channels: [{ name: "general", posting }] });
    expect((await post(slack, more)).error).toBe(error);
  });

  it("a person's direct messages are reached by the person's id", async () => {
    const slack = await start({ channels: [{ name: "ana", user: "U0ANA" }] });
    const { channel } = await post(slack, { channel: "U0ANA" });
    expect(channel).toMatch(/^D/);
    expect(slack.messages("ana")).toHaveLength(1);
    expect(await post(slack, { channel: "@ana" })).toMatchObject({ error: "channel_not_found" });
  });

  it("a channel can become private, and shuts out who is not in it", async () => {
    const slack = await start();
    slack.updateChannel("general", { private: true });
    expect(await post(slack, { channel: slack.channel("general").id })).toMatchObject({
      error: "channel_not_found",
    });
  });
});

describe("metadata", () => {
  const metadata = { event_type: "x", event_payload: { a: "x".repeat(9_000) } };

  it("has a size, and comes from apps only", async () => {
    const slack = await start({ tokens: ["xoxb-fake", "xoxp-person"] });
    expect(await post(slack, { metadata })).toMatchObject({ error: "metadata_too_large" });
    const small = { ...metadata, event_payload: {} };
    expect(await post(slack, { metadata: small })).toMatchObject({ ok: true });
    expect(await post(slack, { metadata: small }, "xoxp-person")).toMatchObject({
      error: "metadata_must_be_sent_from_app",
    });
  });
});

describe("the traffic", () => {
  it("knows repetitions, gaps, crowds, and tokens used in vain", async () => {
    let now = 1_000;
    const slack = await start({ now: () => now });
    await post(slack, { text: "delivery abc" });
    now += 1_500;
    await post(slack, { text: "delivery abc" });
    now += 100;
    await post(slack, { text: "delivery def" });
    expect(slack.traffic.duplicatesOf("general", "abc")).toHaveLength(1);
    expect(slack.traffic.duplicatesOf("general", "def")).toHaveLength(0);
    expect(slack.traffic.gapsMs("general")).toEqual([1_500, 100]);
    expect(slack.traffic.mostWithin("general", 1_000)).toBe(2);
    expect(slack.traffic.maxInFlight("general")).toBe(1);
    expect(slack.traffic.afterRefusedToken()).toEqual([]);
    slack.updateToken("xoxb-fake", { state: "revoked" });
    await post(slack);
    await post(slack);
    expect(slack.traffic.afterRefusedToken()).toHaveLength(1);
    await call(slack, "chat.postMessage?token=xoxb-fake");
    expect(slack.traffic.leaks()).toHaveLength(1);
  });

  it("sees requests of one channel that overlap", async () => {
    const slack = await start();
    slack.fault({ action: { type: "slow_headers", delayMs: 50 } });
    await Promise.all([post(slack), post(slack)]);
    expect(slack.traffic.maxInFlight("general")).toBe(2);
    expect(slack.traffic.maxInFlight("random")).toBe(0);
  });
});
