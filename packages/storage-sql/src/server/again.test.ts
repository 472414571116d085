import { describe, expect, it } from "vitest";
import { again } from "./again.ts";

const always = (): boolean => true;

/** A system whose time passes only while it sleeps, or when told. */
function virtual(random: number): {
  system: Parameters<typeof again>[2];
  waits: number[];
  pass(ms: number): void;
} {
  const waits: number[] = [];
  let now = 0;
  return {
    waits,
    pass: (ms) => {
      now += ms;
    },
    system: {
      mono: () => now,
      random: () => random,
      sleep: async (ms) => {
        waits.push(ms);
        now += ms;
      },
    },
  };
}

describe("doing it again", () => {
  it("answers the first success", async () => {
    const { system, waits } = virtual(1);
    let tries = 0;
    const third = async (): Promise<string> => {
      tries += 1;
      if (tries < 3) throw new Error(`try ${tries}`);
      return "done";
    };
    expect(await again(third, always, system)).toBe("done");
    expect(waits).toEqual([50, 150]);
  });

  it("stops after five tries, and throws what was thrown last", async () => {
    const { system, waits } = virtual(0);
    let tries = 0;
    const never = async (): Promise<never> => {
      tries += 1;
      throw new Error(`try ${tries}`);
    };
    await expect(again(never, always, system)).rejects.toThrow("try 5");
    expect(waits).toEqual([25, 75, 225, 675]);
  });

  it("stops after some seconds, however few tries they were", async () => {
    const { system, pass } = virtual(0);
    let tries = 0;
    const slow = async (): Promise<never> => {
      tries += 1;
      pass(3_000);
      throw new Error(`try ${tries}`);
    };
    await expect(again(slow, always, system)).rejects.toThrow("try 2");
  });

  it("stops at what may not be repeated", async () => {
    const { system, waits } = virtual(1);
    const wrong = async (): Promise<never> => {
      throw "not even an error";
    };
    const seen: unknown[] = [];
    const mayRepeat = (thrown: unknown): boolean => {
      seen.push(thrown);
      return false;
    };
    await expect(again(wrong, mayRepeat, system)).rejects.toBe("not even an error");
    expect(seen).toEqual(["not even an error"]);
    expect(waits).toEqual([]);
  });

  it("repeats TypeErrors too, which drivers throw for broken connections", async () => {
    const { system } = virtual(1);
    let tries = 0;
    const second = async (): Promise<number> => {
      tries += 1;
      if (tries === 1) throw new TypeError("Cannot read properties of null (reading 'write')");
      return tries;
    };
    expect(await again(second, always, system)).toBe(2);
  });
});
