import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countsPasses,
  freshGate,
  type Gate,
  type GateState,
  heard,
  isCalm,
  limitOf,
  opensAt,
  pass,
  pause,
  type RateLimit,
  type Report,
  room,
  START_WITHIN_MS,
  throttle,
} from "./gate.ts";
import { admit } from "./lane.ts";

const T = Date.UTC(2026, 0, 1);

const limit: fc.Arbitrary<RateLimit> = fc.record({
  limit: fc.integer({ min: 1, max: 1_000 }),
  perMs: fc.integer({ min: 1, max: 3_600_000 }),
  burst: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
});
const wait = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 50 }),
  fc.integer({ min: 0, max: 100_000 }),
);
const history = fc.array(fc.record({ wait, wanted: fc.integer({ min: 0, max: 20 }) }), {
  maxLength: 60,
});

const gateOf = (limit: RateLimit | null, name = "channel"): GateState =>
  freshGate({ id: name, name, limit });

/** Plays a history; answers the gate, the time, and every pass. */
function play(gate: GateState, steps: readonly { wait: number; wanted: number }[]) {
  let now = T;
  let state = gate;
  const passes: number[] = [];
  for (const step of steps) {
    now += step.wait;
    const count = room(state, now, step.wanted);
    expect(count).toBeGreaterThanOrEqual(0);
    expect(count).toBeLessThanOrEqual(step.wanted);
    state = pass(state, now, count);
    for (let index = 0; index < count; index += 1) passes.push(now);
  }
  return { state, now, passes };
}

/** No window of any length holds more passes than its limit lets through in it, and in `more` ms. */
function expectWithin(
  { limit, perMs, burst = 1 }: RateLimit,
  passes: readonly number[],
  more = 0,
): void {
  for (const [first, from] of passes.entries()) {
    for (let last = first; last < passes.length; last += 1) {
      const window = (passes[last] as number) - from + more;
      expect(last - first + 1).toBeLessThanOrEqual(burst + (limit / perMs) * window + 1e-9);
    }
  }
}

describe("a rate limit", () => {
  it("lets no window of any length hold more than its burst and what its rate allows", () => {
    fc.assert(
      fc.property(limit, history, (limit, steps) => {
        expectWithin(limit, play(gateOf(limit), steps).passes);
      }),
    );
  });

  it("lets through all that it promises to whoever asks in time", () => {
    const perSecond = { limit: 10, perMs: 1_000, burst: 3 };
    const everyTenth = Array.from({ length: 1_000 }, () => ({ wait: 10, wanted: 20 }));
    expect(play(gateOf(perSecond), everyTenth).passes).toHaveLength(3 + 99);
  });

  it("gives a whole burst after a rest, and one without a burst of its own", () => {
    expect(room(gateOf({ limit: 1, perMs: 1_000 }), T, 20)).toBe(1);
    expect(room(gateOf({ limit: 1, perMs: 1_000, burst: 5 }), T, 20)).toBe(5);
  });

  it("never gives more than is wanted", () => {
    expect(room(gateOf({ limit: 1, perMs: 1_000, burst: 5 }), T, 3)).toBe(3);
    expect(room(gateOf(null), T, 3)).toBe(3);
  });

  it("has room exactly from the instant that it says it opens at, and not a millisecond before", () => {
    fc.assert(
      fc.property(limit, history, wait, (limit, steps, later) => {
        const played = play(gateOf(limit), steps);
        const now = played.now + later;
        const at = opensAt(played.state, now);
        expect(Number.isInteger(at)).toBe(true);
        expect(at).toBeGreaterThanOrEqual(now);
        expect(room(played.state, at, 1)).toBe(1);
        if (at > now) expect(room(played.state, at - 1, 1)).toBe(0);
      }),
    );
  });

  it("has ever more room while nothing passes", () => {
    fc.assert(
      fc.property(limit, history, wait, wait, (limit, steps, sooner, more) => {
        const { state, now } = play(gateOf(limit), steps);
        const early = room(state, now + sooner, 100);
        expect(room(state, now + sooner + more, 100)).toBeGreaterThanOrEqual(early);
      }),
    );
  });

  it("does not depend on whether passes are taken together or one by one", () => {
    fc.assert(
      fc.property(limit, history, (limit, steps) => {
        const { state, now } = play(gateOf(limit), steps);
        const count = room(state, now, 10);
        let single = state;
        for (let index = 0; index < count; index += 1) {
          expect(room(single, now, 1)).toBe(1);
          single = pass(single, now, 1);
        }
        expect(single).toEqual(pass(state, now, count));
      }),
    );
  });

  it("keeps its arrival time in whole microseconds", () => {
    fc.assert(
      fc.property(limit, history, (limit, steps) => {
        expect(Number.isSafeInteger(play(gateOf(limit), steps).state.tat)).toBe(true);
      }),
    );
  });

  it("does not gain on its rate, however long it runs", () => {
    let gate = gateOf({ limit: 3, perMs: 1_000, burst: 2 });
    let now = T;
    for (let passed = 1; passed <= 4_000; passed += 1) {
      now = opensAt(gate, now);
      expect(passed).toBeLessThanOrEqual(2 + ((now - T) * 3) / 1_000);
      gate = pass(gate, now, 1);
    }
  });

  it("spaces three in a second by 334 ms, never by less", () => {
    const limited = gateOf({ limit: 3, perMs: 1_000 });
    const once = pass(limited, T, 1);
    expect(opensAt(once, T)).toBe(T + 334);
    expect(room(once, T + 333, 1)).toBe(0);
  });
});

describe("a process that is behind others", () => {
  it("lets through at most what the rate allows for the time that it is behind", () => {
    const busy = fc.record({
      limit: fc.integer({ min: 1, max: 10 }),
      perMs: fc.constant(1_000),
      burst: fc.integer({ min: 1, max: 5 }),
    });
    const looks = fc.array(fc.record({ wait: fc.nat(200), isBehind: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(busy, looks, fc.nat(2_000), (limit, looks, behindMs) => {
        let gate = gateOf(limit);
        let now = T;
        const passes: number[] = [];
        for (const { wait, isBehind } of looks) {
          now += wait;
          const believed = isBehind ? now - behindMs : now;
          const count = room(gate, believed, 20);
          gate = pass(gate, believed, count);
          for (let passed = 0; passed < count; passed += 1) passes.push(now);
        }
        expectWithin(limit, passes, behindMs);
      }),
    );
  });
});

describe("a clock that goes back", () => {
  it("stalls a lane no longer than its burst and a minute, whatever the jump", () => {
    fc.assert(
      fc.property(limit, history, fc.integer({ min: 0, max: 10 ** 10 }), (limit, steps, jump) => {
        const played = play(gateOf(limit), steps);
        const back = played.now - jump;
        let gate = played.state;
        let now = back;
        for (let looks = 0; ; looks += 1) {
          const { count, gates, againAt } = admit([gate], now, 1);
          if (count === 1) break;
          expect(looks).toBeLessThan(2);
          gate = gates[0] as GateState;
          now = againAt;
        }
        const burstMs = Math.ceil(((limit.burst ?? 1) * limit.perMs) / limit.limit) + 1;
        expect(now - back).toBeLessThanOrEqual(burstMs + 60_000);
      }),
    );
  });
});

describe("a limit that a handler gives", () => {
  const gate = (more: object): Gate => ({ name: "channel", key: "C1", ...more });

  it.each([
    [{}, null],
    [
      { limit: 1, perMs: 1_000 },
      { limit: 1, perMs: 1_000, burst: undefined },
    ],
    [
      { limit: 5, perMs: 60_000, burst: 3 },
      { limit: 5, perMs: 60_000, burst: 3 },
    ],
  ])("as %j is %j", (given, expected) => {
    expect(limitOf(gate(given), "slack")).toEqual(expected);
  });

  it.each([
    [{ limit: 0, perMs: 1_000 }, "whose limit is 0"],
    [{ limit: -1, perMs: 1_000 }, "whose limit is -1"],
    [{ limit: 0.5, perMs: 1_000 }, "whose limit is 0.5"],
    [{ limit: Number.NaN, perMs: 1_000 }, "whose limit is NaN"],
    [{ limit: Number.POSITIVE_INFINITY, perMs: 1_000 }, "whose limit is Infinity"],
    [{ limit: "5", perMs: 1_000 }, "whose limit is 5"],
    [{ limit: 1, perMs: 0 }, "whose perMs is 0"],
    [{ limit: 1, perMs: 1_000, burst: 0 }, "whose burst is 0"],
    [{ limit: 1 }, "with half a limit"],
    [{ perMs: 1_000 }, "with half a limit"],
    [{ burst: 5 }, "with half a limit"],
    [{ name: "" }, "without a name"],
    [{ key: undefined }, "whose key is not a string"],
  ])("as %j is refused", (given, message) => {
    expect(() => limitOf(gate(given), "slack")).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringMatching(`^Handler "slack" answers a gate .*${message}`),
      }),
    );
  });
});

describe("a pause", () => {
  it("closes a gate to everyone until it is over, whatever the limit", () => {
    fc.assert(
      fc.property(fc.option(limit), history, wait, (limit, steps, ms) => {
        const { state, now } = play(gateOf(limit), steps);
        const paused = pause(state, now + ms);
        if (ms > 0) expect(room(paused, now + ms - 1, 5)).toBe(0);
        expect(opensAt(paused, now)).toBe(Math.max(now + ms, opensAt(state, now)));
        expect(room(paused, opensAt(paused, now), 1)).toBe(1);
      }),
    );
  });

  it("is never shortened by another", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: T, max: T + 100_000 })), (instants) => {
        const paused = instants.reduce(pause, gateOf(null));
        expect(paused.pausedUntil).toBe(Math.max(0, ...instants));
      }),
    );
  });
});

describe("a throttle", () => {
  const asked = { askedMs: 1_000, until: T + 1_000, startedAt: T };

  it("closes a gate for as long as was asked, and longer each time in a row", () => {
    let gate = gateOf(null);
    let now = T;
    for (const ms of [1_000, 2_000, 4_000, 8_000]) {
      gate = throttle(gate, { ...asked, until: now + 1_000, startedAt: now }, now);
      expect(gate.pausedUntil).toBe(now + ms);
      now = gate.pausedUntil;
    }
    expect(gate.throttles).toBe(4);
  });

  it("counts once when all that was on its way is throttled", () => {
    const first = throttle(gateOf(null), asked, T + 5);
    const second = throttle(first, { ...asked, startedAt: T + 1, until: T + 1_010 }, T + 10);
    expect(second).toEqual({ ...first, pausedUntil: T + 1_010 });
  });

  it("is over for good with a success that began after the pause", () => {
    const gate = throttle(gateOf(null), asked, T);
    const success = { verdict: "success", epoch: 0 } as const;
    expect(heard(gate, { ...success, startedAt: T + 999 }, T + 2_000, 0)).toBe(gate);
    const after = heard(gate, { ...success, startedAt: T + 1_000 }, T + 2_000, 0);
    expect(after).toEqual({ ...gate, throttles: 0 });
    expect([isCalm(gate), isCalm(after)]).toEqual([false, true]);
  });

  it("is no failure", () => {
    let gate = gateOf(null);
    for (let time = 0; time < 30; time += 1) {
      gate = heard(gate, { verdict: "neutral", epoch: 0, startedAt: T }, T, 0);
      gate = throttle(gate, { ...asked, startedAt: gate.pausedUntil }, gate.pausedUntil);
    }
    expect(gate).toMatchObject({ throttles: 30, breaker: null, epoch: 0 });
  });
});

describe("a gate that fails", () => {
  const failure = (epoch: number): Report => ({ verdict: "failure", epoch, startedAt: T });
  const success = (epoch: number): Report => ({ verdict: "success", epoch, startedAt: T });
  const fail = (gate: GateState, now: number, count = 10): GateState =>
    Array.from({ length: count }).reduce<GateState>(
      (before) => heard(before, failure(gate.epoch), now, 0),
      gate,
    );

  it("opens, and lets nothing through until its time is over", () => {
    const gate = fail(gateOf({ limit: 1, perMs: 1, burst: 9 }), T);
    expect([gate.epoch, room(gate, T, 5), opensAt(gate, T)]).toEqual([1, 0, T + 30_000]);
    expect(room(gate, T + 30_000, 5)).toBe(1);
    expect(countsPasses(gate)).toBe(true);
  });

  it("is not moved by results of an older epoch, once it has opened or closed", () => {
    const reports = fc.array(
      fc.record({
        verdict: fc.constantFrom<Report["verdict"]>("success", "failure", "neutral"),
        epoch: fc.nat(4),
        startedAt: fc.constant(T),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(reports, (reports) => {
        let gate = gateOf(null);
        for (const [index, report] of reports.entries()) {
          const before = gate;
          gate = heard(gate, report, T + index * 10_000, 0.5);
          if (report.epoch !== before.epoch) expect(gate).toBe(before);
          expect(gate.epoch - before.epoch).toBeGreaterThanOrEqual(0);
          expect(gate.epoch - before.epoch).toBeLessThanOrEqual(1);
          const isMoved = gate.breaker?.state !== before.breaker?.state;
          if (isMoved && [gate, before].some(({ breaker }) => breaker?.state === "open")) {
            expect(gate.epoch).toBe(before.epoch + 1);
          }
        }
      }),
    );
  });

  it("closes after six successes of probes, and forgets", () => {
    let gate = fail(gateOf(null), T);
    const now = T + 30_000;
    for (let probe = 0; probe < 6; probe += 1) {
      expect(gate.epoch).toBe(1);
      gate = heard(pass(gate, now, 1), success(1), now, 0);
    }
    expect(gate).toEqual({ ...gateOf(null), epoch: 2 });
    expect(isCalm(gate)).toBe(true);
  });

  it("opens once for probes that fail together", () => {
    let gate = fail(gateOf(null), T);
    gate = heard(pass(gate, T + 30_000, 1), success(1), T + 30_000, 0);
    gate = pass(gate, T + 31_000, 2);
    const reopened = heard(gate, failure(1), T + 32_000, 0);
    expect(reopened).toMatchObject({ epoch: 2, breaker: { until: T + 92_000, times: 2 } });
    expect(heard(reopened, failure(1), T + 32_000, 0)).toBe(reopened);
  });

  it("waits for its pause as well", () => {
    const gate = pause(fail(gateOf(null), T), T + 60_000);
    expect([room(gate, T + 30_000, 1), opensAt(gate, T)]).toEqual([0, T + 60_000]);
  });

  it("sends no more probes than its limit lets through", () => {
    let gate = fail(gateOf({ limit: 1, perMs: 1_000 }), T);
    const now = T + 30_000;
    gate = heard(pass(gate, now, 1), success(1), now, 0);
    expect([room(gate, now, 9), opensAt(gate, now)]).toEqual([0, now + 1_000]);
    expect(room(gate, now + 1_000, 9)).toBe(1);
  });
});

describe("several gates", () => {
  const limits = fc.array(fc.option(limit), { minLength: 1, maxLength: 4 });
  const visits = fc.array(
    fc.record({ wait, wanted: fc.integer({ min: 0, max: 20 }), through: fc.nat() }),
    { maxLength: 60 },
  );

  it("grant together no more than any of them does, over any history of lanes that share them", () => {
    fc.assert(
      fc.property(limits, visits, (limits, visits) => {
        const gates = limits.map((limit, index) => gateOf(limit, `gate ${index}`));
        const passes = gates.map((): number[] => []);
        let now = T;
        for (const { wait, wanted, through } of visits) {
          now += wait;
          const mine = gates.flatMap((_, index) => ((through >> index) & 1 ? [index] : []));
          const asked = mine.map((index) => gates[index] as GateState);
          const { count, gates: after } = admit(asked, now, wanted);
          expect(count).toBe(Math.min(wanted, ...asked.map((gate) => room(gate, now, wanted))));
          for (const [position, index] of mine.entries()) {
            gates[index] = after[position] as GateState;
            for (let each = 0; each < count; each += 1) passes[index]?.push(now);
          }
        }
        for (const [index, limit] of limits.entries()) {
          if (limit !== null) expectWithin(limit, passes[index] ?? []);
        }
      }),
    );
  });

  it("may be asked again at the first instant at which all have room", () => {
    fc.assert(
      fc.property(limits, history, (limits, steps) => {
        const played = limits.map((limit) => play(gateOf(limit), steps));
        const now = played[0]?.now ?? T;
        const { gates, againAt } = admit(
          played.map(({ state }) => state),
          now,
          5,
        );
        expect(admit(gates, againAt, 1).count).toBe(1);
        if (againAt > now) expect(admit(gates, againAt - 1, 1).count).toBe(0);
      }),
    );
  });

  it("give nothing to spend on the others when one is closed", () => {
    const open = gateOf({ limit: 1, perMs: 1_000 }, "open");
    const closed = pause(gateOf(null, "closed"), T + 500);
    const { count, gates } = admit([open, closed], T, 5);
    expect(count).toBe(0);
    expect(room(gates[0] as GateState, T, 1)).toBe(1);
  });

  it("ask for a start within 250 ms if any of them counts", () => {
    const counting = gateOf({ limit: 1, perMs: 1_000 });
    expect(admit([gateOf(null), counting], T, 1).startBy).toBe(T + START_WITHIN_MS);
    expect(admit([gateOf(null)], T, 1).startBy).toBeNull();
    expect(admit([], T, 7)).toEqual({ count: 7, gates: [], againAt: T, startBy: null });
  });
});
