import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Event, StoredEvent } from "./event.ts";
import { createListeners } from "./listen.ts";
import { type Logger, silentLogger } from "./logger.ts";

const stored = (
  id: string,
  type = "project_created",
  payload = '{"name":"Apollo"}',
): StoredEvent => ({
  id,
  type,
  organization: "acme",
  occurredAt: 1,
  publishedAt: 2,
  actor: null,
  trace: null,
  payload,
  orderingKey: null,
});

/** Until every microtask that is due has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function recorded() {
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  return { warnings, listeners: createListeners(logger) };
}

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(() => {
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe("a listener", () => {
  it("hears the events that its pattern matches, once each, with their data", async () => {
    const { listeners } = recorded();
    const heard: [string, Event][] = [];
    for (const pattern of ["*", "project_*", "project_created", "invoice_paid"]) {
      listeners.on(pattern, (event) => heard.push([pattern, event]));
    }
    listeners.announce(stored("e1"));
    listeners.announce(stored("e2", "invoice_paid"));
    await settled();
    expect(heard.map(([pattern, { id }]) => `${id} ${pattern}`)).toEqual([
      "e1 *",
      "e1 project_*",
      "e1 project_created",
      "e2 *",
      "e2 invoice_paid",
    ]);
    expect(heard[0]?.[1]).toEqual({
      id: "e1",
      type: "project_created",
      organization: "acme",
      occurredAt: 1,
      actor: null,
      trace: null,
      data: { name: "Apollo" },
    });
  });

  it("hears after the one who announces has gone on", async () => {
    const { listeners } = recorded();
    const heard = vi.fn();
    listeners.on("*", heard);
    listeners.announce(stored("e1"));
    expect(heard).not.toHaveBeenCalled();
    await settled();
    expect(heard).toHaveBeenCalledOnce();
  });

  it("hears an event once, however often it is announced", async () => {
    const { listeners } = recorded();
    const heard = vi.fn();
    listeners.on("*", heard);
    for (let times = 0; times < 3; times += 1) listeners.announce(stored("e1"));
    await settled();
    listeners.announce(stored("e1"));
    await settled();
    expect(heard).toHaveBeenCalledOnce();
  });

  it("hears nothing of what was announced before it listened, nor after it stopped", async () => {
    const { listeners } = recorded();
    const heard = vi.fn();
    listeners.announce(stored("e1"));
    const stop = listeners.on("*", heard);
    await settled();
    listeners.announce(stored("e1"));
    stop();
    stop();
    listeners.announce(stored("e2"));
    await settled();
    expect(heard).not.toHaveBeenCalled();
  });

  it("may be registered twice, and stopped once", async () => {
    const { listeners } = recorded();
    const heard = vi.fn();
    const stop = listeners.on("*", heard);
    listeners.on("*", heard);
    stop();
    listeners.announce(stored("e1"));
    await settled();
    expect(heard).toHaveBeenCalledOnce();
  });

  it("is remembered for the last 10,000 events, and for no more", async () => {
    const { listeners } = recorded();
    const heard = vi.fn();
    listeners.on("*", heard);
    for (let index = 0; index <= 10_000; index += 1) listeners.announce(stored(`e${index}`));
    listeners.announce(stored("e10000"));
    listeners.announce(stored("e1"));
    listeners.announce(stored("e0"));
    await settled();
    expect(heard).toHaveBeenCalledTimes(10_002);
  });
});

describe("a listener that fails", () => {
  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    [
      "throws nothing",
      () => {
        throw undefined;
      },
    ],
  ])("because it %s is logged, and disturbs nobody", async (_, fail) => {
    const { listeners, warnings } = recorded();
    const heard = vi.fn();
    listeners.on("*", fail);
    listeners.on("*", heard);
    listeners.on("project_*", heard);
    listeners.announce(stored("e1"));
    await settled();
    expect(heard).toHaveBeenCalledTimes(2);
    expect(warnings).toEqual([expect.objectContaining({ listener: "*" })]);
  });

  it("by changing its event changes nobody else's", async () => {
    const { listeners } = recorded();
    const heard: unknown[] = [];
    listeners.on("*", (event) => {
      (event as { data: unknown }).data = "spoilt";
    });
    listeners.on("*", ({ data }) => heard.push(data));
    listeners.announce(stored("e1"));
    await settled();
    expect(heard).toEqual([{ name: "Apollo" }]);
  });

  it("because the event cannot be read does not end the process", async () => {
    const { listeners, warnings } = recorded();
    const heard = vi.fn();
    listeners.on("*", heard);
    listeners.announce(stored("e1", "project_created", "{"));
    await settled();
    expect(heard).not.toHaveBeenCalled();
    expect(warnings).toHaveLength(1);
  });
});
