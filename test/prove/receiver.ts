import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { announce, hear } from "../processes/speak.ts";
import { clock } from "./clock.ts";
import type { Hit, Manner } from "./hit.ts";
import type { Posted } from "./post.ts";

// receiver.ts FOLDER: the witness. Writes every request down by its own clock, and answers as it is
// told; says when from.

const log = join(process.argv[2] ?? "", "hits.jsonl");
const manners = new Map<string, Manner>();

const server = createServer(async (request, response) => {
  const at = clock();
  const [path = "/"] = (request.url ?? "/").split("?");
  const { status, afterMs, retryAfter } = manners.get(path) ?? { status: 200, afterMs: 0 };
  const posted: Posted = JSON.parse(await text(request));
  if (afterMs > 0) await setTimeout(afterMs);
  const hit: Hit = { ...posted, path, at, answered: clock(), status };
  appendFileSync(log, `${JSON.stringify(hit)}\n`);
  if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
  response.writeHead(status).end();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The receiver has no port.");
  announce(`http://127.0.0.1:${address.port}`);
});
hear((line) => {
  const manner: Manner = JSON.parse(line);
  manners.set(manner.path, manner);
  announce(String(clock()));
});
