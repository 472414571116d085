import { once } from "node:events";
import type { Server } from "node:http";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { api } from "./api.ts";

// #region hono
const app = new Hono();
app.use(({ req }, next) => (api.handles(req.path) ? api.fetch(req.raw) : next()));
// #endregion hono
app.get("/", (context) => context.text("The host's own page"));

export async function start(port: number): Promise<Server> {
  const server = serve({ fetch: app.fetch, port }) as Server;
  await once(server, "listening");
  return server;
}

if (import.meta.main) await start(4000);
