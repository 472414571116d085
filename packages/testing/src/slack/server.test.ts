import { afterEach, expect, test } from "vitest";
import {
  createFakeSlack,
  type FakeMessage,
  type FakeSlack,
  type FakeSlackOptions,
} from "./index.ts";

const open: FakeSlack[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((slack) => slack.close()));
});

async function start(options?: FakeSlackOptions): Promise<FakeSlack> {
  const slack = await createFakeSlack(options);
  open.push(slack);
  return slack;
}

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a reply is whatever the fake says it is.
  readonly body: any;
}

const TOKEN = "xoxb-fake";
const JSON_TYPE = "application/json; charset=utf-8";

async function call(
  slack: FakeSlack,
  method: string,
  body: unknown = {},
  options: { token?: string | null; type?: string | null; query?: string } = {},
): Promise<Reply> {
  const { token = TOKEN, type = JSON_TYPE, query = "" } = options;
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (type !== null) headers.set("content-type", type);
  // A string would get a content type of its own from fetch; bytes do not.
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const init = {
    method: "POST",
    headers,
    body: new TextEncoder().encode(text),
    redirect: "manual",
  };
  const response = await fetch(`${slack.url}${method}${query}`, init as RequestInit);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

const post = (slack: FakeSlack, body: unknown, options?: Parameters<typeof call>[3]) =>
  call(slack, "chat.postMessage", body, options);

test("three lines are enough to post and to look at what was posted", async () => {
  const slack = await start({ channels: ["deploys"], now: () => 1_700_000_000_123 });
  const { status, body } = await post(slack, { channel: "deploys", text: "hi" });
  expect(slack.messages("deploys")).toMatchObject([{ text: "hi", ts: "1700000000.123000" }]);

  const { id } = slack.channel("#deploys");
  expect([status, body.ok, body.channel, body.ts]).toEqual([200, true, id, "1700000000.123000"]);
  expect(body.message).toMatchObject({
    type: "message",
    text: "hi",
    ts: "1700000000.123000",
    user: expect.stringMatching(/^U/),
    bot_id: expect.stringMatching(/^B/),
    app_id: expect.stringMatching(/^A/),
    team: expect.stringMatching(/^T/),
    bot_profile: { name: "Fake App", id: expect.stringMatching(/^B/) },
  });
  expect(body.message).not.toHaveProperty("subtype");
  expect(body.message).not.toHaveProperty("postedAt");
});

test("a name and an icon of its own make it a bot_message, with the emoji before the url", async () => {
  const slack = await start();
  const named = { username: "Ana", icon_emoji: ":x:", icon_url: "https://example.com/a.png" };
  const { body } = await post(slack, { channel: "general", text: "hi", ...named });
  expect(body.message).toMatchObject({
    subtype: "bot_message",
    username: "Ana",
    icons: { emoji: ":x:" },
  });
  expect(body.message).not.toHaveProperty("user");
});

test("ts strictly increases within a channel while the clock stands still", async () => {
  const slack = await start({ now: () => 1_000 });
  for (const text of ["a", "b"]) await post(slack, { channel: "general", text });
  await post(slack, { channel: "random", text: "c" });
  expect(slack.messages("general").map(({ ts }) => ts)).toEqual([
    "0000000001.000000",
    "0000000001.000001",
  ]);
  expect(slack.messages("random")[0]?.ts).toBe("0000000001.000000");
});

test("it never dedupes", async () => {
  const slack = await start();
  const body = { channel: "general", text: "hi", client_msg_id: "one" };
  const first = await post(slack, body);
  const second = await post(slack, body);
  expect(first.body.ts).not.toBe(second.body.ts);
  expect(slack.messages("general")).toHaveLength(2);
});

test("blocks get a block_id, and thread, attachments and metadata are kept", async () => {
  const slack = await start();
  const given = {
    blocks: [{ type: "divider" }, { type: "divider", block_id: "mine" }],
    attachments: [{ color: "#f00", blocks: [{ type: "divider" }] }],
    thread_ts: "1.000001",
    metadata: { event_type: "x", event_payload: { a: 1 } },
  };
  const { body } = await post(slack, { channel: "general", text: "hi", ...given });
  expect(body.message).toMatchObject({
    ...given,
    blocks: [{ type: "divider", block_id: expect.stringMatching(/^.{5}$/) }, given.blocks[1]],
  });
});

test.each([
  [{}, "see <https://a.b> &amp; &lt;"],
  [{ parse: "none" }, "see https://a.b &amp; &lt;"],
])("text is stored as Slack stores it, with %j", async (more, stored) => {
  const slack = await start();
  await post(slack, { channel: "general", text: "see https://a.b & <", ...more });
  expect(slack.messages("general")[0]?.text).toBe(stored);
});

test("long text becomes several messages, and the first ts is returned", async () => {
  const slack = await start();
  const { body } = await post(slack, { channel: "general", text: "x".repeat(4_041) });
  const messages = slack.messages("general");
  expect(messages.map(({ text }) => text.length)).toEqual([4_000, 41]);
  expect(body.ts).toBe(messages[0]?.ts);
});

test("with blocks, long text is split as well, or stays whole if the knob says so", async () => {
  const blocks = [{ type: "divider" }];
  for (const splitBesideBlocks of [true, false]) {
    const slack = await start({ splitBesideBlocks });
    await post(slack, { channel: "general", text: "x".repeat(4_041), blocks });
    const messages = slack.messages("general");
    expect(messages).toHaveLength(splitBesideBlocks ? 2 : 1);
    expect(messages.map((message) => "blocks" in message)).toEqual(
      splitBesideBlocks ? [true, false] : [true],
    );
  }
});

test("text beyond 40,000 characters is cut off, with a warning", async () => {
  const slack = await start();
  const { body } = await post(slack, { channel: "general", text: "x".repeat(40_001) });
  expect(slack.messages("general")).toHaveLength(10);
  expect([body.warning, body.response_metadata.warnings]).toEqual([
    "message_truncated",
    ["message_truncated"],
  ]);
});

test.each<[what: string, channel: unknown, expected: string | undefined]>([
  ["its id", "C0PUBLIC01", undefined],
  ["its name", "public", undefined],
  ["its name after #", "#public", undefined],
  ["the id of a private channel it is in", "C0PRIVATE1", undefined],
  ["the name of a private channel it is in", "private", "channel_not_found"],
  ["the id of a private channel it is not in", "C0SECRET01", "channel_not_found"],
  ["the id of another workspace's channel", "C0FOREIGN1", "channel_not_found"],
  ["a user", "@ana", "channel_not_found"],
  ["an archived channel", "attic", "is_archived"],
  ["a channel closed to apps", "board", "restricted_action"],
  ["a channel for reading", "news", "restricted_action_read_only_channel"],
  ["a channel for threads", "threads", "restricted_action_thread_only_channel"],
  ["nothing", undefined, "invalid_arguments"],
  ["a number", 7, "invalid_arguments"],
])("posting to %s gives what Slack gives", async (_, channel, expected) => {
  const slack = await start({
    channels: [
      { name: "public", id: "C0PUBLIC01" },
      { name: "private", id: "C0PRIVATE1", private: true, members: [TOKEN] },
      { name: "secret", id: "C0SECRET01", private: true },
      { name: "attic", archived: true },
      { name: "board", posting: "restricted" },
      { name: "news", posting: "read_only" },
      { name: "threads", posting: "thread_only" },
    ],
  });
  const { id } = slack.addWorkspace({ name: "Other" });
  slack.addChannel({ name: "foreign", id: "C0FOREIGN1", workspace: id });
  const { body } = await post(slack, { channel, text: "hi" });
  expect(body.error).toBe(expected);
});

test("a channel for threads takes replies", async () => {
  const slack = await start({ channels: [{ name: "threads", posting: "thread_only" }] });
  const { body } = await post(slack, { channel: "threads", text: "hi", thread_ts: "1.000001" });
  expect(body.ok).toBe(true);
});

test("without chat:write.public it must be in the channel", async () => {
  const slack = await start({ tokens: [{ token: TOKEN, scopes: ["chat:write"] }] });
  const message = { channel: "general", text: "hi" };
  expect((await post(slack, message)).body.error).toBe("not_in_channel");
  slack.invite("general", TOKEN);
  expect((await post(slack, message)).body.ok).toBe(true);
  slack.kick("general", TOKEN);
  expect((await post(slack, message)).body.error).toBe("not_in_channel");
});

test("membership counts by user id too", async () => {
  const slack = await start({ channels: [] });
  const { userId } = slack.addToken({ token: "xoxb-two", scopes: ["chat:write"] });
  const { id } = slack.addChannel({ name: "secret", private: true, members: [userId] });
  const message = { channel: id, text: "hi" };
  expect((await post(slack, message, { token: "xoxb-two" })).body.ok).toBe(true);
  slack.kick(id, "xoxb-two");
  expect((await post(slack, message, { token: "xoxb-two" })).body.error).toBe("channel_not_found");
});

test("channels can be archived, renamed and deleted under way", async () => {
  const slack = await start({ channels: ["a"] });
  const { id } = slack.updateChannel("a", { name: "b" });
  expect((await post(slack, { channel: "a", text: "hi" })).body.error).toBe("channel_not_found");
  expect((await post(slack, { channel: "b", text: "hi" })).body.channel).toBe(id);
  slack.updateChannel(id, { archived: true });
  expect((await post(slack, { channel: id, text: "hi" })).body.error).toBe("is_archived");
  slack.deleteChannel(id);
  expect((await post(slack, { channel: id, text: "hi" })).body.error).toBe("channel_not_found");
});

const long = { type: "section", text: { type: "mrkdwn", text: "x".repeat(3_000) } };

test.each<[what: string, body: object, expected: string | undefined]>([
  ["nothing to show", {}, "no_text"],
  ["blank text", { text: " \n" }, "no_text"],
  ["empty blocks", { blocks: [], attachments: [] }, "no_text"],
  ["blocks without text", { blocks: [{ type: "divider" }] }, undefined],
  ["blocks as a string within JSON", { blocks: '[{"type":"divider"}]' }, "invalid_blocks_format"],
  ["attachments without text", { attachments: [{ text: "x" }] }, undefined],
  ["markdown_text", { markdown_text: "**x**" }, undefined],
  ["markdown_text of 12,001", { markdown_text: "x".repeat(12_001) }, "msg_too_long"],
  ["markdown_text and text", { markdown_text: "x", text: "x" }, "markdown_text_conflict"],
  ["markdown_text and blocks", { markdown_text: "x", blocks: [] }, "markdown_text_conflict"],
  ["101 attachments", { attachments: Array(101).fill({}) }, "too_many_attachments"],
  ["attachments that are no array", { text: "x", attachments: {} }, "invalid_arguments"],
  ["blocks that are no array", { text: "x", blocks: {} }, "invalid_blocks_format"],
  ["blocks that are no JSON", { text: "x", blocks: "[" }, "invalid_blocks_format"],
  ["51 blocks", { blocks: Array(51).fill({ type: "divider" }) }, "invalid_blocks"],
  ["blocks over the budget", { blocks: Array(5).fill(long) }, "msg_blocks_too_long"],
  ["blocks within the budget", { blocks: Array(4).fill(long) }, undefined],
  ["a bad block in an attachment", { attachments: [{ blocks: [{}] }] }, "invalid_attachments"],
  ["text that is an object", { text: {} }, "invalid_arguments"],
  ["metadata that is no object", { text: "x", metadata: "x" }, "invalid_metadata_format"],
  ["metadata without a payload", { text: "x", metadata: {} }, "invalid_metadata_schema"],
  ["as_user", { text: "x", as_user: true }, "as_user_not_supported"],
  ["an argument nobody knows", { text: "x", idempotency_key: "x" }, undefined],
])("posting %s gives what Slack gives", async (_, message, expected) => {
  const slack = await start();
  const { body } = await post(slack, { channel: "general", ...message });
  expect(body.error).toBe(expected);
  expect(slack.messages("general")).toHaveLength(expected === undefined ? 1 : 0);
});

test("refused blocks come with Slack's findings, plain and marked as errors", async () => {
  const slack = await start();
  const { body } = await post(slack, { channel: "general", blocks: [{ type: "x" }] });
  expect(body).toEqual({
    ok: false,
    error: "invalid_blocks",
    errors: ["unsupported type: x [json-pointer:/blocks/0/type]"],
    response_metadata: {
      messages: ["[ERROR] unsupported type: x [json-pointer:/blocks/0/type]"],
    },
  });
});

test("a missing chat:write goes by its legacy name", async () => {
  const slack = await start({
    tokens: [{ token: TOKEN, scopes: ["channels:read", "users:read"] }],
  });
  const { body, headers } = await post(slack, { channel: "general", text: "hi" });
  expect(body).toEqual({
    ok: false,
    error: "missing_scope",
    needed: "chat:write:bot",
    provided: "channels:read,users:read",
  });
  expect(headers.get("x-oauth-scopes")).toBe("channels:read,users:read");
});

test.each(["username", "icon_emoji", "icon_url"])(
  "%s without chat:write.customize is refused, or ignored if the knob says so",
  async (argument) => {
    const tokens = [{ token: TOKEN, scopes: ["chat:write", "chat:write.public"] }];
    const message = { channel: "general", text: "hi", [argument]: "x" };
    const rejecting = await start({ tokens });
    expect((await post(rejecting, message)).body).toMatchObject({
      error: "missing_scope",
      needed: "chat:write.customize",
      provided: "chat:write,chat:write.public",
    });
    const ignoring = await start({ tokens, missingCustomize: "ignore" });
    const { body } = await post(ignoring, message);
    expect(body.ok).toBe(true);
    expect(body.message).not.toHaveProperty("subtype");
    const empty = await post(rejecting, { ...message, [argument]: "" });
    expect(empty.body.error).toBe(argument === "username" ? "invalid_arguments" : undefined);
  },
);

test.each<
  [
    what: string,
    token: string | null,
    state: "active" | "revoked" | "expired" | "inactive" | "ip_blocked",
    expected: string | undefined,
  ]
>([
  ["no token", null, "active", "not_authed"],
  ["an unknown token", "xoxb-other", "active", "invalid_auth"],
  ["a token", TOKEN, "active", undefined],
  ["a revoked token", TOKEN, "revoked", "token_revoked"],
  ["an expired token", TOKEN, "expired", "token_expired"],
  ["a deactivated account", TOKEN, "inactive", "account_inactive"],
  ["a foreign address", TOKEN, "ip_blocked", "invalid_auth"],
  ["an app-level token", "xapp-1", "active", "not_allowed_token_type"],
])("%s gives what Slack gives", async (_, token, state, expected) => {
  const slack = await start({ tokens: [TOKEN, "xapp-1"] });
  slack.updateToken(TOKEN, { state });
  expect((await post(slack, { channel: "general", text: "x" }, { token })).body.error).toBe(
    expected,
  );
});

test("scopes can be taken away under way", async () => {
  const slack = await start();
  slack.updateToken(TOKEN, { scopes: [] });
  const { body } = await post(slack, { channel: "general", text: "x" });
  expect(body).toMatchObject({ error: "missing_scope", provided: "" });
});

test("a token counts in a form, but neither in JSON nor in the query", async () => {
  const slack = await start();
  const form = "application/x-www-form-urlencoded";
  const inForm = `token=${TOKEN}&channel=general&text=hi`;
  expect((await post(slack, inForm, { token: null, type: form })).body.ok).toBe(true);
  const inJson = { token: TOKEN, channel: "general", text: "hi" };
  expect((await post(slack, inJson, { token: null })).body.error).toBe("not_authed");
  const inQuery = { token: null, query: `?token=${TOKEN}` };
  expect((await post(slack, { channel: "general" }, inQuery)).body.error).toBe("not_authed");
  expect(slack.requests.map(({ tokenIn }) => tokenIn)).toEqual([["body"], ["body"], ["query"]]);
});

test.each<[type: string | null, body: string, expected: string | undefined, warning?: string]>([
  [JSON_TYPE, '{"channel":"general","text":"ä"}', undefined],
  ['application/json; charset="UTF-8"', '{"channel":"general","text":"ä"}', undefined],
  ["application/json", '{"channel":"general","text":"ä"}', undefined, "missing_charset"],
  ["application/json", '{"channel":"general"}', "no_text", "missing_charset"],
  [JSON_TYPE, "{", "invalid_json"],
  [JSON_TYPE, "[]", "json_not_object"],
  [JSON_TYPE, '{"a b":1}', "invalid_arg_name"],
  [JSON_TYPE, `{"${"x".repeat(65)}":1}`, "invalid_arg_name"],
  ["application/x-www-form-urlencoded", "channel=general&text=%C3%A4", undefined],
  [
    "application/x-www-form-urlencoded; charset=utf-8",
    "channel=general&text=%C3%A4",
    undefined,
    "superfluous_charset",
  ],
  ["application/x-www-form-urlencoded", "channel=%", "invalid_form_data"],
  ["application/x-www-form-urlencoded", "blocks[0]=x", "invalid_array_arg"],
  [
    "multipart/form-data; boundary=b",
    '--b\r\nContent-Disposition: form-data; name="channel"\r\n\r\ngeneral\r\n--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nä\r\n--b--\r\n',
    undefined,
  ],
  ["multipart/form-data", "x", "invalid_form_data"],
  ["text/plain; charset=utf-8", "channel=general&text=ä", undefined],
  ["text/plain", "channel=general&text=ä", undefined, "missing_charset"],
  ["application/json; charset=utf-16", "{}", "invalid_charset"],
  ["application/xml", "<x/>", "invalid_post_type"],
  [null, "channel=general", "missing_post_type"],
])("%s with %s gives %s", async (type, text, expected, warning) => {
  const slack = await start();
  const { body } = await post(slack, text, { type });
  expect([body.error, body.warning, body.response_metadata?.warnings]).toEqual([
    expected,
    warning,
    warning === undefined ? undefined : [warning],
  ]);
  if (expected === undefined) expect(slack.messages("general")[0]?.text).toBe("ä");
});

test("a body in iso-8859-1 is read as such", async () => {
  const slack = await start();
  await fetch(`${slack.url}chat.postMessage`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "content-type": "application/json; charset=iso-8859-1",
    },
    body: Buffer.from('{"channel":"general","text":"ä"}', "latin1"),
  });
  expect(slack.messages("general")[0]?.text).toBe("ä");
});

test("auth.test tells whose token it is", async () => {
  const slack = await start({
    workspace: { name: "Acme" },
    tokens: [
      { token: TOKEN, scopes: [] },
      { token: "xoxp-user" },
      { token: "xoxe.xoxb-1", expiresIn: 43_200 },
    ],
  });
  const bot = await call(slack, "auth.test", "", { type: null });
  expect(bot.body).toEqual({
    ok: true,
    url: "https://acme.slack.com/",
    team: "Acme",
    team_id: expect.stringMatching(/^T/),
    user: "fake_app",
    user_id: expect.stringMatching(/^U/),
    bot_id: expect.stringMatching(/^B/),
    app_id: expect.stringMatching(/^A/),
    is_enterprise_install: false,
  });
  const user = await call(slack, "auth.test", {}, { token: "xoxp-user" });
  expect(user.body).not.toHaveProperty("bot_id");
  const rotating = await call(slack, "auth.test", {}, { token: "xoxe.xoxb-1" });
  expect(rotating.body.expires_in).toBe(43_200);
});

test.each<[channel: string, scopes: string[], expected: object]>([
  ["C0PUBLIC01", ["channels:read"], { channel: { name: "public", is_private: false } }],
  ["public", ["channels:read"], { error: "channel_not_found" }],
  [
    "C0PUBLIC01",
    [],
    { error: "missing_scope", needed: "channels:read,groups:read,mpim:read,im:read" },
  ],
  ["C0PUBLIC01", ["groups:read"], { error: "missing_scope", needed: "channels:read" }],
  ["C0PRIVATE1", ["channels:read"], { error: "missing_scope", needed: "groups:read" }],
  ["C0PRIVATE1", ["groups:read"], { channel: { is_member: true, is_archived: true } }],
  ["C0SECRET01", ["groups:read"], { error: "channel_not_found" }],
])("conversations.info of %s with %j", async (channel, scopes, expected) => {
  const slack = await start({
    tokens: [{ token: TOKEN, scopes }],
    channels: [
      { name: "public", id: "C0PUBLIC01" },
      { name: "private", id: "C0PRIVATE1", private: true, archived: true, members: [TOKEN] },
      { name: "secret", id: "C0SECRET01", private: true },
    ],
  });
  expect((await call(slack, "conversations.info", { channel })).body).toMatchObject(expected);
});

test("api.test echoes without a token, and fails when asked to", async () => {
  const slack = await start();
  const ok = await call(slack, "api.test", { foo: "bar" }, { token: null });
  expect(ok.body).toEqual({ ok: true, args: { foo: "bar" } });
  const failed = await call(slack, "api.test", { error: "my_error" }, { token: null });
  expect(failed.body).toEqual({ ok: false, error: "my_error", args: { error: "my_error" } });
});

test("unknown methods are refused, and other paths are no API", async () => {
  const slack = await start();
  expect((await call(slack, "chat.nothing")).body).toEqual({
    ok: false,
    error: "unknown_method",
    req_method: "chat.nothing",
  });
  expect((await fetch(new URL("/", slack.url))).status).toBe(404);
});

test("every reply has Slack's headers and an id of its own", async () => {
  const slack = await start();
  const replies = [
    await call(slack, "auth.test"),
    await post(slack, { channel: "nowhere", text: "x" }),
    await post(slack, { channel: "general", text: "x" }, { token: "xoxb-other" }),
  ];
  const header = (name: string) => replies.map(({ headers }) => headers.get(name));
  const scopes = "chat:write,chat:write.public,chat:write.customize";
  expect(header("x-oauth-scopes")).toEqual([scopes, scopes, null]);
  expect(header("x-accepted-oauth-scopes")).toEqual(["", "chat:write", null]);
  expect(header("content-type")).toEqual(Array(3).fill("application/json; charset=utf-8"));
  expect(header("x-slack-req-id")).toEqual(slack.requests.map(({ id }) => id));
  expect(new Set(header("x-slack-req-id")).size).toBe(3);
});

test("a channel takes 25 at once and then one a second", async () => {
  let now = 1_000_000;
  const slack = await start({ now: () => now });
  const message = { channel: "general", text: "x" };
  for (let n = 0; n < 25; n++) expect((await post(slack, message)).status).toBe(200);
  const limited = await post(slack, { ...message, channel: slack.channel("general").id });
  expect([limited.status, limited.headers.get("retry-after"), limited.body]).toEqual([
    429,
    "1",
    { ok: false, error: "ratelimited" },
  ]);
  expect((await post(slack, { ...message, channel: "random" })).status).toBe(200);
  now += 1_000;
  expect((await post(slack, message)).status).toBe(200);
  expect((await post(slack, message)).status).toBe(429);
});

test("an app has one rate in a workspace, whatever the channel and the token", async () => {
  const slack = await start({
    now: () => 0,
    tokens: [
      { token: TOKEN, app: "A1" },
      { token: "xoxb-same", app: "A1" },
      { token: "xoxb-other", app: "A2" },
    ],
    teamRate: { capacity: 2, refillPerSecond: 0.1 },
  });
  const status = async (channel: string, token: string) =>
    (await post(slack, { channel, text: "x" }, { token })).status;
  expect(await status("general", TOKEN)).toBe(200);
  expect(await status("random", "xoxb-same")).toBe(200);
  const limited = await post(slack, { channel: "general", text: "x" });
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "10"]);
  expect(await status("general", "xoxb-other")).toBe(200);
});

test("other methods have rates of their own", async () => {
  const once = { capacity: 1, refillPerSecond: 1 };
  const slack = await start({ now: () => 0, methodRates: { "auth.test": once } });
  expect((await call(slack, "auth.test")).status).toBe(200);
  expect((await call(slack, "auth.test")).status).toBe(429);
  expect((await post(slack, { channel: "general", text: "x" })).status).toBe(200);
});

test("rates can be switched off", async () => {
  const slack = await start({ now: () => 0, channelRate: false, teamRate: false });
  for (let n = 0; n < 110; n++) await post(slack, { channel: "general", text: "x" });
  expect(slack.messages("general")).toHaveLength(110);
});

test.each([
  [30, "30"],
  ["soon", "soon"],
  [null, null],
])("Retry-After can be told to be %s", async (retryAfter, header) => {
  const none = { capacity: 0, refillPerSecond: 1 };
  const slack = await start({ channelRate: none, retryAfter });
  const { headers } = await post(slack, { channel: "general", text: "x" });
  expect(headers.get("retry-after")).toBe(header);
});

test("requests are recorded with the token's label instead of the token", async () => {
  const slack = await start({
    now: () => 42,
    tokens: [{ token: TOKEN, label: "acme", scopes: ["chat:write"] }],
  });
  await post(slack, { channel: "general", text: `my token is ${TOKEN}` });
  await post(slack, { channel: "general", text: "x" }, { token: "xoxb-other" });
  expect(slack.requests).toMatchObject([
    {
      method: "chat.postMessage",
      httpMethod: "POST",
      path: "/api/chat.postMessage",
      headers: { authorization: "Bearer [redacted]" },
      token: "acme",
      tokenIn: ["header", "body"],
      arguments: { channel: "general", text: "my token is [redacted]" },
      receivedAt: 42,
      answer: { status: 200, error: "not_in_channel" },
    },
    { token: "unknown", tokenIn: ["header"], answer: { status: 200, error: "invalid_auth" } },
  ]);
  expect(JSON.stringify(slack.requests)).not.toContain("xoxb");
});

test("a token of any shape stays out of the records", async () => {
  const slack = await start({ tokens: ["sesame/open"] });
  const form = `token=${encodeURIComponent("sesame/open")}&text=sesame/open`;
  const type = "application/x-www-form-urlencoded";
  await post(slack, form, { token: null, type, query: "?x=sesame/open" });
  expect(slack.requests).toMatchObject([
    {
      path: "/api/chat.postMessage?x=[redacted]",
      body: "token=[redacted]&text=[redacted]",
      arguments: { text: "[redacted]" },
      token: "token-1",
    },
  ]);
});

test("a listener hears of each message until it unsubscribes", async () => {
  const slack = await start();
  const heard: FakeMessage[] = [];
  const unsubscribe = slack.onMessage((message) => heard.push(message));
  await post(slack, { channel: "general", text: "a" });
  unsubscribe();
  await post(slack, { channel: "general", text: "b" });
  expect(heard.map(({ text }) => text)).toEqual(["a"]);
});

test("a slip in the test's own channel names is told", async () => {
  const slack = await start();
  expect(() => slack.messages("nowhere")).toThrow('The fake Slack has no channel "nowhere".');
  expect(() => slack.updateToken("xoxb-none", {})).toThrow("no such token");
});
