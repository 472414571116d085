import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeSystem, uuidv7 } from "./system.ts";

const T = Date.UTC(2026, 0, 1);
const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);
const millisecondsOf = (id: string): number =>
  Number.parseInt(id.replace("-", "").slice(0, 12), 16);

describe("a UUIDv7", () => {
  it("has the form, the version and the variant of RFC 9562", () => {
    const tail = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(fc.nat(2 ** 47), tail, (ms, tail) => {
        const id = uuidv7({ now: () => ms, bytes: () => Uint8Array.from(tail) })();
        expect(id).toMatch(form);
        expect(millisecondsOf(id)).toBe(ms);
      }),
    );
  });

  it("sorts after every earlier one, whatever the clock does", () => {
    const jumps = fc.array(
      fc.record({ ms: fc.integer({ min: -100_000, max: 100_000 }), ids: fc.nat(40) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(jumps, (jumps) => {
        let now = T;
        const id = uuidv7({ now: () => now, bytes });
        const ids: string[] = [];
        for (const jump of jumps) {
          now += jump.ms;
          for (let made = 0; made < jump.ids; made += 1) ids.push(id());
        }
        expect(ids).toEqual(ids.toSorted());
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it("keeps order for more than 4,096 in one millisecond, and returns to the clock after", () => {
    let now = T;
    const id = uuidv7({ now: () => now, bytes });
    const ids = Array.from({ length: 10_000 }, () => id());
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(10_000);
    expect(ids.map(millisecondsOf)).toEqual(ids.map((_, index) => T + Math.floor(index / 4_096)));
    now = T + 10;
    expect(millisecondsOf(id())).toBe(T + 10);
  });

  it("differs in its random part from those of another process", () => {
    const system = nodeSystem();
    const ids = Array.from({ length: 1_000 }, () => uuidv7({ ...system, now: () => T })());
    expect(new Set(ids).size).toBe(1_000);
    expect(new Set(ids.map((id) => id.slice(0, 18))).size).toBe(1);
  });
});

describe("the real system", () => {
  afterEach(() => void vi.useRealTimers());

  it("tells the wall's time in whole milliseconds, and a time that never goes back", () => {
    const system = nodeSystem();
    expect(Number.isInteger(system.now())).toBe(true);
    expect(Math.abs(system.now() - Date.now())).toBeLessThan(1_000);
    const instants = Array.from({ length: 1_000 }, () => system.mono());
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
  });

  it("draws numbers below 1, bytes that differ, and ids of its own clock", () => {
    const system = nodeSystem();
    for (let draws = 0; draws < 1_000; draws += 1) {
      const drawn = system.random();
      expect(drawn >= 0 && drawn < 1).toBe(true);
    }
    expect(system.bytes(32)).toHaveLength(32);
    expect(system.bytes(32)).not.toEqual(system.bytes(32));
    expect(Math.abs(millisecondsOf(system.id()) - Date.now())).toBeLessThan(1_000);
  });

  it("sleeps as long as it is told", async () => {
    vi.useFakeTimers();
    const woken = vi.fn();
    const sleep = nodeSystem().sleep(1_000).then(woken);
    await vi.advanceTimersByTimeAsync(999);
    expect(woken).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await sleep;
    expect(woken).toHaveBeenCalledOnce();
  });

  it("wakes as soon as the signal aborts, and leaves neither timer nor listener behind", async () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    const removed = vi.spyOn(abort.signal, "removeEventListener");
    const sleep = nodeSystem().sleep(60_000, abort.signal);
    abort.abort();
    await sleep;
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledOnce();
  });

  it("takes its listener back when it wakes by itself", async () => {
    vi.useFakeTimers();
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    const sleep = nodeSystem().sleep(10, signal);
    await vi.advanceTimersByTimeAsync(10);
    await sleep;
    expect(removed).toHaveBeenCalledOnce();
  });

  it("does not fall asleep for a signal that has aborted", async () => {
    vi.useFakeTimers();
    await nodeSystem().sleep(60_000, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not take a sleep of more than 24 days for none", async () => {
    vi.useFakeTimers();
    const woken = vi.fn();
    void nodeSystem()
      .sleep(2 ** 31)
      .then(woken);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(woken).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(1);
  });

  it.each([0, -5, Number.NEGATIVE_INFINITY])("sleeps %j ms as the shortest sleep", async (ms) => {
    vi.useFakeTimers();
    const sleep = nodeSystem().sleep(ms);
    await vi.advanceTimersByTimeAsync(0);
    await sleep;
    expect(vi.getTimerCount()).toBe(0);
  });
});
