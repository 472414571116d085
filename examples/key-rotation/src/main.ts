import { randomBytes } from "node:crypto";
import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type EncryptionKey,
  failed,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { object, strictObject, string } from "valibot";

const catalog = defineCatalog({ project_created: { schema: object({ name: string() }) } });
const vault = defineHandler({
  type: "vault",
  configuration: strictObject({ token: string() }),
  secrets: ["token"],
  deliver: async ({ configuration }) =>
    configuration.token === "s3cret-token" ? delivered() : failed("The token is wrong."),
});

const storage = memoryStorage();
const january: EncryptionKey = { id: "2026-01", key: randomBytes(32).toString("base64") };
const july: EncryptionKey = { id: "2026-07", key: randomBytes(32).toString("base64") };

/** The bus of a process that was started with these keys. */
const processWith = (...encryptionKeys: readonly EncryptionKey[]) =>
  createEventBus({ catalog, storage, handlers: [vault], encryptionKeys });

const before = processWith(january);
const { configuration } = await before.subscriptions.create({
  organization: "acme",
  name: "Vault",
  eventTypes: ["*"],
  type: "vault",
  configuration: { token: "s3cret-token" },
});
console.log("shown as", configuration);

// #region rotate
const during = processWith(july, january);
console.log(await during.reseal());
const after = processWith(july);
// #endregion rotate

await after.publish("project_created", { name: "web" }, { organization: "acme" });
await before.drain();
// #region health
const { status, problems } = await before.health();
// #endregion health
console.log(status, problems[0]?.detail);

await after.drain();
const { items } = await after.deliveries.list({ organization: "acme" });
console.log(items.map((delivery) => delivery.status));

// Output:
// shown as { token: '********' }
// { resealed: 1 }
// degraded 1 deliveries of type "vault" wait for the key "2026-07", which this process does not have. They spend nothing meanwhile. Add it to `encryptionKeys`.
// [ 'delivered' ]
