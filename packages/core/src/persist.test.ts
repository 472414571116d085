import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { PosthornError } from "./errors.ts";
import { backoff, persist } from "./persist.ts";

/** A system that notes how long it was asked to sleep. */
function sleeper({ random = 0.5, onSleep = () => {} } = {}) {
  const slept: number[] = [];
  const sleep = async (ms: number): Promise<void> => {
    slept.push(ms);
    onSleep();
  };
  return { slept, system: { sleep, random: () => random } };
}

const never = new AbortController().signal;
const down = new Error("connection refused");

/** Fails with each of the errors, then answers. */
function failing(...errors: readonly unknown[]) {
  const left = [...errors];
  return vi.fn(async () => {
    if (left.length > 0) throw left.shift();
    return "done";
  });
}

describe("an operation that fails for reasons of infrastructure", () => {
  it("is repeated until it succeeds, after waits that grow", async () => {
    const { slept, system } = sleeper();
    const operation = failing(down, down, down);
    await expect(persist(operation, { system, tries: 10, signal: never })).resolves.toBe("done");
    expect(operation).toHaveBeenCalledTimes(4);
    expect(slept).toEqual([50, 100, 200]);
  });

  it.each(["a text", undefined, null, new TypeError("Cannot read properties of null")])(
    "is repeated whatever it throws, and throws that at last: %s",
    async (thrown) => {
      const { system } = sleeper();
      const told: unknown[] = [];
      const options = { system, tries: 3, signal: never, onFailure: (e: unknown) => told.push(e) };
      const operation = failing(thrown, thrown, thrown);
      await expect(persist(operation, options)).rejects.toBe(thrown);
      expect(operation).toHaveBeenCalledTimes(3);
      expect(told).toEqual([thrown, thrown]);
    },
  );

  it("is given up with its own error once its tries are spent, without a last wait", async () => {
    const { slept, system } = sleeper();
    const last = new Error("still down");
    const operation = failing(down, down, last, down);
    await expect(persist(operation, { system, tries: 3, signal: never })).rejects.toBe(last);
    expect(operation).toHaveBeenCalledTimes(3);
    expect(slept).toHaveLength(2);
  });

  it("is tried once if there is one try", async () => {
    const { slept, system } = sleeper();
    const operation = failing(down);
    await expect(persist(operation, { system, tries: 1, signal: never })).rejects.toBe(down);
    expect(slept).toEqual([]);
  });

  it("tells of every failure that is tried again", async () => {
    const { system } = sleeper();
    const told: unknown[] = [];
    const other = new Error("reset");
    await persist(failing(down, other), {
      system,
      tries: 5,
      signal: never,
      onFailure: (error) => told.push(error),
    });
    expect(told).toEqual([down, other]);
  });

  it("waits in the time of its system, and in no other", async () => {
    vi.useFakeTimers();
    try {
      const { system } = sleeper();
      await persist(failing(down, down, down), { system, tries: 5, signal: never });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("an operation is repeated", () => {
  it.each(["storage_full", "storage_unavailable"] as const)(
    "if it failed with %s",
    async (code) => {
      const { system } = sleeper();
      const operation = failing(new PosthornError(code, "Not now."));
      await persist(operation, { system, tries: 5, signal: never });
      expect(operation).toHaveBeenCalledTimes(2);
    },
  );
});

describe("an operation is not repeated", () => {
  it("if a PosthornError says that it cannot help", async () => {
    const { slept, system } = sleeper();
    const refusal = new PosthornError("not_found", "There is none.");
    const operation = failing(refusal);
    await expect(persist(operation, { system, tries: 5, signal: never })).rejects.toBe(refusal);
    expect(operation).toHaveBeenCalledOnce();
    expect(slept).toEqual([]);
  });

  it("if the error is another copy's PosthornError", async () => {
    const { system } = sleeper();
    const foreign = Object.assign(new Error("no"), { isPosthornError: true, code: "conflict" });
    const operation = failing(foreign);
    await expect(persist(operation, { system, tries: 5, signal: never })).rejects.toBe(foreign);
    expect(operation).toHaveBeenCalledOnce();
  });

  it("once the signal has aborted", async () => {
    const { slept, system } = sleeper();
    const operation = failing(down);
    const signal = AbortSignal.abort();
    await expect(persist(operation, { system, tries: 5, signal })).rejects.toBe(down);
    expect(operation).toHaveBeenCalledOnce();
    expect(slept).toEqual([]);
  });

  it("if the signal aborts while it waits", async () => {
    const abort = new AbortController();
    const { system } = sleeper({ onSleep: () => abort.abort() });
    const operation = failing(down, down);
    const { signal } = abort;
    await expect(persist(operation, { system, tries: 5, signal })).rejects.toBe(down);
    expect(operation).toHaveBeenCalledOnce();
  });

  it("if it succeeds, though the signal aborts meanwhile", async () => {
    const abort = new AbortController();
    const { system } = sleeper();
    const operation = async (): Promise<string> => {
      abort.abort();
      return "done";
    };
    const { signal } = abort;
    await expect(persist(operation, { system, tries: 5, signal })).resolves.toBe("done");
  });
});

describe("the wait before a repetition", () => {
  it("is a part of 100, 200, 400 … 5,000 milliseconds that chance decides", () => {
    expect([1, 2, 3, 6, 7, 8, 1_000].map((attempt) => backoff(attempt, 1))).toEqual([
      100, 200, 400, 3_200, 5_000, 5_000, 5_000,
    ]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const wait = backoff(attempt, random);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(Math.min(5_000, 50 * 2 ** attempt));
        },
      ),
    );
  });
});
