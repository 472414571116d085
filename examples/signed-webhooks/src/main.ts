import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { receiver, secrets } from "./receiver.ts";

receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
const { port } = receiver.address() as AddressInfo;

// #region sender
import { createEventBus, defineCatalog } from "@posthorn/core";
import { http } from "@posthorn/handler-http";
import { memoryStorage } from "@posthorn/storage-memory";
import { object, string } from "valibot";

const catalog = defineCatalog({ project_created: { schema: object({ name: string() }) } });
const bus = createEventBus({
  catalog,
  storage: memoryStorage(),
  // In production: `http()`. The receiver of this example is on this machine, without TLS.
  handlers: [http({ guard: { allow: ["127.0.0.1"], http: true, ports: "any" } })],
  encryptionKeys: [{ id: "2026-01", key: randomBytes(32) }],
});

const { id, generatedSecret = "" } = await bus.subscriptions.create({
  organization: "acme",
  name: "Acme's server",
  eventTypes: ["project_*"],
  type: "http",
  configuration: { url: `http://127.0.0.1:${port}/events` },
});
secrets.push(generatedSecret);

await bus.publish("project_created", { name: "web" }, { organization: "acme" });
await bus.drain();
// #endregion sender

// #region rotate
const rotated = await bus.subscriptions.rotateSecret({ organization: "acme", id });
await bus.publish("project_created", { name: "signed with both" }, { organization: "acme" });
await bus.drain();

secrets.splice(0, 1, rotated.generatedSecret);
await bus.subscriptions.revokePreviousSecrets({ organization: "acme", id });
await bus.publish("project_created", { name: "signed with the new one" }, { organization: "acme" });
await bus.drain();
// #endregion rotate

// #region refused
const forged = await fetch(`http://127.0.0.1:${port}/events`, {
  method: "POST",
  body: "{}",
  headers: {
    "webhook-id": "1",
    "webhook-timestamp": String(Math.floor(Date.now() / 1_000)),
    "webhook-signature": `v1,${randomBytes(32).toString("base64")}`,
  },
});
console.log("forged", forged.status);

try {
  await bus.subscriptions.update(
    { organization: "acme", id },
    { configuration: { url: "https://169.254.169.254/latest/meta-data/" } },
  );
} catch (error) {
  console.log((error as Error).message);
}
// #endregion refused

await bus.stop();
receiver.close();
receiver.closeAllConnections();

// Output:
// received project_created { name: 'web' }
// received project_created { name: 'signed with both' }
// received project_created { name: 'signed with the new one' }
// refused wrong_signature
// forged 401
// Invalid configuration for type "http": configuration.url: The URL's address is not one of the public internet.
