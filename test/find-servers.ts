import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freshDatabase, MARIADB, POSTGRES } from "./servers.ts";

/**
 * Before the first test: finds the servers to test on, tells the tests by the environment, and
 * says at the end what was left out.
 */
export async function setup(): Promise<() => Promise<void>> {
  const postgres = await findPostgres();
  const leftOut = await findMariadb();
  return async () => {
    if (leftOut !== null) process.stdout.write(`${leftOut}\n`);
    await postgres.release();
  };
}

interface Found {
  release(): Promise<void>;
}

/**
 * A URL that was given must work. Else the one that runs here, else one of our own; durable if its
 * commits have to outlive the machine, as measuring them asks for.
 */
export async function findPostgres({ durable = false } = {}): Promise<Found> {
  const given = process.env[POSTGRES] ?? "";
  if (given !== "" && given !== "embedded") {
    const problem = await problemWith(given);
    if (problem !== null) throw new Error(`${POSTGRES} is ${given}, but ${problem}`);
    return { release: async () => {} };
  }
  const local = "postgres://postgres@127.0.0.1:5432/postgres";
  if (given === "" && (await problemWith(local)) === null) {
    process.env[POSTGRES] = local;
    return { release: async () => {} };
  }
  const keep = join(import.meta.dirname, "keep-postgres.ts");
  const keeper = spawn(process.execPath, [keep, ...(durable ? ["--durable"] : [])], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(keeper, "exit");
  const [url] = await Promise.race([
    once(createInterface(keeper.stdout), "line"),
    exit.then(() => {
      throw new Error("No PostgreSQL could be started; the reason is above.");
    }),
  ]);
  process.env[POSTGRES] = url;
  return {
    release: async () => {
      keeper.stdin.end();
      await exit;
    },
  };
}

/** @returns what to tell people if there is none. */
async function findMariadb(): Promise<string | null> {
  const given = process.env[MARIADB] ?? "";
  if (given !== "" && given !== "none") {
    const problem = await problemWith(given);
    if (problem !== null) throw new Error(`${MARIADB} is ${given}, but ${problem}`);
    return null;
  }
  const local = "mysql://root@127.0.0.1:3306/mysql";
  const problem = given === "none" ? `${MARIADB} is "none"` : await problemWith(local);
  if (problem === null) {
    process.env[MARIADB] = local;
    return null;
  }
  const missing = `Left out: MariaDB (${problem}). Turn on: ${MARIADB}=mysql://… npm test, or apt-get install mariadb-server`;
  if (process.env["POSTHORN_TEST_REQUIRE"] === "mariadb") throw new Error(missing);
  delete process.env[MARIADB];
  return missing;
}

/** Why tests cannot run on a server; null if they can. */
async function problemWith(url: string): Promise<string | null> {
  try {
    await (await freshDatabase(url)).drop();
    return null;
  } catch (error) {
    const { host } = new URL(url);
    const reason =
      error instanceof Error ? error.message || String(Reflect.get(error, "code")) : error;
    return `no server at ${host} lets us make a database: ${reason}`;
  }
}
