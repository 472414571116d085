import { databaseAddress } from "./database/address.ts";
import { logger } from "./logger.ts";
import { start } from "./start.ts";

/** The example while Slack is down, for a test that kills it. It says where it listens. */
const [databaseUrl = "", encryptionKey = ""] = process.argv.slice(2);
const { baseUrl, slack } = await start({
  port: 0,
  hostname: "127.0.0.1",
  database: databaseAddress(databaseUrl),
  encryptionKey,
  logger,
});
slack.fault({ times: Number.POSITIVE_INFINITY, action: { type: "html", status: 503 } });
console.log(baseUrl);
