import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { stopOnSignals } from "@posthorn/core";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** A process that stays up, whose bus delivers something that takes a moment. */
const program = (wiring: string): string => `
import { createEventBus, defineCatalog, defineHandler, delivered, stopOnSignals } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import * as v from "valibot";

const slow = defineHandler({
  type: "slow",
  configuration: v.object({}),
  deliver: async () => {
    console.log("begun");
    await new Promise((resolve) => setTimeout(resolve, 300));
    console.log("delivered");
    return delivered();
  },
});
const catalog = defineCatalog({ thing_made: { schema: v.object({}) } });
const bus = createEventBus({ catalog, handlers: [slow], storage: memoryStorage() });
setInterval(() => {}, 1_000);
${wiring}
const organization = "acme";
await bus.subscriptions.create({ organization, name: "n", eventTypes: ["*"], type: "slow", configuration: {} });
bus.start();
await bus.publish("thing_made", {}, { organization });
`;

async function play(
  wiring: string,
  signals: readonly ("SIGTERM" | "SIGINT")[],
): Promise<{
  readonly said: string;
  readonly code: number | null;
  readonly signal: string | null;
}> {
  const child = spawn(
    process.execPath,
    ["--conditions=@posthorn/source", "--input-type=module", "--eval", program(wiring)],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  let said = "";
  child.stdout.on("data", (text) => {
    if (said === "") for (const signal of signals) child.kill(signal);
    said += String(text);
  });
  const [code, signal] = await once(child, "close");
  return { said, code, signal };
}

describe("stopOnSignals", { timeout: 30_000 }, () => {
  it("lets what is in flight end, and then the signal ends the process, as it would have", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      expect(await play("stopOnSignals(bus);", [signal])).toEqual({
        said: "begun\ndelivered\n",
        code: null,
        signal,
      });
    }
  });

  it("is not hurried by more signals", async () => {
    const { said, signal } = await play("stopOnSignals(bus);", ["SIGINT", "SIGTERM", "SIGINT"]);
    expect([said, signal]).toEqual(["begun\ndelivered\n", expect.stringMatching(/SIGINT|SIGTERM/)]);
  });

  it("leaves the end of the process to those who listen too", async () => {
    const wiring = `
      stopOnSignals(bus);
      process.on("SIGTERM", () => { console.log("heard"); setTimeout(() => process.exit(3), 600); });`;
    expect(await play(wiring, ["SIGTERM"])).toEqual({
      said: "begun\nheard\ndelivered\n",
      code: 3,
      signal: null,
    });
  });

  it("ends the process where it is told to, whoever listens", async () => {
    const wiring = `
      stopOnSignals(bus, { exit: true });
      process.on("SIGTERM", () => {});`;
    const { said, code } = await play(wiring, ["SIGTERM"]);
    expect([said, code]).toEqual(["begun\ndelivered\n", 143]);
  });

  it("waits no longer than it is told", async () => {
    const { said, signal } = await play("stopOnSignals(bus, { deadlineMs: 10 });", ["SIGTERM"]);
    expect(said.startsWith("begun\n")).toBe(true);
    expect(signal).toBe("SIGTERM");
  });

  it("can be taken back", () => {
    const before = process.listenerCount("SIGTERM");
    const takeBack = stopOnSignals({ stop: async () => {} });
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    takeBack();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });
});
