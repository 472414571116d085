import { defineCatalog } from "@posthorn/core";
import { createReceiver, createTestBus } from "@posthorn/testing";
import { object, string } from "valibot";
import { discord } from "./discord.ts";

const catalog = defineCatalog({ disk_full: { schema: object({ host: string() }) } });
const service = await createReceiver();
const bus = createTestBus({ catalog, handlers: [discord({ baseUrl: service.url })] });

const { configuration } = await bus.subscriptions.create({
  organization: "acme",
  name: "Channel",
  eventTypes: ["disk_full"],
  type: "discord",
  configuration: { url: `${service.url}42/4f1c`, username: "Watch" },
});
console.log(configuration);

service.respond([{ status: 204 }]);
await bus.publish("disk_full", { host: "db-1" }, { organization: "acme" });
await bus.advance(1_000);
console.log(service.requests.map(({ body }) => JSON.parse(body)));

await bus.stop();
await service.close();

// Output:
// { username: 'Watch', url: '********' }
// [
//   {
//     content: 'disk_full: {"host":"db-1"}',
//     username: 'Watch',
//     allowed_mentions: { parse: [] }
//   }
// ]
