import { defineCatalog, family } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { createFakeSlack, type FakeSlack } from "@posthorn/testing/slack";
import { object, string } from "valibot";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { code, link, mrkdwn, slack, type Templates } from "./index.ts";

// #region templates
const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string(), url: string() }) }),
});

const templates: Templates<typeof catalog> = {
  project_created: ({ data, actor }) => ({
    lead: mrkdwn`:sparkles: *Project created* ${code(data.name)}`,
    fields: [{ label: "By", value: actor?.name ?? "somebody" }],
    context: link(data.url, "open"),
  }),
};
// #endregion templates

let fake: FakeSlack;
beforeEach(async () => {
  fake = await createFakeSlack({ channelRate: false, teamRate: false });
});
afterEach(() => fake.close());

/** A bus of which acme wants to hear everything about projects in #general. */
async function subscribed() {
  const handler = slack<typeof catalog>({ templates, baseUrl: fake.url });
  const bus = createTestBus({ catalog, handlers: [handler] });
  const subscription = await bus.subscriptions.create({
    organization: "acme",
    name: "Releases",
    eventTypes: ["project_*"],
    type: "slack",
    configuration: { token: "xoxb-fake", channel: "#general", username: "CloudTruth" },
  });
  const { organization, id } = subscription;
  const project = { name: "web <!channel>", url: "https://app.test/web" };
  return { bus, project, subscription: () => bus.subscriptions.get({ organization, id }) };
}

describe("in a bus", () => {
  it("posts what the host publishes, as its templates say", async () => {
    const { bus, project, subscription } = await subscribed();
    const actor = { id: "u1", name: "Ana Diaz" };
    await bus.publish("project_created", project, { organization: "acme", actor });
    await bus.advance(0);
    const [message] = fake.messages("general");
    expect(message?.text).toMatch(
      /^Project created web &lt;!channel&gt;\nBy: Ana Diaz\n.* · open \(https:\/\/app\.test\/web\)$/,
    );
    expect(await subscription()).toMatchObject({ status: "ok", enabled: true });
  });

  it("posts a few messages to a channel at once, and then one a second", async () => {
    const { bus, project } = await subscribed();
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(10_000);
    const counts: number[] = [];
    for (const type of ["created", "updated", "deleted", "created", "updated"] as const) {
      await bus.publish(`project_${type}`, project, { organization: "acme" });
      await bus.advance(0);
      counts.push(fake.messages("general").length);
    }
    for (const ms of [1_000, 100, 900, 200]) {
      await bus.advance(ms);
      counts.push(fake.messages("general").length);
    }
    // What had to wait for its turn went together.
    expect(counts).toEqual([2, 3, 4, 4, 4, 4, 5, 5, 5]);
    expect(fake.messages("general").at(-1)?.text).toMatch(/^2 events in acme\n/);
  });

  it("gathers what waits in one message, of which each delivery keeps its own record", async () => {
    const { bus, project } = await subscribed();
    for (let count = 0; count < 30; count += 1) {
      await bus.publish("project_created", project, { organization: "acme" });
    }
    await bus.advance(5_000);
    const { items } = await bus.deliveries.list({ organization: "acme", limit: 100 });
    expect(items.map(({ status }) => status)).toEqual(Array(30).fill("delivered"));
    const records = await Promise.all(
      items.map(({ id }) => bus.deliveries.get({ organization: "acme", id })),
    );
    const attempts = records.map(({ attemptLog }) => attemptLog);
    expect(attempts.every(({ length }) => length === 1)).toBe(true);
    const together = attempts.flat().map((attempt) => attempt.together);
    expect(together).toEqual(Array(30).fill(10));
    const messages = fake.messages("general");
    expect(messages.map(({ text }) => text.split("\n")[0])).toEqual(
      Array(3).fill("10 events in acme"),
    );
    expect(new Set(attempts.flat().map(({ details }) => JSON.stringify(details))).size).toBe(3);
  });

  it("lets an event whose template throws hold up no other of its digest", async () => {
    const broken: Templates<typeof catalog> = {
      ...templates,
      project_updated: () => {
        throw new Error("no such field");
      },
    };
    const handler = slack<typeof catalog>({ templates: broken, baseUrl: fake.url });
    const bus = createTestBus({ catalog, handlers: [handler] });
    await bus.subscriptions.create({
      organization: "acme",
      name: "Releases",
      eventTypes: ["project_*"],
      type: "slack",
      configuration: { token: "xoxb-fake", channel: "#general", username: "CloudTruth" },
    });
    const project = { name: "web", url: "https://app.test/web" };
    for (const verb of ["created", "updated", "created", "deleted", "created"] as const) {
      await bus.publish(`project_${verb}`, project, { organization: "acme" });
    }
    await bus.advance(60_000);
    const { items } = await bus.deliveries.list({ organization: "acme" });
    expect(items.map(({ eventType, status }) => `${eventType} ${status}`).toSorted()).toEqual([
      "project_created delivered",
      "project_created delivered",
      "project_created delivered",
      "project_deleted delivered",
      "project_updated pending",
    ]);
  });

  it("waits as long as Slack asks, and loses nothing", async () => {
    const { bus, project } = await subscribed();
    const headers = { "retry-after": "20" };
    fake.fault({ action: { type: "status", status: 429, headers } });
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(19_000);
    expect(fake.messages("general")).toHaveLength(0);
    await bus.advance(2_000);
    expect(fake.messages("general")).toHaveLength(1);
  });

  it("keeps the order of a channel over a pause that Slack asks for", async () => {
    const { bus, project } = await subscribed();
    const headers = { "retry-after": "20" };
    fake.fault({ action: { type: "status", status: 429, headers } });
    const publish = async (first: number, last: number): Promise<void> => {
      for (let nr = first; nr <= last; nr += 1) {
        const name = `p${String(nr).padStart(2, "0")}`;
        await bus.publish("project_created", { ...project, name }, { organization: "acme" });
      }
    };
    // The first of three digests is asked to wait; the other two are behind it.
    await publish(1, 30);
    await bus.advance(1_000);
    expect(fake.requests.filter(({ method }) => method === "chat.postMessage")).toHaveLength(1);
    await publish(31, 60);
    await bus.advance(60_000);
    const names = fake.messages("general").flatMap(({ text }) => text.match(/\bp\d\d\b/g) ?? []);
    expect(names).toEqual(names.toSorted());
    expect(names).toHaveLength(60);
  });

  it("switches the subscription off, with the remedy, when its token is revoked", async () => {
    const { bus, project, subscription } = await subscribed();
    fake.updateToken("xoxb-fake", { state: "revoked" });
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(0);
    expect(await subscription()).toMatchObject({
      enabled: false,
      disabledReason:
        "Slack does not accept the token (token_revoked). Install the Slack app again, then set the token to its new one.",
    });
  });

  it("asks once in a while with a token that is of no use, and tells each webhook that has it", async () => {
    const { bus, project, subscription } = await subscribed();
    const other = await bus.subscriptions.create({
      organization: "acme",
      name: "Others",
      eventTypes: ["project_*"],
      type: "slack",
      configuration: { token: "xoxb-fake", channel: "#random", username: "CloudTruth" },
    });
    const otherNow = () => bus.subscriptions.get({ organization: "acme", id: other.id });
    fake.updateToken("xoxb-fake", { state: "revoked" });
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(0);
    // Both were on their way when Slack said it, or one was: what comes after waits.
    const asked = fake.requests.length;
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(30_000);
    expect(fake.requests).toHaveLength(asked);
    await bus.advance(5 * 60_000);
    expect(fake.requests.length).toBeLessThanOrEqual(asked + 1);
    for (const webhook of [await subscription(), await otherNow()]) {
      expect(webhook).toMatchObject({ enabled: false, status: "error" });
      expect(webhook.disabledReason).toContain("Install the Slack app again");
    }
  });

  it("goes on within a minute once the token is repaired and the webhook switched on", async () => {
    const { bus, project, subscription } = await subscribed();
    fake.updateToken("xoxb-fake", { state: "revoked" });
    await bus.publish("project_created", project, { organization: "acme" });
    await bus.advance(0);
    fake.updateToken("xoxb-fake", { state: "active" });
    const { organization, id } = await subscription();
    await bus.subscriptions.update({ organization, id }, { enabled: true });
    await bus.publish("project_updated", project, { organization: "acme" });
    await bus.advance(61_000);
    expect(fake.messages("general")).toHaveLength(1);
    expect(await subscription()).toMatchObject({ enabled: true, status: "ok" });
  });

  it("remembers that the username is refused, and warns", async () => {
    fake.updateToken("xoxb-fake", { scopes: ["chat:write", "chat:write.public"] });
    const { bus, project, subscription } = await subscribed();
    for (let round = 0; round < 2; round += 1) {
      await bus.publish("project_created", project, { organization: "acme" });
      await bus.advance(2_000);
      expect(await subscription()).toMatchObject({
        status: "warning",
        statusDetail: expect.stringContaining("chat:write.customize"),
      });
    }
    expect(fake.requests).toHaveLength(3);
    expect(fake.messages("general")).toHaveLength(2);
  });
});
