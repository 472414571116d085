import type { Verification } from "@posthorn/core";
import {
  createFakeSlack,
  type FakeSlack,
  type FakeSlackOptions,
  type TokenOptions,
} from "@posthorn/testing/slack";
import { afterEach, describe, expect, it } from "vitest";
import type { SlackConfigurationInput } from "./configuration.ts";
import { type SlackOptions, slack } from "./slack.ts";

const fakes: FakeSlack[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

const full = ["chat:write", "chat:write.public", "chat:write.customize"];

async function setUp(options: FakeSlackOptions = {}, more: SlackOptions = {}) {
  const fake = await createFakeSlack(options);
  fakes.push(fake);
  const handler = slack({ baseUrl: fake.url, ...more });
  const verify = (given: Partial<SlackConfigurationInput> = {}): Promise<Verification> =>
    handler.verify?.(
      { token: "xoxb-fake", channel: "#general", username: "CloudTruth", ...given },
      { organization: "acme", signal: AbortSignal.timeout(500), logger: console },
    ) as Promise<Verification>;
  return { fake, verify };
}

const withToken = (token: Omit<TokenOptions, "token">): FakeSlackOptions => ({
  tokens: [{ token: "xoxb-fake", ...token }],
});

describe("a configuration that Slack knows", () => {
  it("is ok", async () => {
    const { fake, verify } = await setUp();
    expect(await verify()).toEqual({ status: "ok" });
    expect(fake.requests.map(({ method }) => method)).toEqual(["auth.test"]);
    expect(fake.messages("general")).toEqual([]);
  });

  it("is asked for once in ten minutes per token, whatever the channel", async () => {
    let now = 0;
    const { fake, verify } = await setUp({}, { now: () => now });
    await verify();
    await verify({ channel: "#random" });
    expect(fake.requests).toHaveLength(1);
    now += 10 * 60_000;
    await verify();
    expect(fake.requests).toHaveLength(2);
    await verify({ token: "xoxb-other" });
    expect(fake.requests).toHaveLength(3);
  });
});

describe("a token", () => {
  it.each([
    ["revoked", "token_revoked", "Install the Slack app again"],
    ["expired", "token_expired", "token rotation switched off"],
    ["inactive", "account_inactive", "Install it again"],
    ["ip_blocked", "invalid_auth", "add this server's"],
  ] as const)("that is %s is refused, with what to do", async (state, code, remedy) => {
    const { fake, verify } = await setUp(withToken({ state }));
    const verification = await verify();
    expect(verification).toMatchObject({ status: "refused", issues: [{ key: "token" }] });
    const message = JSON.stringify(verification);
    expect(message).toContain(`Slack does not accept the token (${code}). `);
    expect(message).toContain(remedy);
    fake.updateToken("xoxb-fake", { state: "active" });
    expect(await verify()).toEqual({ status: "ok" });
  });

  it("that nobody knows is refused, and not repeated", async () => {
    const { verify } = await setUp();
    const verification = await verify({ token: "xoxb-secret" });
    expect(verification).toMatchObject({ status: "refused" });
    expect(JSON.stringify(verification)).not.toContain("secret");
  });

  it.each([
    ["of a person", { token: "xoxp-fake" }, "token of a person"],
    ["that rotates", { token: "xoxe.xoxb-fake", expiresIn: 43_200 }, "ends by itself within hours"],
  ])("%s is taken, with a warning", async (_, token, warning) => {
    const { verify } = await setUp({ tokens: [token] });
    expect(await verify({ token: token.token })).toMatchObject({
      status: "warning",
      detail: expect.stringContaining(warning),
    });
  });
});

describe("scopes", () => {
  it("without chat:write are refused, with the page where it is added", async () => {
    const { fake, verify } = await setUp(withToken({ scopes: ["channels:read"], app: "A0APP" }));
    expect(await verify()).toEqual({
      status: "refused",
      issues: [
        {
          key: "token",
          message:
            "The Slack app is missing the scope chat:write (it has: channels:read). Add chat:write at https://api.slack.com/apps/A0APP/oauth, then reinstall the app.",
        },
      ],
    });
    expect(fake.requests).toHaveLength(1);
  });

  it("without the others are warned of, each with what follows", async () => {
    const { verify } = await setUp(withToken({ scopes: ["chat:write"], app: "A0APP" }));
    expect(await verify()).toEqual({
      status: "warning",
      detail:
        'The Slack app is missing the scope chat:write.public (it has: chat:write). Invite it to the channel (/invite @its-name), or add the scope. The Slack app is missing the scope chat:write.customize (it has: chat:write). Messages appear under the app\'s name and say "CloudTruth" in the small print. Add chat:write.customize at https://api.slack.com/apps/A0APP/oauth, then reinstall the app.',
    });
  });
});

describe("a channel", () => {
  const channels = [
    { name: "open", id: "C0OPEN0001" },
    { name: "attic", id: "C0ATTIC001", archived: true },
    { name: "secret", id: "C0SECRET01", private: true },
    { name: "team", id: "C0TEAM0001", private: true, members: ["xoxb-fake"] },
  ];
  const reading = { channels, ...withToken({ scopes: [...full, "channels:read", "groups:read"] }) };

  it.each([
    ["C0OPEN0001", "ok", ""],
    ["C0TEAM0001", "ok", ""],
    ["C0ATTIC001", "refused", "The channel is archived. Unarchive it, or choose another."],
    ["C0SECRET01", "refused", "To a private one, invite the app"],
    ["C0NOWHERE1", "refused", "Check the channel."],
  ])("that is given by its id is looked at: %s", async (channel, status, message) => {
    const { verify } = await setUp(reading);
    const verification = await verify({ channel });
    expect(verification.status).toBe(status);
    expect(JSON.stringify(verification)).toContain(message);
    if (status === "refused") {
      expect(verification).toMatchObject({ issues: [{ key: "channel" }] });
    }
  });

  it("with capitals is taken, with a warning: no name has them", async () => {
    const { verify } = await setUp();
    expect(await verify({ channel: "#General" })).toEqual({
      status: "warning",
      detail:
        "Slack writes the names of channels in lower case: #general may be meant. An id has at least nine characters, such as C0123456789.",
    });
    expect(await verify({ channel: "C0NOWHERE1" })).toEqual({ status: "ok" });
  });

  it("needs no chat:write.public where the app is in it", async () => {
    const scopes = ["chat:write", "chat:write.customize", "channels:read", "groups:read"];
    const { verify } = await setUp({ channels, ...withToken({ scopes }) });
    expect(await verify({ channel: "C0TEAM0001" })).toEqual({ status: "ok" });
    expect(await verify({ channel: "C0OPEN0001" })).toMatchObject({ status: "warning" });
  });

  it("is not looked at by its name, nor without the scopes for it", async () => {
    const byName = await setUp(reading);
    expect(await byName.verify({ channel: "#nowhere" })).toEqual({ status: "ok" });
    const without = await setUp({ channels });
    expect(await without.verify({ channel: "C0NOWHERE1" })).toEqual({ status: "ok" });
    const half = await setUp({ channels, ...withToken({ scopes: [...full, "groups:read"] }) });
    expect(await half.verify({ channel: "C0OPEN0001" })).toEqual({ status: "ok" });
  });
});

describe("trouble on the way", () => {
  it.each([
    ["a 503 page", { type: "html" }, "Slack broke down (HTTP 503)"],
    ["a 429", { type: "status", status: 429 }, "Slack asks to wait (HTTP 429)"],
    ["an outage", { type: "error", error: "internal_error" }, "(internal_error)"],
    ["a reset", { type: "reset_before_read" }, "Slack did not answer"],
    ["silence", { type: "hang" }, "Slack did not answer (aborted)"],
    ["garbage", { type: "status", status: 200, body: "<html>" }, "Slack's answer is unreadable"],
    ["a redirect", { type: "redirect", location: "http://127.0.0.1:1/" }, "redirects (HTTP 302)"],
    ["a new code", { type: "error", error: "who_knows" }, "(who_knows)"],
  ] as const)("refuses nothing, and is shown: %s", async (_, action, reason) => {
    const { fake, verify } = await setUp();
    fake.fault({ action });
    const verification = await verify();
    expect(verification).toMatchObject({
      status: "unverified",
      detail: expect.stringMatching(/^Not checked with Slack: .*send a test message to try it\.$/),
    });
    expect(JSON.stringify(verification)).toContain(reason);
    expect(await verify()).toEqual({ status: "ok" });
  });
});
