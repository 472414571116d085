import {
  type DeliverContext,
  isPosthornError,
  type Json,
  type Outcome,
  type Verification,
  type VerifyContext,
} from "@posthorn/core";
import { createFakeSlack, type FakeSlack, type FakeSlackOptions } from "@posthorn/testing/slack";
import { afterEach, describe, expect, it } from "vitest";
import type { SlackConfiguration } from "./configuration.ts";
import { code, mrkdwn } from "./mrkdwn.ts";
import { type SlackOptions, slack } from "./slack.ts";

const fakes: FakeSlack[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

interface Setup {
  readonly fake?: FakeSlackOptions;
  readonly slack?: SlackOptions;
}

interface Delivery {
  readonly type?: string;
  readonly data?: Json;
  readonly state?: Json;
  readonly configuration?: Partial<SlackConfiguration>;
}

/** A fake Slack, and a handler that posts to it. */
async function setUp({ fake: options, slack: handlerOptions }: Setup = {}) {
  const fake = await createFakeSlack(options);
  fakes.push(fake);
  const handler = slack({ baseUrl: fake.url, ...handlerOptions });
  const deliver = (given: Delivery = {}): Promise<Outcome> => handler.deliver(contextOf(given));
  const verify = (given: Partial<SlackConfiguration> = {}): Promise<Verification | undefined> =>
    Promise.resolve(handler.verify?.(contextOf({ configuration: given }).configuration, unhurried));
  return { fake, handler, deliver, verify };
}

const silent = (): void => {};
const unhurried: VerifyContext = {
  organization: "acme",
  signal: new AbortController().signal,
  logger: { debug: silent, info: silent, warn: silent, error: silent },
};

function contextOf({
  type = "parameter_created",
  data = { name: "DB_HOST" },
  state = null,
  configuration,
}: Delivery): DeliverContext<SlackConfiguration> {
  return {
    event: {
      id: "019b8e6a-0000-7000-8000-00000000e001",
      type,
      organization: "acme",
      occurredAt: Date.UTC(2026, 0, 5, 14, 3),
      actor: { id: "u1", name: "Ana Diaz" },
      trace: null,
      data,
      payload: JSON.stringify(data),
    },
    configuration: {
      token: "xoxb-fake",
      channel: "#general",
      username: "CloudTruth",
      ...configuration,
    },
    subscription: { id: "s1", organization: "acme", name: "Releases" },
    delivery: { id: "019b8e6a-0000-7000-8000-0123456789ab", attempt: 1 },
    state,
    ...unhurried,
    timeoutMs: 10_000,
  };
}

const withoutCustomize = { token: "xoxb-fake", scopes: ["chat:write", "chat:write.public"] };

describe("a delivery", () => {
  it("becomes a message under the configured name, in the configured channel", async () => {
    const { fake, deliver } = await setUp();
    expect(await deliver()).toMatchObject({ type: "delivered" });
    expect(fake.messages("general")).toMatchObject([
      {
        username: "CloudTruth",
        text: expect.stringMatching(/^Parameter created by Ana Diaz\nName: DB_HOST\n/),
        blocks: [{ type: "section" }, { type: "section" }, { type: "context" }],
      },
    ]);
  });

  it("unfurls, links and parses nothing", async () => {
    const { fake, deliver } = await setUp();
    await deliver();
    expect(fake.requests[0]?.arguments).toMatchObject({
      parse: "none",
      link_names: false,
      unfurl_links: false,
      unfurl_media: false,
    });
  });

  it("is rendered by the template of its type", async () => {
    const { fake, deliver } = await setUp({
      slack: { templates: { project_created: ({ id }) => ({ lead: mrkdwn`Event ${code(id)}` }) } },
    });
    await deliver({ type: "project_created" });
    await deliver({ type: "project_deleted" });
    expect(fake.messages("general").map(({ text }) => text.split("\n")[0])).toEqual([
      "Event 019b8e6a-0000-7000-8000-00000000e001",
      "Project deleted by Ana Diaz",
    ]);
  });

  it("takes no template from an object's prototype", async () => {
    const { fake, deliver } = await setUp();
    await deliver({ type: "constructor" });
    expect(fake.messages("general")[0]?.text).toMatch(/^Constructor by Ana Diaz/);
  });

  it("has failed if its template throws, or makes no message", async () => {
    const { fake, deliver } = await setUp({
      slack: {
        templates: {
          broken: () => {
            throw new Error("no such field");
          },
          empty: () => undefined as never,
        },
      },
    });
    expect(await deliver({ type: "broken" })).toMatchObject({
      type: "failed",
      reason: "The template for broken threw: no such field",
    });
    expect(await deliver({ type: "empty" })).toMatchObject({
      type: "failed",
      reason: expect.stringContaining("returned no message"),
    });
    expect(fake.requests).toEqual([]);
  });

  it("of a test says that it is one", async () => {
    const { fake, deliver } = await setUp();
    await deliver({ type: "webhook_test", data: {} });
    expect(fake.messages("general")[0]?.text).toMatch(
      /^This is a test\. The webhook Releases can post here\.\n/,
    );
  });

  it("arrives whatever its event holds", async () => {
    const { fake, deliver } = await setUp();
    const data = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`<!channel> ${index}`, `<@U1> & `.repeat(5_000)]),
    );
    expect(await deliver({ data })).toMatchObject({ type: "delivered" });
    expect(JSON.stringify(fake.messages("general"))).not.toMatch(/<[!@](?!date\^)/);
  });

  it("is of no use any more once the token or the channel is", async () => {
    const { fake, deliver } = await setUp();
    fake.updateChannel("general", { archived: true });
    expect(await deliver()).toMatchObject({
      type: "gone",
      reason: "Slack does not let the app post to the channel (is_archived)",
      remedy: "Unarchive the channel, or choose another.",
    });
    fake.updateToken("xoxb-fake", { state: "revoked" });
    expect(await deliver()).toMatchObject({ type: "gone", details: { error: "token_revoked" } });
  });

  it("is throttled on its channel, for as long as Slack says", async () => {
    const channelRate = { capacity: 1, refillPerSecond: 0.1 };
    const { deliver } = await setUp({ fake: { channelRate, now: () => 0 } });
    await deliver();
    expect(await deliver()).toMatchObject({
      type: "throttled",
      retryAfterMs: 10_000,
      gate: "channel",
    });
  });

  it.each(["post_then_reset", "post_then_truncate"] as const)(
    "that Slack took is unknown after %s, not failed",
    async (type) => {
      const { fake, deliver } = await setUp();
      fake.fault({ action: { type } });
      expect(await deliver()).toMatchObject({ type: "unknown" });
      expect(fake.messages("general")).toHaveLength(1);
    },
  );

  it.each([
    ["xoxp-fake", "token of a person"],
    ["xoxe.xoxb-fake", "ends by itself within hours"],
  ])("arrives, and each time says that %s is no token for it", async (token, warning) => {
    const { deliver } = await setUp({ fake: { tokens: [token] } });
    for (let round = 0; round < 2; round += 1) {
      expect(await deliver({ configuration: { token } })).toMatchObject({
        type: "delivered",
        warning: expect.stringContaining(warning),
      });
    }
  });

  it("shows names as they are where Slack takes no blocks", async () => {
    const { fake, deliver } = await setUp();
    fake.fault({ action: { type: "error", error: "invalid_blocks" } });
    await deliver({ data: { name: "*DB* _HOST_ & co" } });
    expect(fake.messages("general")).toMatchObject([
      { mrkdwn: false, text: expect.stringContaining("*DB* _HOST_ &amp; co") },
    ]);
  });

  it("never shows its token", async () => {
    const token = "xoxb-very-secret";
    const { fake, deliver } = await setUp({ fake: { tokens: [token] } });
    const outcomes = [await deliver({ configuration: { token } })];
    for (const error of ["invalid_auth", "missing_scope", "internal_error"]) {
      fake.fault({ action: { type: "error", error }, times: 2 });
      outcomes.push(await deliver({ configuration: { token } }));
    }
    outcomes.push(await deliver({ configuration: { token: "xoxb-very-secret-too" } }));
    expect(JSON.stringify(outcomes)).not.toContain("secret");
    expect(fake.requests.map(({ tokenIn }) => tokenIn)).toEqual(
      fake.requests.map(() => ["header"]),
    );
  });
});

describe("a username that the app may not use", () => {
  /** Answers as Slack does, without the header that lists the app's scopes. */
  const silentAboutScopes = (error: string, extra = {}) =>
    ({
      type: "status",
      status: 200,
      headers: { "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify({ ok: false, error, ...extra }),
    }) as const;

  it("is left out at once, with a warning, and remembered", async () => {
    const { fake, deliver } = await setUp({ fake: { tokens: [withoutCustomize] } });
    expect(await deliver()).toMatchObject({
      type: "delivered",
      warning: expect.stringContaining('without the username "CloudTruth"'),
      state: { usernameRefused: expect.any(Number) },
    });
    const [message] = fake.messages("general");
    expect(message).not.toHaveProperty("username");
    expect(message?.text).toContain("\nCloudTruth · 2026-01-05");
    expect(fake.requests).toHaveLength(2);
  });

  it("is not tried where Slack has listed the scopes, by this process or by an earlier one", async () => {
    const { fake, deliver } = await setUp({ fake: { tokens: [withoutCustomize] } });
    const { state = null } = await deliver();
    expect(await deliver()).toMatchObject({ type: "delivered", warning: expect.any(String) });
    expect(fake.requests).toHaveLength(3);
    const later = slack({ baseUrl: fake.url });
    await later.deliver(contextOf({ state }));
    expect(fake.requests).toHaveLength(4);
    expect(fake.messages("general")).toHaveLength(3);
  });

  it("is not tried where verify has listed them", async () => {
    const { fake, deliver, verify } = await setUp({ fake: { tokens: [withoutCustomize] } });
    await verify();
    expect(await deliver()).toMatchObject({ type: "delivered", warning: expect.any(String) });
    expect(fake.requests.map(({ method }) => method)).toEqual(["auth.test", "chat.postMessage"]);
  });

  it("comes back one delivery after the app got the scope", async () => {
    const { fake, deliver } = await setUp();
    const state = { usernameRefused: Date.now(), channel: fake.channel("general").id };
    expect(await deliver({ state })).toMatchObject({
      warning: expect.any(String),
      state: { channel: state.channel },
    });
    expect(await deliver({ state: { channel: state.channel } })).not.toMatchObject({
      warning: expect.any(String),
    });
    expect(fake.messages("general").map(({ username }) => username)).toEqual([
      undefined,
      "CloudTruth",
    ]);
  });

  it("is tried again after six hours if Slack lists no scopes", async () => {
    const { fake, deliver } = await setUp();
    const hour = 60 * 60_000;
    for (const [ago, requests] of [
      [5 * hour, 1],
      [7 * hour, 2],
    ] as const) {
      const before = fake.requests.length;
      fake.fault({
        match: { nth: requests === 2 ? 1 : 2 },
        action: silentAboutScopes("missing_scope"),
      });
      await deliver({
        state: { usernameRefused: Date.now() - ago },
        configuration: { token: "xoxb-fake" },
      });
      expect(fake.requests.length - before).toBe(requests);
    }
  });

  it("is warned of if Slack ignores it", async () => {
    const { fake, deliver } = await setUp({
      fake: { tokens: [withoutCustomize], missingCustomize: "ignore" },
    });
    expect(await deliver()).toMatchObject({
      type: "delivered",
      warning: expect.stringContaining("without the username"),
    });
    expect(fake.requests).toHaveLength(1);
    expect(fake.messages("general")).toHaveLength(1);
  });

  it("may be what an answer means that does not say what is needed", async () => {
    const { fake, deliver } = await setUp();
    for (const error of ["missing_scope", "not_allowed_token_type"]) {
      fake.fault({ action: silentAboutScopes(error) });
      expect(await deliver()).toMatchObject({ type: "delivered", warning: expect.any(String) });
    }
    expect(fake.requests).toHaveLength(4);
  });

  it("is not blamed for another scope that is missing", async () => {
    const { fake, deliver } = await setUp({
      fake: { tokens: [{ ...withoutCustomize, scopes: [] }] },
    });
    expect(await deliver()).toMatchObject({ type: "gone", details: { error: "missing_scope" } });
    expect(fake.requests).toHaveLength(1);
  });

  it("is tried without only once", async () => {
    const { fake, deliver } = await setUp();
    const error = "not_allowed_token_type";
    fake.fault({ action: { type: "error", error }, times: 5 });
    expect(await deliver()).toMatchObject({ type: "gone", details: { error } });
    expect(fake.requests).toHaveLength(2);
  });

  it("is known again though Slack escapes it", async () => {
    const { deliver } = await setUp();
    expect(await deliver({ configuration: { username: "R&D  <ops>" } })).toMatchObject({
      type: "delivered",
      warning: undefined,
    });
  });
});

describe("an icon", () => {
  it("stands beside the name, and goes with it", async () => {
    const { fake, deliver } = await setUp();
    await deliver({ configuration: { icon_emoji: ":bell:" } });
    expect(fake.messages("general")[0]).toMatchObject({ icons: { emoji: ":bell:" } });
    const poor = await setUp({ fake: { tokens: [withoutCustomize] } });
    await poor.deliver({ configuration: { icon_emoji: ":bell:" } });
    expect(poor.fake.messages("general")[0]).not.toHaveProperty("icons");
  });
});

describe("a message whose blocks Slack refuses", () => {
  const finding = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]";
  const refused = {
    type: "error",
    error: "invalid_blocks",
    extra: { errors: [finding], response_metadata: { messages: [`[ERROR] ${finding}`] } },
  } as const;

  it("is posted as plain text, once, and its customer is told what Slack said", async () => {
    const { fake, deliver } = await setUp();
    fake.fault({ action: refused });
    expect(await deliver()).toMatchObject({
      type: "delivered",
      warning: expect.stringMatching(/^The message was posted as plain text\. .*\/blocks\/0\/text/),
    });
    const [message, ...others] = fake.messages("general");
    expect(others).toEqual([]);
    expect(message).not.toHaveProperty("blocks");
    expect(message?.text).toMatch(/^Parameter created by Ana Diaz\nName: DB_HOST\n/);
  });

  it("ends alone if its plain text is refused too", async () => {
    const { fake, deliver } = await setUp();
    fake.fault({ action: refused, times: 2 });
    expect(await deliver()).toMatchObject({
      type: "rejected",
      details: { error: "invalid_blocks" },
    });
    expect(fake.messages("general")).toEqual([]);
    expect(fake.requests).toHaveLength(2);
  });

  it("may lose its name and its blocks, and still comes once", async () => {
    const { fake, deliver } = await setUp({ fake: { tokens: [withoutCustomize] } });
    fake.fault({ match: { nth: 2 }, action: refused });
    const { warning } = (await deliver()) as { readonly warning?: string };
    expect(warning).toMatch(/without the username.*as plain text/);
    expect(fake.messages("general")).toHaveLength(1);
    expect(fake.requests).toHaveLength(3);
  });
});

describe("the channel", () => {
  it("is pinned by its id from the first message, so that a new name changes nothing", async () => {
    const { fake, deliver } = await setUp();
    const { id } = fake.channel("general");
    const { state = null } = await deliver();
    expect(state).toEqual({ channel: id });
    fake.updateChannel("general", { name: "announcements" });
    const renamed = await deliver({ state });
    expect(renamed).toMatchObject({ type: "delivered", state: undefined });
    expect(fake.messages(id)).toHaveLength(2);
  });

  it("is looked for by its name again after it was deleted", async () => {
    const { fake, deliver } = await setUp();
    const { state = null } = await deliver();
    fake.deleteChannel("general");
    fake.addChannel("general");
    const lost = await deliver({ state });
    expect(lost).toMatchObject({ type: "gone", state: {} });
    await deliver({ state: lost.state ?? null });
    expect(fake.messages("general")).toHaveLength(1);
  });
});

describe("messages that are sent at once", () => {
  it("go one after the other in a channel, in the order in which they came, beside other channels", async () => {
    const { fake, deliver } = await setUp();
    fake.fault({ match: { channel: "general" }, action: { type: "delay", delayMs: 50 } });
    await Promise.all([
      deliver({ type: "first_thing" }),
      deliver({ type: "second_thing", configuration: { channel: "general" } }),
      deliver({ type: "other_thing", configuration: { channel: "random" } }),
    ]);
    expect(fake.traffic.maxInFlight("general")).toBe(1);
    expect(fake.messages("general").map(({ text }) => text.split(" ")[0])).toEqual([
      "First",
      "Second",
    ]);
    const [other] = fake.messages("random");
    expect(other?.postedAt).toBeLessThan(fake.messages("general")[0]?.postedAt ?? 0);
  });
});

describe("doubt", () => {
  it.each(["retry", "abandon"] as const)("is settled as the customer says: %s", async (word) => {
    const { fake, deliver } = await setUp();
    fake.fault({ action: { type: "post_then_reset" } });
    expect(await deliver({ configuration: { on_ambiguous: word } })).toMatchObject({
      type: "unknown",
      doubt: word,
    });
  });

  it("is not made smaller by an id of the message, which is sent only if asked for", async () => {
    const plain = await setUp();
    await plain.deliver();
    expect(plain.fake.requests[0]?.arguments).not.toHaveProperty("client_msg_id");
    const trying = await setUp({ slack: { experimental: { clientMsgId: true } } });
    await trying.deliver();
    await trying.deliver();
    expect(trying.fake.requests[1]?.arguments).toMatchObject({
      client_msg_id: "019b8e6a-0000-7000-8000-0123456789ab",
    });
    expect(trying.fake.messages("general")).toHaveLength(2);
  });
});

describe("a channel that is asked to wait", () => {
  it("closes the workspace if another was asked within five seconds", async () => {
    let now = 0;
    const { fake, deliver } = await setUp({ slack: { now: () => now } });
    const to = (channel: string) => deliver({ configuration: { channel } });
    fake.fault({ action: { type: "status", status: 429 }, times: 9 });
    expect(await to("general")).toMatchObject({ gate: "channel" });
    expect(await to("general")).toMatchObject({ gate: "channel" });
    now += 4_000;
    expect(await to("random")).toMatchObject({ gate: "workspace" });
    now += 6_000;
    expect(await to("general")).toMatchObject({ gate: "channel" });
  });
});

describe("gates", () => {
  const of = (token: string, channel = "#general") =>
    slack().gates?.({ token, channel, username: "x" }) ?? [];

  it("are the channel's with a small burst, the workspace's, and the token's", () => {
    expect(of("xoxb-1")).toEqual([
      { name: "channel", key: "xoxb-1 general", limit: 20, perMs: 21_000, burst: 3 },
      { name: "workspace", key: "xoxb-1", limit: 240, perMs: 60_000, burst: 20 },
      { name: "token", key: "xoxb-1" },
    ]);
  });

  it("are the same with and without #, and others for another channel", () => {
    expect(of("xoxb-1", "general")).toEqual(of("xoxb-1"));
    expect(of("xoxb-1", "random")[0]?.key).not.toBe(of("xoxb-1")[0]?.key);
  });

  it("are shared by two tokens of one bot, but for the token's own", () => {
    const [one, two] = [of("xoxb-12-34-old"), of("xoxb-12-34-new")];
    expect(two.slice(0, 2)).toEqual(one.slice(0, 2));
    expect(two[2]).not.toEqual(one[2]);
    expect(of("xoxb-12-35-new")[1]).not.toEqual(one[1]);
  });
});

describe("the base URL", () => {
  it("may come without its slash", async () => {
    const fake = await createFakeSlack();
    fakes.push(fake);
    const handler = slack({ baseUrl: fake.url.replace(/\/$/, "") });
    expect(await handler.deliver(contextOf({}))).toMatchObject({ type: "delivered" });
  });

  it.each(["", "slack.com/api", "ftp://slack.com/api/", "file:///etc"])(
    "is refused at once if it is %j",
    (baseUrl) => {
      try {
        slack({ baseUrl });
        expect.unreachable();
      } catch (error) {
        expect(isPosthornError(error, "invalid_options")).toBe(true);
      }
    },
  );
});
