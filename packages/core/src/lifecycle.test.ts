import { describe, expect, it, vi } from "vitest";
import { createLifecycle } from "./lifecycle.ts";
import { isolated, type Logger, silentLogger } from "./logger.ts";

const report = { id: "e1", type: "project_created", organization: "acme" };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function recorded() {
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  return { warnings, lifecycle: createLifecycle(logger) };
}

describe("a listener of the lifecycle", () => {
  it("hears what belongs to its name, at once; * hears everything, with its name", () => {
    const { lifecycle } = recorded();
    const one = vi.fn();
    const all = vi.fn();
    lifecycle.on("event.published", one);
    lifecycle.on("*", all);
    lifecycle.emit("event.published", report);
    lifecycle.emit("subscription.deleted", { id: "s1", organization: "acme" });
    expect(one.mock.calls).toEqual([[report]]);
    expect(all.mock.calls).toEqual([
      ["event.published", report],
      ["subscription.deleted", { id: "s1", organization: "acme" }],
    ]);
  });

  it("hears nothing once it has stopped, while its double goes on", () => {
    const { lifecycle } = recorded();
    const heard = vi.fn();
    const stop = lifecycle.on("event.published", heard);
    lifecycle.on("event.published", heard);
    stop();
    stop();
    lifecycle.emit("event.published", report);
    expect(heard).toHaveBeenCalledOnce();
  });

  it("may stop itself, or another, while it hears", () => {
    const { lifecycle } = recorded();
    const later = vi.fn();
    const stop = lifecycle.on("event.published", () => stop());
    lifecycle.on("event.published", later);
    lifecycle.emit("event.published", report);
    lifecycle.emit("event.published", report);
    expect(later).toHaveBeenCalledTimes(2);
  });

  it("that throws or rejects is logged, and disturbs neither others nor the bus", async () => {
    const { lifecycle, warnings } = recorded();
    const heard = vi.fn();
    lifecycle.on("event.published", () => {
      throw new Error("no");
    });
    const rejects: () => unknown = () => Promise.reject(new Error("later"));
    lifecycle.on("event.published", rejects);
    lifecycle.on("*", () => {
      throw new Error("all");
    });
    lifecycle.on("event.published", heard);
    lifecycle.emit("event.published", report);
    await settled();
    expect(heard).toHaveBeenCalledOnce();
    expect(warnings).toHaveLength(3);
  });
});

describe("a logger", () => {
  it("is called as it is, with its own this", () => {
    class Host {
      readonly lines: string[] = [];
      debug = () => {};
      info(_: object, message: string): void {
        this.lines.push(message);
      }
      warn = () => {};
      error = () => {};
    }
    const host = new Host();
    isolated(host).info({}, "hello");
    expect(host.lines).toEqual(["hello"]);
  });

  it("that throws, rejects or is not one disturbs nobody", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const throwing = (): never => {
      throw new Error("disk full");
    };
    const rejecting = (): Promise<never> => Promise.reject(new Error("disk full"));
    const bad = { debug: throwing, info: rejecting } as unknown as Logger;
    const logger = isolated(bad);
    for (const level of ["debug", "info", "warn", "error"] as const) {
      expect(() => logger[level]({}, "hello")).not.toThrow();
    }
    await settled();
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
