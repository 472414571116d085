// #region use
import { defineCatalog } from "@posthorn/core";
import { createReceiver, createTestBus } from "@posthorn/testing";
import { object, string } from "valibot";
import { pager } from "./pager.ts";

const catalog = defineCatalog({ disk_full: { schema: object({ host: string() }) } });
const service = await createReceiver();
const bus = createTestBus({ catalog, handlers: [pager({ baseUrl: service.url })] });

const { configuration } = await bus.subscriptions.create({
  organization: "acme",
  name: "On duty",
  eventTypes: ["disk_full"],
  type: "pager",
  configuration: { hook: `${service.url}hooks/4f1c` },
});
console.log(configuration);

service.respond([{ status: 503 }]);
await bus.publish("disk_full", { host: "db-1" }, { organization: "acme" });
await bus.advance(60_000);
console.log(service.requests.map(({ body }) => JSON.parse(body).text));
// #endregion use

// #region batch
const before = service.requests.length;
for (let host = 1; host <= 12; host += 1) {
  await bus.publish("disk_full", { host: `web-${host}` }, { organization: "acme" });
}
await bus.drain();
const pages = service.requests.slice(before);
console.log(pages.map(({ body }) => JSON.parse(body).text.split("\n").length));
// #endregion batch

await bus.stop();
await service.close();

// Output:
// { hook: '********' }
// [ 'disk_full: {"host":"db-1"}', 'disk_full: {"host":"db-1"}' ]
// [ 3, 3, 2, 2, 2 ]
