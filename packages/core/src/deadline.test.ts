import fc from "fast-check";
import { expect, it } from "vitest";
import { createDeadlines } from "./deadline.ts";

/** Time that the test lets pass, and how many sleep in it. */
function stoppedTime() {
  let now = 0;
  let sleepers: readonly { readonly at: number; readonly wake: () => void }[] = [];
  const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    mono: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        const sleeper = {
          at: now + ms,
          wake: () => {
            sleepers = sleepers.filter((other) => other !== sleeper);
            resolve();
          },
        };
        sleepers = [...sleepers, sleeper];
        signal?.addEventListener("abort", sleeper.wake);
      }),
    pass: async (ms: number) => {
      now += ms;
      for (const { at, wake } of sleepers) if (at <= now) wake();
      await turns();
    },
    sleeping: () => sleepers.length,
  };
}

it("calls exactly those whose time has passed and that were not forgotten", async () => {
  const step = fc.oneof(
    fc.record({ pass: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ set: fc.constantFrom(10, 25) }),
    fc.record({ forget: fc.nat({ max: 20 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const time = stoppedTime();
      const setDeadline = createDeadlines(time);
      const expected: { readonly at: number; readonly forget: () => void; over: boolean }[] = [];
      const called: number[] = [];
      for (const each of steps) {
        if ("pass" in each) {
          await time.pass(each.pass);
        } else if ("set" in each) {
          const nr = expected.length;
          const forget = setDeadline(each.set, () => void called.push(nr));
          expected.push({ at: time.mono() + each.set, forget, over: false });
        } else {
          const waiting = expected[each.forget];
          waiting?.forget();
          if (waiting !== undefined && waiting.at > time.mono()) waiting.over = true;
        }
        const due = expected.flatMap(({ at, over }, nr) =>
          at <= time.mono() && !over ? [nr] : [],
        );
        expect(new Set(called)).toEqual(new Set(due));
        expect(called).toHaveLength(due.length);
      }
    }),
  );
});

it("sleeps once for all that are equally long, and not at all when none is left", async () => {
  const time = stoppedTime();
  const setDeadline = createDeadlines(time);
  const forget = Array.from({ length: 100 }, () => setDeadline(10, () => {}));
  expect(time.sleeping()).toBe(1);
  for (const each of forget) each();
  expect(time.sleeping()).toBe(0);
});

it("may be set anew by what is called when one is over", async () => {
  const time = stoppedTime();
  const setDeadline = createDeadlines(time);
  const called: number[] = [];
  const again = (): void => {
    called.push(time.mono());
    if (called.length < 3) setDeadline(10, again);
  };
  setDeadline(10, again);
  for (let step = 0; step < 5; step += 1) await time.pass(10);
  expect(called).toEqual([10, 20, 30]);
});
