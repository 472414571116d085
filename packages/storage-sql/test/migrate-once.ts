import { createInterface } from "node:readline/promises";
import { migrate } from "../src/schema/migrate.ts";
import { schemaServers } from "./schema-servers.ts";

/** A process that connects, says "ready", migrates when told to, and says which versions. */
const [dialect, url = "", scope = ""] = process.argv.slice(2);
const server = schemaServers[dialect as keyof typeof schemaServers];
if (server === null) throw new Error(`There is no ${dialect} to migrate.`);
const connection = await server.connect(url);
const told = createInterface({ input: process.stdin, output: process.stdout });
await told.question("ready\n");
told.close();
const { versions } = await migrate({
  database: connection.database,
  schema: server.schema,
  naming: server.naming(scope),
});
await connection.end();
process.stdout.write(`${JSON.stringify(versions)}\n`);
