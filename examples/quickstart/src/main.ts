// #region quickstart
import { randomBytes } from "node:crypto";
import { createEventBus, defineCatalog, family } from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { memoryStorage } from "@posthorn/storage-memory";
import { createFakeSlack } from "@posthorn/testing/slack";
import { object, string } from "valibot";

const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string() }) }),
});

const fakeSlack = await createFakeSlack();
const bus = createEventBus({
  catalog,
  storage: memoryStorage(),
  handlers: [slack({ baseUrl: fakeSlack.url })],
  encryptionKeys: [{ id: "2026-01", key: randomBytes(32) }],
});

await bus.subscriptions.create({
  organization: "acme",
  name: "Project news",
  eventTypes: ["project_*"],
  type: "slack",
  configuration: { token: "xoxb-fake", channel: "#general", username: "Acme Projects" },
});

await bus.publish("project_created", { name: "web" }, { organization: "acme" });
await bus.drain();
// #endregion quickstart

for (const { username, text } of fakeSlack.messages("general")) {
  const [lead, field] = text.split("\n");
  console.log(`#general, ${username}: ${lead}. ${field}`);
}
for (const { eventType, status } of (await bus.deliveries.list({ organization: "acme" })).items) {
  console.log(`${eventType}: ${status}`);
}
await bus.stop();
await fakeSlack.close();

// Output:
// #general, Acme Projects: Project created. Name: web
// project_created: delivered
