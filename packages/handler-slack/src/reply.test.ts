import type { Outcome } from "@posthorn/core";
import { createFakeSlack, type FakeSlack } from "@posthorn/testing/slack";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "./call.ts";
import { type SlackError, slackErrors } from "./errors.ts";
import { outcomeOf, type Reading } from "./reply.ts";

let fake: FakeSlack;
beforeAll(async () => {
  fake = await createFakeSlack({ channelRate: false, teamRate: false });
});
afterAll(() => fake.close());

const outcome = async (reading: Reading = { attempt: 1 }): Promise<Outcome> => {
  const body = { channel: "#general", text: "Hello" };
  const { signal } = new AbortController();
  const method = "chat.postMessage";
  const reply = await call({ baseUrl: fake.url, method, token: "xoxb-fake", body, signal });
  return outcomeOf(reply, reading);
};

const answering = (error: string, extra: Record<string, unknown> = {}): Promise<Outcome> => {
  fake.fault({ action: { type: "error", error, extra } });
  return outcome();
};

const replying = (
  status: number,
  { headers = {}, ...json }: Record<string, unknown> & { headers?: Record<string, string> },
): Promise<Outcome> => {
  fake.fault({ action: { type: "status", status, headers, body: JSON.stringify(json) } });
  return outcome();
};

describe("what Slack answers", () => {
  const outcomes: Readonly<Record<SlackError["class"], Outcome["type"]>> = {
    auth: "gone",
    destination: "gone",
    scope: "gone",
    message: "rejected",
    bug: "rejected",
    rate: "throttled",
    transient: "failed",
    ambiguous: "unknown",
  };

  it.each(Object.entries(slackErrors))("means what the table says: %s", async (code, row) => {
    const { type, ...rest } = await answering(code);
    expect(type).toBe(outcomes[row.class]);
    expect(rest).toMatchObject({
      reason: expect.stringContaining(code),
      remedy: row.remedy,
      details: { status: 200, error: code, requestId: expect.any(String) },
    });
    if (row.waitMs !== undefined) expect(rest).toMatchObject({ retryAfterMs: row.waitMs });
  });

  it("closes the token's gate if the token is of no use, and no other for a channel", async () => {
    expect(await answering("token_revoked")).toMatchObject({ type: "gone", gate: "token" });
    expect(await answering("is_archived")).not.toHaveProperty("gate");
  });

  it("leads to the app's own page where it is known", async () => {
    fake.fault({ action: { type: "error", error: "missing_scope" } });
    expect(await outcome({ attempt: 1, appId: "A123" })).toMatchObject({
      remedy: expect.stringContaining("(https://api.slack.com/apps/A123/oauth)"),
    });
  });

  it("is tried three times if nobody has documented it, further apart each time", async () => {
    for (const [attempt, type, retryAfterMs] of [
      [1, "failed", 300_000],
      [2, "failed", 600_000],
      [3, "rejected", undefined],
    ] as const) {
      fake.fault({ action: { type: "error", error: "something_new" } });
      const given = await outcome({ attempt });
      expect(given).toMatchObject({ type, reason: expect.stringContaining("(something_new)") });
      expect("retryAfterMs" in given ? given.retryAfterMs : undefined).toBe(retryAfterMs);
    }
  });

  it.each(["retry", "abandon", undefined] as const)(
    "leaves doubt to the customer's word where nobody knows: %s",
    async (doubt) => {
      fake.fault({ action: { type: "post_then_reset" } });
      expect(await outcome({ attempt: 1, doubt })).toMatchObject({ type: "unknown", doubt });
      fake.fault({ action: { type: "post_then_error", error: "internal_error" } });
      expect(await outcome({ attempt: 1, doubt })).toMatchObject({ type: "unknown", doubt });
    },
  );

  it.each([
    ["slack_connect_canvas_sharing_blocked", "gone"],
    ["draft_has_conflict", "rejected"],
    ["something_new", "failed"],
    ["constructor", "failed"],
  ])("may be %s, which nobody listed: %s", async (code, type) => {
    expect(await answering(code)).toMatchObject({ type });
  });

  it("tells which scope is missing, by the name it has today", async () => {
    const scopes = { needed: "chat:write:bot", provided: "identify,commands" };
    expect(await answering("missing_scope", scopes)).toMatchObject({
      reason:
        "The Slack app lacks a permission (missing_scope): the app needs chat:write and has identify,commands",
    });
  });

  it("tells what is wrong with a block, once", async () => {
    const finding = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]";
    const extra = {
      errors: [finding],
      response_metadata: { messages: [`[ERROR] ${finding}`, "[WARN] other"] },
    };
    expect(await answering("invalid_blocks", extra)).toMatchObject({
      reason: `Slack refuses what the message contains (invalid_blocks): ${finding}; other`,
    });
  });

  it("is delivered with the message's place if it is ok", async () => {
    expect(await outcome()).toEqual({
      type: "delivered",
      details: {
        status: 200,
        channel: fake.channel("general").id,
        ts: fake.messages("general").at(-1)?.ts,
        requestId: fake.requests.at(-1)?.id,
      },
    });
  });

  it("keeps what Slack warns of beside it", async () => {
    const warned = { ok: true, ts: "1.0", warning: "message_truncated" };
    expect(await replying(200, warned)).toEqual({
      type: "delivered",
      details: { status: 200, ts: "1.0", warning: "message_truncated" },
    });
  });

  it("counts even if its members are of strange types", async () => {
    const strange = { ok: true, ts: 5, channel: null, message: "x", response_metadata: [] };
    expect(await replying(200, strange)).toEqual({ type: "delivered", details: { status: 200 } });
    expect(await replying(200, { ok: false, error: 5 })).toMatchObject({
      type: "failed",
      reason: "Slack answered no error code (HTTP 200)",
    });
  });
});

describe("a rate limit", () => {
  it.each<[string, Record<string, string>, number]>([
    ["seconds", { "retry-after": "7" }, 7_000],
    ["nothing", {}, 30_000],
    ["garbage", { "retry-after": "soon" }, 30_000],
    ["a negative number", { "retry-after": "-5" }, 30_000],
    ["a fraction", { "retry-after": "1.5" }, 30_000],
    ["zero", { "retry-after": "0" }, 0],
    [
      "a date",
      { date: "Mon, 05 Jan 2026 14:03:00 GMT", "retry-after": "Mon, 05 Jan 2026 14:03:09 GMT" },
      9_000,
    ],
    [
      "a date that has passed",
      { date: "Mon, 05 Jan 2026 14:03:00 GMT", "retry-after": "Mon, 05 Jan 2026 14:02:00 GMT" },
      30_000,
    ],
  ])("of which Retry-After says %s", async (_, headers, retryAfterMs) => {
    expect(await replying(429, { headers, ok: false, error: "ratelimited" })).toMatchObject({
      type: "throttled",
      retryAfterMs,
      gate: "channel",
    });
  });

  it("needs no body", async () => {
    fake.fault({ action: { type: "html", status: 429 } });
    expect(await outcome()).toMatchObject({ type: "throttled", gate: "channel" });
  });

  it("closes the workspace if another of its channels is asked to wait too", async () => {
    fake.fault({ action: { type: "status", status: 429 } });
    const reading = { attempt: 1, isWorkspaceBusy: true };
    expect(await outcome(reading)).toMatchObject({ type: "throttled", gate: "workspace" });
  });

  it("of the whole app closes the workspace", async () => {
    expect(await answering("rate_limited")).toMatchObject({ gate: "workspace" });
    expect(await answering("message_limit_exceeded")).toMatchObject({ gate: "workspace" });
  });
});

describe("an answer that is not Slack's usual one", () => {
  it.each([
    [500, "unknown"],
    [503, "unknown"],
    [200, "unknown"],
    [403, "failed"],
    [404, "failed"],
    [418, "failed"],
  ])("HTML with status %d is %s", async (status, type) => {
    fake.fault({ action: { type: "html", status } });
    expect(await outcome()).toMatchObject({ type, details: { status } });
  });

  it("is known by its code whatever its status", async () => {
    expect(await replying(503, { ok: false, error: "service_unavailable" })).toMatchObject({
      type: "failed",
    });
    expect(await replying(500, { ok: false, error: "who_knows" })).toMatchObject({
      type: "unknown",
    });
    expect(await replying(500, { ok: true })).toMatchObject({ type: "unknown" });
  });

  it.each(["", "null", "[]", "{}", '{"ok":"true"}', '{"ok":true', "\u{feff}not json"])(
    "%j with status 200 is unknown",
    async (body) => {
      fake.fault({ action: { type: "status", status: 200, body } });
      expect(await outcome()).toMatchObject({ type: "unknown" });
    },
  );

  it("is read to a limit, beyond which it is not Slack's", async () => {
    const filler = "x".repeat(10_000_000);
    expect(await replying(200, { filler, ok: true })).toMatchObject({ type: "unknown" });
  });

  it("is read though every character of the echo is escaped", async () => {
    const text = "é".repeat(10_000).replaceAll("é", "\\u00e9");
    const body = `{"message":{"text":"${text}"},"ok":true}`;
    fake.fault({ action: { type: "status", status: 200, body } });
    expect(await outcome()).toMatchObject({ type: "delivered" });
  });

  it("is not followed elsewhere, with or without the token", async () => {
    const elsewhere = await createFakeSlack();
    const location = `${elsewhere.url}chat.postMessage`;
    for (const status of [301, 302, 307, 308]) {
      fake.fault({ action: { type: "redirect", location, status } });
      expect(await outcome()).toMatchObject({ type: "rejected", details: { status } });
    }
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
  });
});

it("never says anything without a remedy, nor blames the reader for what is unknown", () => {
  for (const [code, { remedy }] of Object.entries(slackErrors)) {
    expect(remedy, code).toMatch(/^[A-Z#].*\.$/);
  }
});
