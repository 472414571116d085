import { describe, expect, it } from "vitest";
import { storageClock } from "./clock.ts";
import { nodeSystem } from "./system.ts";

const T = Date.UTC(2026, 0, 1);

/** A machine whose clocks the test turns, beside a storage that counts how often it is asked. */
function machine({ storage = null as number | null } = {}) {
  const time = { wall: T, mono: 5_000, storage };
  const state = { asked: 0 };
  const system = { ...nodeSystem(), now: () => time.wall, mono: () => time.mono };
  const port =
    storage === null
      ? {}
      : {
          clock: async () => {
            state.asked += 1;
            return time.storage as number;
          },
        };
  const pass = (ms: number): void => {
    time.wall += ms;
    time.mono += ms;
    if (time.storage !== null) time.storage += ms;
  };
  return { time, state, pass, clock: storageClock(port, system) };
}

describe("without a clock in the storage", () => {
  it("time is the wall's, carried on by the monotonic clock, in whole milliseconds", () => {
    const { clock, pass } = machine();
    expect(clock.now()).toBe(T);
    pass(1_500.7);
    expect(clock.now()).toBe(T + 1_500);
  });

  it("a wall that jumps changes nothing until it is measured anew", async () => {
    const { clock, time, pass } = machine();
    await clock.refresh();
    pass(100);
    time.wall -= 3_600_000;
    expect(clock.now()).toBe(T + 100);
    await clock.refresh();
    expect(clock.now()).toBe(T + 100 - 3_600_000);
  });
});

describe("with a clock in the storage", () => {
  it("a machine that is wrong by an hour keeps the storage's time", async () => {
    const { clock, pass } = machine({ storage: T + 3_600_000 });
    await clock.refresh();
    expect(clock.now()).toBe(T + 3_600_000);
    pass(250);
    expect(clock.now()).toBe(T + 3_600_250);
  });

  it.each([
    ["forward", 3_600_000],
    ["back", -3_600_000],
  ])(
    "a wall that jumps %s moves no time, and is measured before the next step",
    async (_, jump) => {
      const { clock, time, state, pass } = machine({ storage: T });
      await clock.refresh();
      pass(100);
      time.wall += jump;
      expect(clock.now()).toBe(T + 100);
      await clock.refresh();
      expect(state.asked).toBe(2);
      expect(clock.now()).toBe(T + 100);
    },
  );

  it("an answer that was long on its way is asked for again, a few times, and soon after", async () => {
    const time = { wall: T, mono: 0 };
    let [asked, tookMs] = [0, [8_000, 20]];
    const pass = (ms: number): void => {
      time.wall += ms;
      time.mono += ms;
    };
    const clock = storageClock(
      {
        clock: async () => {
          const at = time.wall;
          pass(tookMs[Math.min(asked, tookMs.length - 1)] ?? 0);
          asked += 1;
          return at;
        },
      },
      { ...nodeSystem(), now: () => time.wall, mono: () => time.mono },
    );
    await clock.refresh();
    expect([asked, time.wall - clock.now()]).toEqual([2, 20]);
    pass(59_000);
    await clock.refresh();
    expect(asked).toBe(2);

    [asked, tookMs] = [0, [900]];
    pass(1_000);
    await clock.refresh();
    expect([asked, time.wall - clock.now()]).toEqual([3, 900]);
    pass(5_000);
    await clock.refresh();
    expect(asked).toBe(6);
  });

  it.each([
    ["a machine that sleeps", [{ wall: 16_000, mono: 5 }]],
    [
      "a process that stands still, twice, and whose wall clock jumps,",
      [
        { wall: 3_570_000, mono: 12_000 },
        { wall: 32_000, mono: 32_000 },
      ],
    ],
    [
      "a process that stands still, nine times,",
      Array.from({ length: 9 }, () => ({ wall: 20_000, mono: 20_000 })),
    ],
  ])("%s during the last of slow answers asks once more", async (_, interruptions) => {
    const time = { wall: T, mono: 0 };
    const answers = [
      { wall: 900, mono: 900 },
      { wall: 800, mono: 800 },
      ...interruptions,
      { wall: 5, mono: 5 },
    ];
    let truth = T;
    const clock = storageClock(
      {
        clock: async () => {
          const at = truth;
          const { wall, mono } = answers.shift() ?? { wall: 0, mono: 0 };
          time.wall += wall;
          time.mono += mono;
          truth += Math.min(Math.max(wall, mono), 60_000);
          return at;
        },
      },
      { ...nodeSystem(), now: () => time.wall, mono: () => time.mono },
    );
    await clock.refresh();
    expect(truth - clock.now()).toBe(5);
  });

  it("a process that was stopped finds the time again", async () => {
    const { clock, time, state, pass } = machine({ storage: T });
    await clock.refresh();
    pass(100);
    time.wall += 600_000;
    time.storage = T + 600_100;
    await clock.refresh();
    expect(state.asked).toBe(2);
    expect(clock.now()).toBe(T + 600_100);
  });

  it("is asked once at first, and then only once a minute while the clocks agree", async () => {
    const { clock, state, pass } = machine({ storage: T });
    for (let seconds = 0; seconds < 180; seconds += 1) {
      await clock.refresh();
      pass(1_000);
    }
    expect(state.asked).toBe(3);
  });

  it("is not asked for a wall that drifts by less than a second", async () => {
    const { clock, time, state } = machine({ storage: T });
    await clock.refresh();
    time.wall += 1_000;
    await clock.refresh();
    expect(state.asked).toBe(1);
    time.wall += 1;
    await clock.refresh();
    expect(state.asked).toBe(2);
  });

  it("that does not answer leaves time as it was, and is asked again", async () => {
    const { system } = { system: { ...nodeSystem(), now: () => T, mono: () => 0 } };
    let answers = false;
    const clock = storageClock(
      {
        clock: async () => {
          if (answers) return T + 7;
          throw new Error("down");
        },
      },
      system,
    );
    await expect(clock.refresh()).rejects.toThrow("down");
    expect(clock.now()).toBe(T);
    answers = true;
    await clock.refresh();
    expect(clock.now()).toBe(T + 7);
  });
});
