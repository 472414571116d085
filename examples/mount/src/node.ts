import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { toNodeHandler } from "@posthorn/rest/node";
import { api } from "./api.ts";

// #region node
const handler = toNodeHandler(api);
const server = createServer((request, response) => {
  handler(request, response, () => response.end("The host's own page"));
});
// #endregion node

export async function start(port: number): Promise<Server> {
  server.listen(port);
  await once(server, "listening");
  return server;
}

if (import.meta.main) await start(4000);
