import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const children = new Set<ChildProcess>();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cloudtruth-"));
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await rm(folder, { recursive: true });
});

interface Run {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Resolves with the text that matches. */
  printed(pattern: RegExp): Promise<string>;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

function run(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Run {
  const child = spawn(
    process.execPath,
    ["--conditions=@posthorn/source", join(import.meta.dirname, "main.ts"), ...args],
    {
      env: { ...process.env, PORT: "0", DATABASE_URL: `file:${folder}/app.db`, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  children.add(child);
  let output = "";
  let look = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      look();
    });
  }
  return {
    child,
    output: () => output,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = pattern.exec(output)?.[0];
          if (found !== undefined) resolve(found);
        };
        child.once("close", () => reject(new Error(`It ended without ${pattern}:\n${output}`)));
        look();
      }),
    ended: once(child, "close").then(([code]) => ({ code: code as number | null, output })),
  };
}

/** What curl would do, with the arguments that the shell would give it. */
async function asFetch(command: string): Promise<Response> {
  const list = 'curl() { for argument in "$@"; do printf "%s\\0" "$argument"; done; }';
  const { stdout } = await promisify(execFile)("sh", ["-c", `${list}\n${command}`]);
  const args = stdout.split("\0").slice(0, -1);
  const after = (flag: string): readonly string[] =>
    args.filter((_, index) => args[index - 1] === flag);
  return fetch(args.find((argument) => argument.startsWith("http")) ?? "", {
    method: after("-X")[0] ?? "GET",
    headers: after("-H").map((header) => header.split(": ") as [string, string]),
    body: after("-d")[0] ?? null,
  });
}

describe("the example", () => {
  it("plays its tour in a database of its own, and ends with 0", { timeout: 90_000 }, async () => {
    const inFolder = { DATABASE_URL: undefined, TMPDIR: folder };
    const { code, output } = await run(["--tour"], inFolder).ended;
    expect(output).toContain("12 of 12 messages arrived in #config-changes");
    expect(code, output).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it("keeps its key beside its database, and says where both are", async () => {
    const said = [];
    for (const _ of ["first", "second"]) {
      const { child, printed, output, ended } = run([]);
      await printed(/Ctrl\+C/);
      expect(output()).toContain(`database  ${folder}/app.db\n`);
      expect(output()).toContain(`key       ${folder}/app.db.key, which seals`);
      said.push(await readFile(`${folder}/app.db.key`, "utf8"));
      child.kill("SIGTERM");
      await ended;
    }
    expect(said[0]).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(said[1]).toBe(said[0]);
    expect((await stat(`${folder}/app.db.key`)).mode & 0o777).toBe(0o600);
  });

  it("does not replace a key that it cannot read", async () => {
    await writeFile(`${folder}/app.db.key`, "half a key");
    const { code, output } = await run([]).ended;
    expect([code, output]).toEqual([
      1,
      `${folder}/app.db.key must hold the key that sealed the webhooks' tokens: 32 bytes in base64. Restore it; or delete it, and give every webhook its token again.\n`,
    ]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends with 0 on %s, while a browser listens",
    { timeout: 30_000 },
    async (signal) => {
      const { child, printed, ended, output } = run([]);
      const url = await printed(/http:\/\/localhost:\d+\/slack\//);
      await printed(/Ctrl\+C/);
      const page = await (await fetch(url)).text();
      const last = encodeURIComponent(/data-last="([^"]+)"/.exec(page)?.[1] ?? "");
      const live = await fetch(`${url}live?after=${last}`);
      expect(live.status).toBe(200);
      child.kill(signal);
      expect((await ended).code, output()).toBe(0);
      await live.body?.cancel().catch(() => {});
      await expect(fetch(url)).rejects.toThrow();
    },
  );

  it("prints commands that do, as they are, what it says they do", {
    timeout: 30_000,
  }, async () => {
    const { child, printed, output, ended } = run([]);
    await printed(/Ctrl\+C/);
    const commands = output().match(/(?<=^ {3})curl [\s\S]*?(?=\n\n)/gm) ?? [];
    const statuses = [];
    for (const command of commands) statuses.push((await asFetch(command)).status);
    expect(statuses, commands.join("\n\n")).toEqual([201, 201, 200, 201, 422]);
    child.kill("SIGTERM");
    await ended;
  });

  it("says that its port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { code, output } = await run([], { PORT: String(port) }).ended;
    server.close();
    expect([code, output]).toEqual([
      1,
      `Port ${port} is in use. End what uses it, or choose another: PORT=${port + 1} npm start\n`,
    ]);
  });

  it.each([
    ["PORT", { PORT: "http" }, [], /^PORT is "http". Give a number from 0 to 65535/],
    ["PORT", { PORT: "70000" }, [], /^PORT is "70000"/],
    ["HOST", { HOST: "192.0.2.1" }, [], /^HOST is "192.0.2.1", which is no address/],
    ["database", { DATABASE_URL: "redis://localhost" }, [], /^DATABASE_URL must be the URL of a/],
    ["POSTHORN_KEY", { POSTHORN_KEY: "short" }, [], /^POSTHORN_KEY must be 32 random bytes/],
    ["flag", {}, ["--tuor"], /^Unknown option '--tuor'/],
    ["pair of flags", {}, ["--update-snapshots"], /^--update-snapshots needs --tour/],
  ] as const)("refuses a wrong %s in a line (%j)", async (_, env, args, line) => {
    const { code, output } = await run(args, env).ended;
    expect(code).toBe(1);
    expect(output).toMatch(line);
    expect(output).not.toContain("    at ");
  });
});
