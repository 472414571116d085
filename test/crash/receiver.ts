import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { announce, hear } from "../processes/speak.ts";
import type { Arrival } from "./evidence.ts";

// receiver.ts FOLDER: the witness. Writes every request down before it answers; some of the
// answers are bad, and some are slow.

const log = join(process.argv[2] ?? "", "arrivals.jsonl");
const seen = new Map<string, number>();

const server = createServer(async (request, response) => {
  const { label, delivery, subscription, process } = JSON.parse(await text(request));
  const at = Date.now();
  const status = statusOf(delivery);
  const arrival: Arrival = { at, label, delivery, subscription, process, status };
  appendFileSync(log, `${JSON.stringify(arrival)}\n`);
  await setTimeout(at % 20 === 0 ? 400 : at % 30);
  response.writeHead(status).end();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The receiver has no port.");
  announce(`http://127.0.0.1:${address.port}/`);
});
hear(() => {});

/** Some of the first two requests of a delivery fail; later ones succeed. */
function statusOf(delivery: string): number {
  const count = (seen.get(delivery) ?? 0) + 1;
  seen.set(delivery, count);
  const digest = createHash("sha256").update(`${delivery} ${count}`).digest();
  return count <= 2 && digest.readUInt8() < 20 ? 503 : 200;
}
