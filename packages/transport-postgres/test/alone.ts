import { postgresTransport } from "@posthorn/transport-postgres";
import pg from "pg";

/** A process that uses a transport as `how` says, closes it, and has nothing more to do. */
const [url = "", how = ""] = process.argv.slice(2);
let lost = (): void => {};
const hasLost = new Promise<void>((resolve) => {
  lost = resolve;
});
const transport = postgresTransport({
  createClient: () => new pg.Client(url),
  logger: { debug: lost, info: lost, warn: lost, error: lost },
});
const woken = new Promise<void>((wake) => void transport.listen({ wake, event: () => {} }));

if (how === "listening") await woken;
if (how === "failing") await hasLost;
await transport.close();
process.stdout.write("closed\n");
