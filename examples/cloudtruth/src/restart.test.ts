import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeSystem } from "@posthorn/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { webhookPayload } from "./commands.ts";
import { databaseAddress } from "./database/address.ts";
import { logger } from "./logger.ts";
import { start } from "./start.ts";

const AN_HOUR_MS = 60 * 60_000;
const encryptionKey = Buffer.alloc(32, "a key for tests").toString("base64");

let folder: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cloudtruth-"));
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

/** Starts the example while Slack is down. */
async function startDoomed(databaseUrl: string) {
  const program = fileURLToPath(new URL("./doomed.ts", import.meta.url));
  const doomed = spawn(
    process.execPath,
    ["--conditions=@posthorn/source", program, databaseUrl, encryptionKey],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  child = doomed;
  const [baseUrl] = await once(createInterface(doomed.stdout), "line");
  return {
    post: async (path: string, body: object): Promise<void> => {
      const response = await fetch(new URL(path, baseUrl), {
        method: "POST",
        headers: { authorization: "Api-Key acme-key", "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(201);
    },
    warned: once(createInterface(doomed.stderr), "line"),
    killed: async () => {
      doomed.kill("SIGKILL");
      await once(doomed, "exit");
    },
  };
}

it("a process that is killed leaves what it could not deliver to the next one", {
  timeout: 30_000,
}, async () => {
  const databaseUrl = `file:${folder}/cloudtruth.db`;
  const doomed = await startDoomed(databaseUrl);
  const token = "xoxb-fake-acme";
  await doomed.post(
    "/api/v1/webhooks/",
    webhookPayload({ token, channel: "#general", organization: "acme", eventTypes: ["*"] }),
  );
  await doomed.post("/api/v1/projects/", { name: "web" });
  expect(String(await doomed.warned)).toMatch(/^delivery\.\w+ project_created → slack\. /);
  await doomed.killed();

  const system = { ...nodeSystem(), now: () => Date.now() + AN_HOUR_MS };
  const next = await start({
    port: 0,
    hostname: "127.0.0.1",
    database: databaseAddress(databaseUrl),
    encryptionKey,
    logger,
    system,
  });
  const { text } = await new Promise<{ readonly text: string }>((resolve) =>
    next.slack.onMessage(resolve),
  );
  expect(text).toMatch(/^Project created web\nBy: Ana Diaz\n/);
  const { projects } = await next.store.read("acme");
  expect([...projects.values()].map(({ name }) => name)).toEqual(["MyFirstProject", "web"]);
  await next.stop();
});
