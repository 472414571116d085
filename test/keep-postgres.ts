import { ownPostgres } from "./own-postgres.ts";

// Keeps a PostgreSQL for as long as its parent lives, whatever ends it: the pipe closes then. The
// first line it prints is the server's URL.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
const postgres = await ownPostgres({ durable: process.argv.includes("--durable") });
process.stdin.resume().on("close", postgres.remove);
process.stdout.on("error", () => {});
process.stdout.write(`${postgres.url}\n`);
