import { defineCatalog } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { createFakeSlack, type FaultAction } from "@posthorn/testing/slack";
import { object, string } from "valibot";
import { describe, expect, it } from "vitest";
import { slackErrors } from "./errors.ts";
import { slack } from "./index.ts";

const catalog = defineCatalog({ created: { schema: object({ name: string() }) } });
const MINUTE = 60_000;

interface Row {
  /** What the first attempt came to, and where the delivery stands a day later. */
  readonly outcome: string;
  /** Messages in the channel that the event made, a day later. */
  readonly messages: number;
  /** Of the webhook, just after the first attempt. */
  readonly told: string;
  readonly webhook: string;
  /** What became of the same event at another channel of the token, and at another token. */
  readonly others: string;
}

/**
 * An event for three webhooks, of which one meets the trouble, `times` times: #general with a token,
 * #random with the same one, and #random with another. A request that nobody has read yet is of no
 * channel: then there are no others.
 */
async function play(action: FaultAction, times = 1): Promise<Row> {
  let now = Date.UTC(2026, 0, 1);
  const fake = await createFakeSlack({
    tokens: ["xoxb-1", { token: "xoxb-2", app: "A2" }],
    channelRate: false,
    teamRate: false,
    now: () => now,
  });
  const handler = slack({ baseUrl: fake.url, now: () => now });
  const bus = createTestBus({ catalog, handlers: [handler] });
  const organization = "acme";
  const webhook = (token: string, channel: string) =>
    bus.subscriptions.create({
      organization,
      name: channel,
      eventTypes: ["created"],
      type: "slack",
      configuration: { token, channel, username: "CloudTruth" },
    });
  const subject = await webhook("xoxb-1", "#general");
  const isUnread = action.type === "reset_before_read";
  const others = isUnread
    ? []
    : [await webhook("xoxb-1", "#random"), await webhook("xoxb-2", "#random")];
  const match = isUnread ? { method: "chat.postMessage" } : { channel: "general" };
  fake.fault({ match, action, times });
  await bus.publish("created", { name: "web" }, { organization });
  // Silence ends when the handler's twenty seconds are over.
  await bus.advance(/hang$/.test(action.type) ? 21_000 : 900);
  now = bus.system.now();

  const deliveryOf = async (id: string) => {
    const { items } = await bus.deliveries.list({ organization, limit: 10 });
    const found = items.find(({ subscriptionId }) => subscriptionId === id);
    return bus.deliveries.get({ organization, id: found?.id ?? "" });
  };
  const first = await deliveryOf(subject.id);
  const { enabled, status, statusDetail, disabledReason } = await bus.subscriptions.get(subject);
  await bus.advance(24 * 60 * MINUTE);
  const last = await deliveryOf(subject.id);
  const alsoOwed = await Promise.all(others.map(({ id }) => deliveryOf(id)));
  const row: Row = {
    outcome: `${first.attemptLog[0]?.outcome}, then ${last.status}`,
    messages: fake.messages("general").length,
    told: disabledReason ?? statusDetail ?? "",
    webhook: enabled ? status : "switched off",
    others: alsoOwed.map((delivery) => delivery.status).join(", "),
  };
  await fake.close();
  return row;
}

const expected = {
  auth: { outcome: "gone, then dead", messages: 0, webhook: "switched off" },
  destination: { outcome: "gone, then dead", messages: 0, webhook: "switched off" },
  scope: { outcome: "gone, then dead", messages: 0, webhook: "switched off" },
  message: { outcome: "rejected, then dead", messages: 0, webhook: "warning" },
  bug: { outcome: "rejected, then dead", messages: 0, webhook: "warning" },
  rate: { outcome: "throttled, then delivered", messages: 1, webhook: "ok" },
  transient: { outcome: "failed, then delivered", messages: 1, webhook: "warning" },
  ambiguous: { outcome: "unknown, then delivered", messages: 1, webhook: "warning" },
} as const;

/** These two are asked once more without the name: what is met a second time counts. */
const TWICE = ["not_allowed_token_type", "missing_scope"];

describe("an error of Slack", () => {
  it.each(Object.entries(slackErrors))("%s", async (code, row) => {
    const isAskedTwice = TWICE.includes(code) || row.class === "message";
    const extra = code === "missing_scope" ? { needed: "chat:write", provided: "users:read" } : {};
    const action = { type: "error", error: code, extra } as const;
    const times = isAskedTwice && code !== "missing_scope" ? 2 : 1;
    const { told, others, ...played } = await play(action, times);
    expect(played).toEqual({
      ...expected[row.class],
      ...(row.class === "rate" && { webhook: played.webhook }),
    });
    if (row.class !== "rate") {
      expect(told).toContain(`(${code})`);
      // The app's own page, where it is known, is below the one that the table names.
      const plain = told.replace(/(api\.slack\.com\/apps)\/\w+\/oauth/, "$1");
      expect(plain).toContain(row.remedy.replace(/\.$/, ""));
    }
    // Whatever it was about, it was not about them.
    expect(others).toBe("delivered, delivered");
  });
});

const faults: readonly (readonly [string, FaultAction, Partial<Row>])[] = [
  [
    "blocks that are refused once",
    { type: "error", error: "invalid_blocks" },
    { outcome: "delivered, then delivered", messages: 1, webhook: "warning" },
  ],
  [
    "a code that nobody has documented",
    { type: "error", error: "brand_new" },
    { outcome: "failed, then delivered", messages: 1, webhook: "warning" },
  ],
  [
    "HTTP 429 without a body",
    { type: "status", status: 429 },
    { outcome: "throttled, then delivered", messages: 1 },
  ],
  [
    "HTTP 503 with a page",
    { type: "html" },
    { outcome: "unknown, then delivered", messages: 1, webhook: "warning" },
  ],
  [
    "HTTP 500 without a body",
    { type: "status", status: 500 },
    { outcome: "unknown, then delivered", messages: 1 },
  ],
  [
    "HTTP 502 with half of an answer",
    { type: "status", status: 502, body: '{"ok":tr' },
    { outcome: "unknown, then delivered", messages: 1 },
  ],
  [
    "HTTP 200 with a page",
    { type: "html", status: 200 },
    { outcome: "unknown, then delivered", messages: 1 },
  ],
  [
    "HTTP 404 with a page",
    { type: "html", status: 404 },
    { outcome: "failed, then delivered", messages: 1 },
  ],
  [
    "a redirect elsewhere",
    { type: "redirect", location: "http://127.0.0.1:10/" },
    { outcome: "rejected, then dead", messages: 0, webhook: "warning" },
  ],
  [
    "a reset before anything is read",
    { type: "reset_before_read" },
    { outcome: "unknown, then delivered", messages: 1, webhook: "warning", others: "" },
  ],
  [
    "a message that is posted, and a reset",
    { type: "post_then_reset" },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  [
    "a message that is posted, and HTTP 500",
    { type: "post_then_status", status: 500 },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  [
    "a message that is posted, and internal_error",
    { type: "post_then_error", error: "internal_error" },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  [
    "a message that is posted, and half of its answer",
    { type: "post_then_truncate" },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  [
    "a message that is posted, and a reset within its answer",
    { type: "post_then_reset_mid_body" },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  [
    "an answer that comes slowly",
    { type: "slow_headers", delayMs: 10 },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "an answer that comes byte by byte",
    { type: "slow_body", byteMs: 0 },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "a delay",
    { type: "delay", delayMs: 10 },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "a connection that is cut after its answer",
    { type: "close_keepalive" },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "an answer that is compressed",
    { type: "gzip" },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "an answer after a byte order mark",
    { type: "bom" },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "an answer with its header twice",
    { type: "duplicate_header" },
    { outcome: "delivered, then delivered", messages: 1, webhook: "ok" },
  ],
  [
    "an answer of 10 MB",
    { type: "huge_body" },
    { outcome: "unknown, then delivered", messages: 2, webhook: "warning" },
  ],
  ["silence", { type: "hang" }, { outcome: "unknown, then delivered", messages: 1 }],
  [
    "a message that is posted, and silence",
    { type: "post_then_hang" },
    { outcome: "unknown, then delivered", messages: 2 },
  ],
];

describe("trouble on the way", () => {
  it.each(faults)("%s", async (_, action, wanted) => {
    const row = await play(action);
    expect(row).toMatchObject({ others: "delivered, delivered", ...wanted });
    if (wanted.webhook === "warning") expect(row.told).toMatch(/[a-z)]\. [A-Z].*\.$/);
  });

  it("covers each thing that the fake can do", () => {
    const played = new Set(faults.map(([, { type }]) => type));
    const all: readonly FaultAction["type"][] = [
      "error",
      "status",
      "html",
      "redirect",
      "hang",
      "delay",
      "reset_before_read",
      "post_then_hang",
      "post_then_reset",
      "post_then_status",
      "post_then_error",
      "post_then_truncate",
      "post_then_reset_mid_body",
      "slow_headers",
      "slow_body",
      "close_keepalive",
      "gzip",
      "bom",
      "huge_body",
      "duplicate_header",
    ];
    expect([...played].toSorted()).toEqual([...all].toSorted());
  });
});
