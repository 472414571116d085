import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lapse } from "./delivery.ts";
import type { Outcome } from "./handler.ts";
import { delivered, failed, gone, rejected, throttled, unknown } from "./handler.ts";
import { afterLapse, decide, FREE_THROTTLES, type RetryPolicy, standardRetry } from "./retry.ts";

const T = Date.UTC(2026, 0, 1);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const fresh = { attempts: 0, throttles: 0, createdAt: T };
const exact: RetryPolicy = { ...standardRetry, jitter: 0 };

const milliseconds = fc.oneof(
  fc.double(),
  fc.integer({ min: 0, max: 2 * HOUR }),
  fc.double({ min: 0, max: 2 * HOUR, noNaN: true }),
  fc.constantFrom(Number.NaN, -1, -0, 0.5, 1e308, Number.POSITIVE_INFINITY),
);
const reason = fc.string({ maxLength: 5 });
const gateName = fc.option(fc.constantFrom("channel", "workspace"), { nil: undefined });
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constantFrom(delivered(), delivered({ warning: "late" })),
  fc
    .tuple(reason, fc.option(milliseconds, { nil: undefined }))
    .map(([why, retryAfterMs]) => failed(why, { retryAfterMs })),
  fc.record({ reason, retryAfterMs: milliseconds, gate: gateName }).map((note) => throttled(note)),
  reason.map((why) => rejected(why)),
  fc.tuple(reason, gateName).map(([why, gate]) => gone(why, { remedy: "Ask the owner", gate })),
  fc
    .tuple(reason, fc.constantFrom("retry" as const, "abandon" as const, undefined))
    .map(([why, doubt]) => unknown(why, { doubt })),
);
const policy: fc.Arbitrary<RetryPolicy> = fc.record({
  delaysMs: fc.array(fc.integer({ min: 1, max: 365 * DAY }), { maxLength: 12 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  maxAgeMs: fc.integer({ min: SECOND, max: 365 * DAY }),
  unknown: fc.constantFrom("retry", "abandon", undefined),
});
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const delivery = fc.record({
  attempts: fc.nat(13),
  throttles: fc.oneof(fc.nat(FREE_THROTTLES + 2), fc.nat(5_000)),
  createdAt: fc.integer({ min: T - 10 * DAY, max: T }),
});

/** What `decide` says of a due delivery; the wait in milliseconds, or null. */
function waitOf(
  outcome: Outcome,
  attempts: number,
  { policy = standardRetry, random = 0.5, throttles = 0 } = {},
): number | null {
  const { next } = decide(outcome, { ...fresh, attempts, throttles }, policy, T, random);
  return next.status === "waiting" ? next.dueAt - T : null;
}

describe("the standard schedule", () => {
  it.each([
    [1, 5 * SECOND, 4_000, 5_998],
    [2, 5 * MINUTE, 240_000, 359_880],
    [3, 30 * MINUTE, 1_440_000, 2_159_280],
    [4, 2 * HOUR, 5_760_000, 8_637_120],
    [5, 5 * HOUR, 14_400_000, 21_592_800],
    [6, 10 * HOUR, 28_800_000, 43_185_600],
    [7, 14 * HOUR, 40_320_000, 60_459_840],
    [8, 20 * HOUR, 57_600_000, 86_371_200],
    [9, 24 * HOUR, 69_120_000, 103_645_440],
    [10, null, null, null],
  ])(
    "after failure %i waits %j ms, between %j and %j with jitter",
    (attempt, middle, least, most) => {
      const failure = failed("status 500");
      expect(waitOf(failure, attempt - 1, { random: 0.5 })).toBe(middle);
      expect(waitOf(failure, attempt - 1, { random: 0 })).toBe(least);
      expect(waitOf(failure, attempt - 1, { random: 0.999 })).toBe(most);
    },
  );

  it("makes ten attempts over 75 hours and 35 minutes, then the delivery is dead", () => {
    let now = T;
    let attempts = 0;
    for (;;) {
      const { next } = decide(failed("no"), { ...fresh, attempts }, exact, now, 0.5);
      attempts = next.attempts ?? attempts;
      if (next.status !== "waiting") {
        expect(next).toEqual({ status: "dead", reason: "no", attempts: 10 });
        break;
      }
      now = next.dueAt;
    }
    expect(now - T).toBe(75 * HOUR + 35 * MINUTE + 5 * SECOND);
  });
});

describe("a failure", () => {
  it.each([
    [undefined, 5 * SECOND],
    [0, 5 * SECOND],
    [5 * SECOND, 5 * SECOND],
    [90 * SECOND, 90 * SECOND],
    [HOUR, HOUR],
    [2 * HOUR, HOUR],
    [Number.POSITIVE_INFINITY, HOUR],
    [Number.NaN, 5 * SECOND],
    [-1, 5 * SECOND],
    [6_000.2, 6_001],
  ])(
    "that asks to wait %j ms waits %j, at least as long as the schedule says",
    (asked, expected) => {
      expect(waitOf(failed("503", { retryAfterMs: asked }), 0)).toBe(expected);
    },
  );

  it("that may have arrived is not repeated within 30 seconds", () => {
    expect(waitOf(unknown("connection reset"), 0, { random: 0 })).toBe(30 * SECOND);
    expect(waitOf(unknown("connection reset"), 1, { random: 0 })).toBe(4 * MINUTE);
  });

  it("that may have arrived ends the delivery where the policy says so, and says why", () => {
    const policy = { ...exact, unknown: "abandon" } as const;
    const reset = unknown("connection reset", { remedy: "Look for it" });
    const { next, standing } = decide(reset, fresh, policy, T, 0);
    expect(next).toEqual({
      status: "dead",
      reason: "abandoned, for it may have arrived: connection reset",
      attempts: 1,
    });
    expect(standing).toEqual({ status: "error", detail: "connection reset. Look for it" });
  });

  it.each([
    ["abandon", "retry", "waiting"],
    ["retry", "abandon", "dead"],
    [undefined, "abandon", "dead"],
  ] as const)("with a policy of %s and a customer who says %s is %s", (policy, doubt, status) => {
    const outcome = unknown("reset", { doubt });
    const { next } = decide(outcome, fresh, { ...exact, unknown: policy }, T, 0);
    expect(next.status).toBe(status);
  });

  it("shows on the subscription, with what to do about it", () => {
    const { standing } = decide(failed("403", { remedy: "Log in" }), fresh, exact, T, 0);
    expect(standing).toEqual({ status: "warning", detail: "403. Log in" });
    const sentence = decide(failed("Refused.", { remedy: "Log in." }), fresh, exact, T, 0);
    expect(sentence.standing?.detail).toBe("Refused. Log in.");
    const last = decide(failed("403"), { ...fresh, attempts: 9 }, exact, T, 0);
    expect(last.standing).toEqual({ status: "error", detail: "403" });
  });

  it("beyond the age limit ends the delivery, and says so", () => {
    const old = { ...fresh, attempts: 1, createdAt: T - standardRetry.maxAgeMs + MINUTE };
    expect(decide(failed("500"), old, exact, T, 0).next).toEqual({
      status: "dead",
      reason: "expired: 500",
      attempts: 2,
    });
    const inTime = { ...old, createdAt: T - standardRetry.maxAgeMs + 5 * MINUTE };
    expect(decide(failed("500"), inTime, exact, T, 0).next.status).toBe("waiting");
  });
});

describe("a throttle", () => {
  it.each([
    [30 * SECOND, 0, 30 * SECOND],
    [30 * SECOND, 1, MINUTE],
    [30 * SECOND, 4, 8 * MINUTE],
    [30 * SECOND, 5, 15 * MINUTE],
    [30 * SECOND, 4_000, 15 * MINUTE],
    [0, 0, SECOND],
    [-5, 0, SECOND],
    [Number.NaN, 0, SECOND],
    [30 * MINUTE, 3, 30 * MINUTE],
    [Number.POSITIVE_INFINITY, 0, HOUR],
  ])("that asks for %j ms after %j others waits %j", (retryAfterMs, throttles, expected) => {
    const policy = { ...standardRetry, delaysMs: Array(20).fill(1) as number[] };
    expect(waitOf(throttled({ retryAfterMs }), 0, { throttles, policy })).toBe(expected);
  });

  it("spends no attempt the first 20 times, and one from then on", () => {
    for (let throttles = 0; throttles < 30; throttles += 1) {
      const { next, counted } = decide(
        throttled({ retryAfterMs: 1_000 }),
        { ...fresh, attempts: 3, throttles },
        exact,
        T,
        0,
      );
      expect(counted).toBe(throttles >= 20);
      expect(next.attempts).toBe(throttles >= 20 ? 4 : undefined);
      expect(next.throttles).toBe(throttles + 1);
    }
  });

  it("closes the gate that it names until the delivery is due, and no other", () => {
    const { pause, next } = decide(
      throttled({ retryAfterMs: 30_000, gate: "workspace" }),
      fresh,
      exact,
      T,
      0,
    );
    expect(pause).toEqual({ gate: "workspace", until: T + 30_000, askedMs: 30_000 });
    expect(next).toMatchObject({ status: "waiting", dueAt: T + 30_000 });
    expect(decide(throttled({ retryAfterMs: 1 }), fresh, exact, T, 0).pause).toBeNull();
  });

  it("closes its gate until a whole instant", () => {
    const asked = throttled({ retryAfterMs: 1_500.2, gate: "channel" });
    expect(decide(asked, fresh, exact, T, 0).pause).toMatchObject({ until: T + 1_501 });
  });

  it("closes its gate even when the delivery itself has no try left", () => {
    const spent = { ...fresh, attempts: 9, throttles: 20 };
    const { next, pause } = decide(
      throttled({ retryAfterMs: MINUTE, gate: "channel" }),
      spent,
      exact,
      T,
      0,
    );
    expect(next).toEqual({ status: "dead", reason: "rate limited", attempts: 10, throttles: 21 });
    expect(pause?.gate).toBe("channel");
  });

  it("says nothing about the destination", () => {
    expect(decide(throttled({ retryAfterMs: 1 }), fresh, exact, T, 0).standing).toBeNull();
  });
});

describe("an outcome that ends the delivery", () => {
  it.each([
    [delivered(), { status: "ok", detail: null }],
    [delivered({ warning: "cut short" }), { status: "warning", detail: "cut short" }],
  ])("%j is a success whatever came before", (outcome, standing) => {
    const tired = { attempts: 9, throttles: 40, createdAt: T - 300 * DAY };
    const decision = decide(outcome, tired, exact, T, 0);
    expect(decision.next).toEqual({ status: "delivered", attempts: 10 });
    expect(decision.standing).toEqual(standing);
  });

  it("rejected in one call with others is tried once more at once, and goes alone then", () => {
    const refused = rejected("too large", { remedy: "Send less." });
    const { next, counted, standing, disable } = decide(refused, fresh, exact, T, 0, 20);
    expect(next).toEqual({
      status: "waiting",
      dueAt: T,
      attempts: 1,
      reason: "refused in one call with 19 others: too large",
    });
    expect([counted, disable]).toEqual([true, null]);
    expect(standing).toEqual({ status: "warning", detail: "too large. Send less." });
    expect(decide(refused, fresh, exact, T, 0, 2).next).toMatchObject({
      reason: "refused in one call with 1 other: too large",
    });
    const once = { ...exact, delaysMs: [] };
    expect(decide(refused, fresh, once, T, 0, 2).next.status).toBe("waiting");
    const old = { ...fresh, createdAt: T - exact.maxAgeMs - 1 };
    expect(decide(refused, old, exact, T, 0, 2).next).toMatchObject({
      status: "dead",
      reason: "expired: refused in one call with 1 other: too large",
    });
  });

  it("anything else means for one of several what it means for one alone", () => {
    fc.assert(
      fc.property(
        outcome,
        fc.integer({ min: 2, max: 100 }),
        chance,
        (outcome, together, random) => {
          fc.pre(outcome.type !== "rejected");
          expect(decide(outcome, fresh, exact, T, random, together)).toEqual(
            decide(outcome, fresh, exact, T, random),
          );
        },
      ),
    );
  });

  it("rejected is dead at once, and only a warning about the destination", () => {
    const decision = decide(rejected("too large"), fresh, exact, T, 0);
    expect(decision.next).toEqual({ status: "dead", reason: "too large", attempts: 1 });
    expect(decision.standing?.status).toBe("warning");
    expect(decision.disable).toBeNull();
  });

  it("gone is dead at once, and switches the subscription off with the reason", () => {
    const decision = decide(gone("410", { remedy: "Make a new one" }), fresh, exact, T, 0);
    expect(decision.next).toEqual({ status: "dead", reason: "410", attempts: 1 });
    expect(decision.disable).toBe("410. Make a new one");
    expect(decision.standing?.status).toBe("error");
    expect(decision.pause).toBeNull();
  });

  it("gone closes the gate that it names for a minute, so that others ask in vain less often", () => {
    const { pause } = decide(gone("revoked", { gate: "token" }), fresh, exact, T, 0);
    expect(pause).toEqual({ gate: "token", until: T + MINUTE, askedMs: MINUTE });
  });
});

describe("a lapse", () => {
  it("is tried again, or ends the delivery where what may have arrived is abandoned", () => {
    fc.assert(
      fc.property(policy, fc.nat(6), (policy, lapses) => {
        const next = afterLapse({ lapses }, policy, T);
        const reason = "abandoned, for it may have arrived: the flight ended without an outcome";
        const ended = { status: "dead", lapses: lapses + 1, reason };
        expect(next).toEqual(policy.unknown === "abandon" ? ended : lapse({ lapses }, T));
      }),
    );
  });
});

describe("whatever happens", () => {
  const anything = fc.tuple(outcome, delivery, policy, chance);

  it("a wait is a whole instant from now on, and within the delivery's age", () => {
    fc.assert(
      fc.property(anything, ([outcome, delivery, policy, random]) => {
        const { next } = decide(outcome, delivery, policy, T, random);
        if (next.status !== "waiting") return;
        expect(Number.isSafeInteger(next.dueAt)).toBe(true);
        expect(next.dueAt).toBeGreaterThanOrEqual(T);
        expect(next.dueAt - delivery.createdAt).toBeLessThanOrEqual(policy.maxAgeMs);
      }),
    );
  });

  it("an attempt counts exactly if the delivery's attempts grow by one", () => {
    fc.assert(
      fc.property(anything, ([outcome, delivery, policy, random]) => {
        const { next, counted } = decide(outcome, delivery, policy, T, random);
        expect(next.attempts).toBe(counted ? delivery.attempts + 1 : undefined);
        if (outcome.type !== "throttled") expect(counted).toBe(true);
      }),
    );
  });

  it("what may have arrived is tried again only where the policy wants it twice", () => {
    fc.assert(
      fc.property(anything, ([outcome, delivery, policy, random]) => {
        const { next } = decide(outcome, delivery, policy, T, random);
        const others = decide(outcome, delivery, { ...policy, unknown: "retry" }, T, random);
        const isDoubt = outcome.type === "unknown";
        if (!isDoubt || (outcome.doubt ?? policy.unknown) !== "abandon") {
          expect(next).toEqual(others.next);
        } else {
          expect(next.status).toBe("dead");
        }
      }),
    );
  });

  it("only gone switches a subscription off, and only a throttle or a gate that is gone closes one", () => {
    fc.assert(
      fc.property(anything, ([outcome, delivery, policy, random]) => {
        const { disable, pause } = decide(outcome, delivery, policy, T, random);
        expect(disable !== null).toBe(outcome.type === "gone");
        const closes = outcome.type === "throttled" || outcome.type === "gone";
        expect(pause !== null).toBe(closes && outcome.gate !== undefined);
        if (pause === null) return;
        expect(pause.until).toBeGreaterThan(T);
        expect(Number.isSafeInteger(pause.until)).toBe(true);
      }),
    );
  });

  it("a wait after a failure is what the schedule says, within its jitter, or what was asked", () => {
    fc.assert(
      fc.property(anything, ([outcome, delivery, policy, random]) => {
        const { next } = decide(outcome, delivery, policy, T, random);
        if (next.status !== "waiting" || outcome.type === "throttled") return;
        const delay = policy.delaysMs[delivery.attempts] as number;
        const floor = outcome.type === "unknown" ? 30_000 : HOUR;
        expect(next.dueAt - T).toBeGreaterThanOrEqual(Math.floor(delay * (1 - policy.jitter)));
        expect(next.dueAt - T).toBeLessThanOrEqual(
          Math.ceil(Math.max(delay * (1 + policy.jitter), floor)),
        );
      }),
    );
  });

  it("more chance and a longer demand never make a wait shorter", () => {
    const shorter = (a: number | null, b: number | null): boolean =>
      b === null || (a !== null && a <= b);
    fc.assert(
      fc.property(fc.nat(8), chance, chance, milliseconds, milliseconds, (attempts, r, s, a, b) => {
        fc.pre(!Number.isNaN(a) && !Number.isNaN(b));
        const [low, high] = [Math.min(r, s), Math.max(r, s)];
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const failure = (retryAfterMs: number): Outcome => failed("no", { retryAfterMs });
        const throttle = (retryAfterMs: number): Outcome => throttled({ retryAfterMs });
        for (const outcome of [failure, throttle]) {
          const wait = (ms: number, random: number) => waitOf(outcome(ms), attempts, { random });
          expect(shorter(wait(less, low), wait(less, high))).toBe(true);
          expect(shorter(wait(less, low), wait(more, low))).toBe(true);
        }
      }),
    );
  });

  it("a delivery has one attempt more than the schedule has delays, at most, and then ends", () => {
    const life = fc.array(fc.record({ outcome, random: chance, late: fc.nat(HOUR) }), {
      minLength: 80,
      maxLength: 80,
    });
    fc.assert(
      fc.property(life, policy, (life, policy) => {
        let now = T;
        let state = fresh;
        let counted = 0;
        for (const { outcome, random, late } of life) {
          const decision = decide(outcome, state, policy, now, random);
          const { next } = decision;
          counted += decision.counted ? 1 : 0;
          state = {
            ...state,
            attempts: next.attempts ?? state.attempts,
            throttles: next.throttles ?? state.throttles,
          };
          expect(state.attempts).toBe(counted);
          expect(counted).toBeLessThanOrEqual(policy.delaysMs.length + 1);
          if (next.status !== "waiting") return;
          now = next.dueAt + late;
        }
        const possible = policy.delaysMs.length + 1 + FREE_THROTTLES;
        expect(life.length).toBeLessThanOrEqual(possible);
      }),
    );
  });
});
