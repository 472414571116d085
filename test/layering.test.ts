import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { complaintsAboutFile, complaintsAboutManifest, type Manifest } from "./layering.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const manifests = globSync("packages/*/package.json", { cwd: root });
const files = globSync("packages/*/src/**/*.ts", { cwd: root }).filter(
  (path) => !/\.test(-d)?\.ts$/.test(path),
);

describe("what is here", () => {
  it.each(manifests)("%s is what a package of ours needs", (path) => {
    const manifest = JSON.parse(read(path)) as Manifest;
    expect(complaintsAboutManifest(basename(dirname(path)), manifest)).toEqual([]);
  });

  it("imports only what is below it, and takes time and chance from system.ts", () => {
    expect(files).toContain("packages/core/src/system.ts");
    expect(files.flatMap((path) => complaintsAboutFile(path, read(path)))).toEqual([]);
  });
});

describe("what must not come", () => {
  it.each([
    'import { memoryStorage } from "@posthorn/storage-memory";',
    'import type { Case } from "@posthorn/testing/contract";',
    'export { slack } from "@posthorn/handler-slack";',
    'const { slack } = await import("@posthorn/handler-slack");',
    'type Slack = typeof import("@posthorn/handler-slack");',
    'import { setTimeout } from "node:timers/promises";',
    'import { performance } from "node:perf_hooks";',
    'import { randomUUID } from "node:crypto";',
    "const at = Date.now();",
    "const clock = { now: Date.now };",
    "const at = new Date();",
    "const at = new Date;",
    "const text = Date();",
    "const at = performance.now();",
    "const chance = Math.random();",
    "setTimeout(done, 10);",
    "globalThis.setTimeout(done, 10);",
    "setInterval(done, 10);",
    "setImmediate(done);",
    "const signal = AbortSignal.timeout(10);",
    "const id = crypto.randomUUID();",
    "const key = globalThis.crypto.getRandomValues(bytes);",
  ])("core: %s", (line) => {
    expect(complaintsAboutFile("packages/core/src/bus.ts", line)).not.toEqual([]);
  });

  it.each(["handler-http", "storage-sql", "transport-redis"])("%s on a sibling", (folder) => {
    const line = 'import { slack } from "@posthorn/handler-slack";';
    expect(complaintsAboutFile(`packages/${folder}/src/index.ts`, line)).not.toEqual([]);
  });

  it("rest on the test kit", () => {
    const line = 'import { fakeSystem } from "@posthorn/testing";';
    expect(complaintsAboutFile("packages/rest/src/routes.ts", line)).not.toEqual([]);
  });

  it.each(["utils.ts", "util.ts", "helpers.ts", "common.ts", "types.ts"])("%s", (name) => {
    expect(complaintsAboutFile(`packages/core/src/${name}`, "")).not.toEqual([]);
  });

  it.each<[string, Manifest]>([
    ["a licence of its own", { license: "ISC" }],
    ["side effects", { sideEffects: true }],
    ["sources in the tarball", { files: ["dist", "src"] }],
    ["an export without its source", { exports: { ".": { default: "./dist/index.js" } } }],
    ["a sibling", { dependencies: { "@posthorn/storage-memory": "workspace:^" } }],
    ["core of its own", { dependencies: { "@posthorn/core": "1" }, peerDependencies: {} }],
    ["nothing to say", { description: "" }],
  ])("a handler with %s", (_, change) => {
    const good = JSON.parse(read("packages/handler-slack/package.json")) as Manifest;
    expect(complaintsAboutManifest("handler-slack", { ...good, ...change })).not.toEqual([]);
  });
});

describe("what may come", () => {
  it.each([
    "const at = new Date(event.occurredAt).toISOString();",
    "const at = system.now();",
    "await system.sleep(10);",
    "const words = 'Date.now() and setTimeout are banned'; // Math.random() too",
    'import { createHmac } from "node:crypto";',
    "const port = { now: () => system.now(), random: () => system.random() };",
  ])("core: %s", (line) => {
    expect(complaintsAboutFile("packages/core/src/bus.ts", line)).toEqual([]);
  });

  it("an adapter on core, and a timer in it", () => {
    const lines = 'import type { Storage } from "@posthorn/core";\nsetTimeout(done, 10);';
    expect(complaintsAboutFile("packages/storage-sql/src/sql.ts", lines)).toEqual([]);
  });
});
