import type { Server } from "node:http";
import { toNodeHandler } from "@posthorn/rest/node";
import fastify from "fastify";
import { api } from "./api.ts";

// #region fastify
const app = fastify();
const handler = toNodeHandler(api);
app.register((scope, _options, done) => {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
  for (const path of [
    "/webhooks",
    "/webhooks/*",
    "/event-types",
    "/event-types/*",
    "/openapi.json",
  ]) {
    scope.all(`/api/v1${path}`, (request, reply) => {
      reply.hijack();
      handler(request.raw, reply.raw);
    });
  }
  done();
});
// #endregion fastify
app.get("/", async () => "The host's own page");

export async function start(port: number): Promise<Server> {
  await app.listen({ port });
  return app.server;
}

if (import.meta.main) await start(4000);
