import { type DeliverContext, isPosthornError, type Json, type Outcome } from "@posthorn/core";
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
  return { fake, handler, deliver };
}

function contextOf({
  type = "parameter_created",
  data = { name: "DB_HOST" },
  state = null,
  configuration,
}: Delivery): DeliverContext<SlackConfiguration> {
  const nothing = (): void => {};
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
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
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
      reason: "Slack answered is_archived",
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
  it("is left out at once, with a warning, and remembered", async () => {
    const { fake, deliver } = await setUp({ fake: { tokens: [withoutCustomize] } });
    expect(await deliver()).toMatchObject({
      type: "delivered",
      warning: expect.stringContaining('without the username "CloudTruth"'),
      state: { usernameRefused: true },
    });
    const [message] = fake.messages("general");
    expect(message).not.toHaveProperty("username");
    expect(message?.text).toContain("\nCloudTruth · 2026-01-05");
    expect(fake.requests).toHaveLength(2);
  });

  it("is not tried again, but warned of, while Slack does not list the scope", async () => {
    const { fake, deliver } = await setUp({ fake: { tokens: [withoutCustomize] } });
    const outcome = await deliver({ state: { usernameRefused: true } });
    expect(outcome).toMatchObject({ type: "delivered", warning: expect.any(String) });
    expect(outcome).not.toHaveProperty("state");
    expect(fake.requests).toHaveLength(1);
  });

  it("comes back one delivery after the app got the scope", async () => {
    const { fake, deliver } = await setUp();
    const state = { usernameRefused: true, other: 1 };
    expect(await deliver({ state })).toMatchObject({ warning: expect.any(String) });
    expect(await deliver({ state })).toMatchObject({ state: { other: 1 } });
    const healed = await deliver({ state: { other: 1 } });
    expect(healed).not.toHaveProperty("warning");
    expect(fake.messages("general").map(({ username }) => username)).toEqual([
      undefined,
      undefined,
      "CloudTruth",
    ]);
  });

  it("is warned of if Slack ignores it", async () => {
    const { fake, deliver } = await setUp({
      fake: { tokens: [withoutCustomize], missingCustomize: "ignore" },
    });
    const outcome = await deliver();
    expect(outcome).toMatchObject({ type: "delivered", warning: expect.any(String) });
    expect(outcome).not.toHaveProperty("state");
    expect(fake.requests).toHaveLength(1);
  });

  it("may be what an answer means that does not say what is needed", async () => {
    const { fake, deliver } = await setUp();
    for (const error of ["missing_scope", "not_allowed_token_type"]) {
      fake.fault({ action: { type: "error", error } });
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
    const outcome = await deliver({ configuration: { username: "R&D  <ops>" } });
    expect(outcome).not.toHaveProperty("warning");
  });
});

describe("gates", () => {
  it("are the channel's, one a second, and the token's", () => {
    const { gates } = slack();
    expect(gates?.({ token: "xoxb-1", channel: "#general", username: "x" })).toEqual([
      { name: "channel", key: "xoxb-1 general", limit: 1, perMs: 1_000 },
      { name: "workspace", key: "xoxb-1", limit: 240, perMs: 60_000, burst: 20 },
    ]);
  });

  it("are the same with and without #, and others for another channel", () => {
    const key = (channel: string): string | undefined =>
      slack().gates?.({ token: "xoxb-1", channel, username: "x" })[0]?.key;
    expect(key("general")).toBe(key("#general"));
    expect(key("general")).not.toBe(key("random"));
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
