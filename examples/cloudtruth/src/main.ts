import { parseArgs } from "node:util";
import { type DatabaseAddress, databaseAddress } from "./database/address.ts";
import { type Home, isKey, openHome } from "./home.ts";
import { logger } from "./logger.ts";
import { Mistake } from "./mistake.ts";
import { type Example, start } from "./start.ts";
import { playTour } from "./tour.ts";
import { welcome } from "./welcome.ts";

const USAGE = `Usage: npm start [-- --tour [--update-snapshots]]

  --tour              play the tour, then end: with 0 if all twelve messages arrived as expected
  --update-snapshots  with --tour: take what arrives for expected, and write it down

Environment:
  PORT          the port to listen on (4000)
  HOST          the address to listen on (127.0.0.1)
  DATABASE_URL  file:…, postgres://… or mysql://… (file:examples/cloudtruth/.data/cloudtruth.db;
                with --tour a temporary file)
  POSTHORN_KEY  32 bytes in base64, which seal the webhooks' tokens (kept beside the database)`;

/** How long a message may take: the limit of one a second counts, and so does a slow computer. */
const MESSAGE_WITHIN_MS = 20_000;

const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => resolve("interrupted"));
  }
});

try {
  process.exitCode = await run();
} catch (error) {
  console.error(error instanceof Mistake ? error.message : error);
  process.exitCode = 1;
}

async function run(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const home = openHome(options);
  try {
    return await runIn(home, options);
  } finally {
    home.leave();
  }
}

async function runIn(home: Home, options: Options): Promise<number> {
  const example = await startExample(home, options);
  try {
    if (options.tour) {
      const result = await Promise.race([tour(example, options.updateSnapshots), interrupted]);
      if (result === "interrupted") console.error("The tour was interrupted.");
      return result === true ? 0 : 1;
    }
    console.log(await welcome(example, home));
    await interrupted;
    console.log("Ending.");
    return 0;
  } finally {
    await example.stop();
  }
}

interface Options {
  readonly help: boolean;
  readonly tour: boolean;
  readonly updateSnapshots: boolean;
  readonly port: number;
  readonly hostname: string;
  readonly database: DatabaseAddress | undefined;
  readonly encryptionKey: string | undefined;
  readonly isTemporary: boolean;
}

function readOptions(): Options {
  const { PORT = "4000", HOST = "127.0.0.1", DATABASE_URL, POSTHORN_KEY } = process.env;
  const port = Number(PORT);
  if (!/^\d{1,5}$/.test(PORT) || port > 65_535) {
    throw new Mistake(
      `PORT is ${JSON.stringify(PORT)}. Give a number from 0 to 65535: PORT=4001 npm start`,
    );
  }
  if (POSTHORN_KEY !== undefined && !isKey(POSTHORN_KEY)) {
    throw new Mistake("POSTHORN_KEY must be 32 random bytes in base64: openssl rand -base64 32");
  }
  const { help, tour, "update-snapshots": updateSnapshots } = readFlags();
  if (updateSnapshots && !tour) throw new Mistake(`--update-snapshots needs --tour.\n\n${USAGE}`);
  return {
    help,
    tour,
    updateSnapshots,
    port,
    hostname: HOST,
    database: DATABASE_URL === undefined ? undefined : databaseAddress(DATABASE_URL),
    encryptionKey: POSTHORN_KEY,
    isTemporary: tour && DATABASE_URL === undefined,
  };
}

function readFlags() {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({ options: { help: flag, tour: flag, "update-snapshots": flag } }).values;
  } catch (error) {
    throw new Mistake(`${(error as Error).message}\n\n${USAGE}`);
  }
}

async function startExample(home: Home, { port, hostname }: Options): Promise<Example> {
  try {
    return await start({ ...home, port, hostname, logger });
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case "EADDRINUSE":
        throw new Mistake(
          `Port ${port} is in use. End what uses it, or choose another: PORT=${port + 1} npm start`,
        );
      case "EACCES":
        throw new Mistake(
          `Port ${port} is not allowed. Choose one above 1023: PORT=4000 npm start`,
        );
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        throw new Mistake(
          `HOST is ${JSON.stringify(hostname)}, which is no address of this computer.`,
        );
      default:
        throw error;
    }
  }
}

async function tour(example: Example, updateSnapshots: boolean): Promise<boolean> {
  const { baseUrl, slack, workspaces } = example;
  const [workspace] = workspaces;
  if (workspace === undefined) throw new Error("The example has no Slack workspace.");
  return playTour({
    baseUrl,
    workspace,
    slack,
    updateSnapshots,
    request: (request) => fetch(request),
    until: (posted) =>
      new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          stopListening();
          resolve();
        };
        const timer = setTimeout(end, MESSAGE_WITHIN_MS);
        const stopListening = slack.onMessage(() => posted() && end());
        if (posted()) end();
      }),
    say: (line) => console.log(line),
  });
}
