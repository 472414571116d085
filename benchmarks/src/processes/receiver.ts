import { createHmac, createSecretKey } from "node:crypto";
import { createServer } from "node:http";

// A destination: answers every POST after so many milliseconds, and counts. Signatures are checked
// where it is told to, which costs the time that the sender is measured by.
const [delayMs, secret] = [Number(process.argv[2]), process.argv[3] ?? ""];
const key = secret === "" ? null : createSecretKey(Buffer.from(secret, "base64"));
let received = 0;
let forged = 0;

const server = createServer({ keepAlive: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    received += 1;
    if (key !== null) {
      const {
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": given,
      } = request.headers;
      const signed = `${id}.${at}.${Buffer.concat(chunks)}`;
      if (given !== `v1,${createHmac("sha256", key).update(signed).digest("base64")}`) forged += 1;
    }
    const answer = (): void => void response.writeHead(204).end();
    if (delayMs === 0) answer();
    else setTimeout(answer, delayMs);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", 4_096, () => process.send?.(server.address()));
process.on("message", () => process.send?.({ received, forged }));
process.on("disconnect", () => process.exit());
