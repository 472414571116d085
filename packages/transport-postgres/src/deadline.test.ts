import { getEventListeners } from "node:events";
import { virtualSystem } from "@posthorn/testing";
import { describe, expect, it } from "vitest";
import { sleepUntil, within } from "./deadline.ts";

const never = new Promise<never>(() => {});

describe("a sleep until something happens", () => {
  it("ends when its time is over", async () => {
    const system = virtualSystem();
    const sleep = sleepUntil([new AbortController().signal], { ms: 10, system });
    system.moveTo(system.now() + 10);
    await sleep;
  });

  it("ends when any of its signals aborts, or has aborted", async () => {
    const system = virtualSystem();
    const [one, two] = [new AbortController(), new AbortController()];
    const sleep = sleepUntil([one.signal, two.signal], { ms: 10, system });
    two.abort();
    await sleep;
    await sleepUntil([one.signal, two.signal], { ms: 10, system });
    expect(system.nextWakeAt).toBeNull();
  });

  it.each([10, 20])(
    "leaves nothing on signals that live on, when it was to take %i ms",
    async (ms) => {
      const system = virtualSystem();
      const [lasting, other] = [new AbortController(), new AbortController()];
      const sleep = sleepUntil([lasting.signal, other.signal], { ms, system });
      system.moveTo(system.now() + 10);
      if (ms > 10) other.abort();
      await sleep;
      expect(getEventListeners(lasting.signal, "abort")).toEqual([]);
      expect(system.nextWakeAt).toBeNull();
    },
  );
});

describe("work within a deadline", () => {
  it("answers what the work answers, and leaves no timer", async () => {
    const system = virtualSystem();
    expect(await within(Promise.resolve(1), { ms: 10, system })).toBe(1);
    await expect(within(Promise.reject(new Error("no")), { ms: 10, system })).rejects.toThrow("no");
    expect(system.nextWakeAt).toBeNull();
  });

  it("is given up when time is over", async () => {
    const system = virtualSystem();
    const work = within(never, { ms: 10, system });
    system.moveTo(system.now() + 10);
    await expect(work).rejects.toThrow("PostgreSQL did not answer within 10 ms.");
  });

  it("is given up for the signal's reason", async () => {
    const system = virtualSystem();
    const abort = new AbortController();
    const work = within(never, { ms: 10, system, signal: abort.signal });
    abort.abort(new Error("the end"));
    await expect(work).rejects.toThrow("the end");
    expect(system.nextWakeAt).toBeNull();
  });

  it("may fail later without anybody hearing", async () => {
    const system = virtualSystem();
    let fail = (_: Error): void => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const watched = within(work, { ms: 10, system });
    system.moveTo(system.now() + 10);
    await expect(watched).rejects.toThrow("10 ms");
    fail(new Error("too late"));
  });
});
