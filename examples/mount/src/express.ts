import { once } from "node:events";
import type { Server } from "node:http";
import { toNodeHandler } from "@posthorn/rest/node";
import express from "express";
import { api } from "./api.ts";

// #region express
const app = express();
app.use(express.json());
app.use(toNodeHandler(api));
// #endregion express
app.get("/", (_, response) => void response.send("The host's own page"));

export async function start(port: number): Promise<Server> {
  const server = app.listen(port);
  await once(server, "listening");
  return server;
}

if (import.meta.main) await start(4000);
