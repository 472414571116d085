import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { slack } from "@posthorn/handler-slack";
import { createTestBus } from "@posthorn/testing";
import { createFakeSlack, slackPage } from "@posthorn/testing/slack";
import { catalog } from "../../examples/cloudtruth/src/catalog.ts";
import { templates } from "../../examples/cloudtruth/src/templates.ts";

// pnpm slack-pictures [--chromium PROGRAM] [--into FOLDER]
// Makes the pictures of docs/reference/slack.md anew: what the Slack handler posts to a fake Slack, as
// its page looks in Chromium, which must be installed. Times and words are the same each time;
// ids differ, and pixels depend on the fonts of the machine.

const { values } = parseArgs({
  options: {
    chromium: { type: "string", default: "chromium" },
    into: { type: "string", default: join(import.meta.dirname, "../../docs/images") },
  },
});
/** A picture and its height: what it shows fits exactly. */
const pictures = [
  { name: "slack-types", channel: "config-changes", height: 1_790 },
  { name: "slack-digest", channel: "digest", height: 920 },
  { name: "slack-degraded", channel: "no-name", height: 640 },
  { name: "slack-plain-text", channel: "plain-text", height: 360 },
  { name: "slack-own", channel: "operations", height: 480 },
] as const;
type Channel = (typeof pictures)[number]["channel"];

const startAt = Date.UTC(2026, 0, 5, 14, 3);
const organization = "acme";
let now = (): number => startAt;
const fake = await createFakeSlack({
  channels: pictures.map(({ channel }) => channel),
  tokens: [
    { token: "xoxb-fake", appName: "CloudTruth Webhook" },
    {
      token: "xoxb-nameless",
      appName: "CloudTruth Webhook",
      scopes: ["chat:write", "chat:write.public"],
    },
  ],
  now: () => now(),
  page: (shown) =>
    slackPage({ slack: shown, invite: () => ({ title: "", text: "", commands: [] }) }),
});
const bus = createTestBus({
  catalog,
  handlers: [slack<typeof catalog>({ templates, baseUrl: fake.url, now: () => now() })],
  startAt,
});
now = bus.system.now;

type EventType = keyof typeof catalog;
const eventTypes = Object.keys(catalog) as EventType[];
const actor = { id: "auth0|ana", type: "user", name: "Ana Diaz" };

const publish = (type: EventType, project = "web"): Promise<unknown> => {
  const data = JSON.stringify(catalog[type].example).replaceAll('"web"', JSON.stringify(project));
  return bus.publish(type, JSON.parse(data) as never, { organization, actor });
};

/** A webhook, and then whatever its channel is to show. */
async function scene(
  channel: Channel,
  { token = "xoxb-fake", eventTypes: wanted = ["*"] }: { token?: string; eventTypes?: string[] },
  play: (id: string) => Promise<void>,
): Promise<void> {
  const { id } = await bus.subscriptions.create({
    organization,
    name: `News in #${channel}`,
    eventTypes: wanted as ["*"],
    type: "slack",
    configuration: { token, channel, username: "CloudTruth" },
  });
  await play(id);
  await bus.advance(MINUTE);
  await bus.subscriptions.delete({ organization, id });
}

const MINUTE = 60_000;

await scene("config-changes", {}, async () => {
  for (const type of eventTypes) {
    await publish(type);
    await bus.advance(MINUTE);
  }
});

await scene("digest", {}, async () => {
  const headers = { "retry-after": "1" };
  fake.fault({ match: { channel: "digest" }, action: { type: "status", status: 429, headers } });
  for (let nr = 0; nr < 27; nr += 1) {
    await publish(eventTypes[nr % 12] as EventType, nr % 2 === 0 ? "web" : "billing");
  }
});

await scene("no-name", { token: "xoxb-nameless" }, async () => {
  await publish("parameter_created");
  await bus.advance(MINUTE);
  fake.fault({ match: { channel: "no-name" }, action: { type: "post_then_status", status: 500 } });
  await publish("parameter_updated");
});

await scene("plain-text", {}, async () => {
  const action = { type: "error", error: "invalid_blocks" } as const;
  fake.fault({ match: { channel: "plain-text" }, action });
  await publish("value_updated");
});

await scene("operations", { eventTypes: ["webhook_disabled"] }, async (id) => {
  await bus.subscriptions.test({ organization, id });
  await bus.advance(MINUTE);
  await scene("plain-text", {}, async () => {
    fake.updateChannel("plain-text", { archived: true });
    await publish("project_created");
    await bus.advance(0);
    fake.updateChannel("plain-text", { archived: false });
  });
});

const profile = mkdtempSync(join(tmpdir(), "posthorn-pictures-"));
try {
  for (const { name, channel, height } of pictures) {
    const file = join(values.into, `${name}.png`);
    const page = new URL(`/?channel=${fake.channel(channel).id}`, fake.url);
    const flags = [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...["--timeout=2000", `--user-data-dir=${profile}`, `--window-size=860,${height}`],
      `--screenshot=${file}`,
    ];
    const env = { ...process.env, TZ: "UTC", LANG: "en_US.UTF-8" };
    await promisify(execFile)(values.chromium, [...flags, page.href], { env });
    console.log(file);
  }
} finally {
  rmSync(profile, { recursive: true, force: true });
  await fake.close();
  await bus.stop();
}
