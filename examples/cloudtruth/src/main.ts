import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { logger } from "./logger.ts";
import { type Example, start } from "./start.ts";
import { playTour } from "./tour.ts";
import { welcome } from "./welcome.ts";

const USAGE = `Usage: npm start [-- --tour [--update-snapshots]]

  --tour              play the tour, then end: with 0 if all twelve messages arrived as expected
  --update-snapshots  with --tour: take what arrives for expected, and write it down

Environment:
  PORT          the port to listen on (4000)
  HOST          the address to listen on (127.0.0.1)
  POSTHORN_KEY  32 bytes in base64, which seal the webhooks' tokens (random ones)`;

/** How long a message may take: the limit of one a second counts, and so does a slow computer. */
const MESSAGE_WITHIN_MS = 20_000;

/** Something that the person at the terminal can correct. */
class Mistake extends Error {}

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
  const example = await startExample(options);
  try {
    if (options.tour) {
      const result = await Promise.race([tour(example, options.updateSnapshots), interrupted]);
      if (result === "interrupted") console.error("The tour was interrupted.");
      return result === true ? 0 : 1;
    }
    console.log(welcome(example, { keyIsRandom: process.env["POSTHORN_KEY"] === undefined }));
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
  readonly encryptionKey: string;
}

function readOptions(): Options {
  const { PORT = "4000", HOST = "127.0.0.1", POSTHORN_KEY } = process.env;
  const port = Number(PORT);
  if (!/^\d{1,5}$/.test(PORT) || port > 65_535) {
    throw new Mistake(
      `PORT is ${JSON.stringify(PORT)}. Give a number from 0 to 65535: PORT=4001 npm start`,
    );
  }
  if (POSTHORN_KEY !== undefined && Buffer.from(POSTHORN_KEY, "base64").length !== 32) {
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
    encryptionKey: POSTHORN_KEY ?? randomBytes(32).toString("base64"),
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

async function startExample(options: Options): Promise<Example> {
  const { port, hostname } = options;
  try {
    return await start({ ...options, logger });
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
