import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { start as express } from "./express.ts";
import { start as fastify } from "./fastify.ts";
import { start as hono } from "./hono.ts";
import { start as node } from "./node.ts";

const webhook = {
  name: "Project news",
  event_types: ["project_*"],
  type: "slack",
  configuration: { token: "xoxb-1234", channel: "#general", username: "Acme Projects" },
};

for (const [name, start] of Object.entries({ hono, express, fastify, node })) {
  const server: Server = await start(0);
  const { port } = server.address() as AddressInfo;
  const origin = `http://localhost:${port}`;

  const created = await fetch(`${origin}/api/v1/webhooks/`, {
    method: "POST",
    headers: { authorization: "Api-Key acme-key", "content-type": "application/json" },
    body: JSON.stringify(webhook),
  });
  const { configuration } = (await created.json()) as typeof webhook;
  const page = await fetch(origin);
  console.log(`${name}: ${created.status}, token ${configuration.token}. ${await page.text()}`);

  server.close();
  server.closeAllConnections();
}

// Output:
// hono: 201, token ********. The host's own page
// express: 201, token ********. The host's own page
// fastify: 201, token ********. The host's own page
// node: 201, token ********. The host's own page
