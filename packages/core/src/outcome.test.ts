import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { delivered, failed, gone, type Outcome, rejected, throttled, unknown } from "./handler.ts";
import { toOutcome } from "./outcome.ts";
import { MASK } from "./subscription.ts";

const outcomes: readonly Outcome[] = [
  delivered({ warning: "cut short", details: { status: 200 }, state: { channel: "C1" } }),
  failed("status 500", { retryAfterMs: 1_000, remedy: "Wait", details: [1] }),
  throttled({ retryAfterMs: 30_000, gate: "channel", details: null }),
  rejected("too large", { remedy: "Send less" }),
  gone("status 410", { state: null }),
  unknown("connection reset"),
];
const types = ["delivered", "failed", "throttled", "rejected", "gone", "unknown"];

const throwing = {
  get type(): never {
    throw new Error("hidden");
  },
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const circular: { type?: unknown } = {};
circular.type = circular;

const defined = (outcome: object): object =>
  Object.fromEntries(Object.entries(outcome).filter(([, value]) => value !== undefined));

describe("an outcome", () => {
  it.each(outcomes)("that a handler made stays what it is: $type", (outcome) => {
    expect(defined(toOutcome(outcome, []))).toEqual(defined(outcome));
  });

  it("keeps the fields that its type has, and no other", () => {
    const fields = ["type", "remedy", "details", "state"];
    const more: Record<string, readonly string[]> = {
      delivered: ["warning"],
      failed: ["reason", "retryAfterMs", "gate"],
      gone: ["reason", "gate"],
      unknown: ["reason", "gate", "doubt"],
      throttled: ["reason", "retryAfterMs", "gate"],
    };
    const everything = {
      reason: "r",
      warning: "w",
      gate: "g",
      retryAfterMs: 1,
      doubt: "retry",
      secret: "s",
    };
    for (const type of types) {
      const all = { type, ...everything };
      const expected = [...fields, ...(more[type] ?? ["reason"])];
      expect(Object.keys(toOutcome(all, [])).toSorted()).toEqual(expected.toSorted());
    }
  });

  it.each(["failed", "throttled", "rejected", "gone", "unknown"])(
    "%s has a reason, always",
    (type) => {
      expect(toOutcome({ type }, [])).toMatchObject({ type, reason: "no reason was given" });
      expect(toOutcome({ type, reason: 7 }, [])).toMatchObject({ reason: "no reason was given" });
    },
  );

  it.each([
    [1_000, 1_000],
    [0, 0],
    [-1, undefined],
    [Number.NaN, undefined],
    ["1000", undefined],
    [null, undefined],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("asks to wait %j: %j", (retryAfterMs, expected) => {
    expect(toOutcome({ type: "failed", retryAfterMs }, [])).toMatchObject({
      retryAfterMs: expected,
    });
    expect(toOutcome({ type: "throttled", retryAfterMs }, [])).toMatchObject({
      retryAfterMs: expected ?? 0,
    });
  });

  it("keeps only JSON, and not more than 16,384 characters of it", () => {
    const details = (value: unknown) =>
      toOutcome({ type: "delivered", details: value }, []).details;
    expect(details({ a: [1, "b", null] })).toEqual({ a: [1, "b", null] });
    expect(details("a".repeat(16_382))).toHaveLength(16_382);
    expect(details("a".repeat(16_383))).toBeUndefined();
    expect(details(new Date(0))).toBeUndefined();
    expect(details({ at: Number.NaN })).toBeUndefined();
    expect(details(circular)).toBeUndefined();
  });

  it("is what it is whatever its details are", () => {
    const details = {
      get a(): never {
        throw new Error("no");
      },
    };
    for (const type of types) {
      const outcome = toOutcome({ type, details, state: details, warning: 7, remedy: {} }, []);
      expect(outcome).toMatchObject({ type, details: undefined, state: undefined });
    }
    const numbered = toOutcome({ type: "delivered", details: { id: 9_912_345_699 } }, ["123456"]);
    expect(numbered).toMatchObject({ type: "delivered", details: { id: MASK } });
  });

  it("keeps a copy: what the handler changes later changes nothing", () => {
    const details = { count: 1 };
    const outcome = toOutcome({ type: "delivered", details }, []);
    details.count = 2;
    expect(outcome.details).toEqual({ count: 1 });
  });

  it("bounds texts of ten megabytes", () => {
    const text = "x".repeat(10_000_000);
    const began = performance.now();
    const outcome = toOutcome({ type: "failed", reason: text, remedy: text }, []);
    expect(outcome).toMatchObject({ reason: expect.stringMatching(/^x{1999}…$/) });
    expect(outcome.remedy).toHaveLength(2_000);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("anything else", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "it returned undefined"],
    ["null", null, "it returned null"],
    ["true", true, "it returned boolean"],
    ["a text", "delivered", "it returned string"],
    ["a function", () => delivered(), "it returned function"],
    ["an object", {}, "it returned an object whose type is undefined"],
    ["an array", [delivered()], "it returned an object whose type is undefined"],
    ["a response", { ok: true, status: 200 }, "whose type is undefined"],
    ["a type of its own", { type: "ok" }, 'it returned an object whose type is "ok"'],
    ["a type by nature", { type: "toString" }, 'whose type is "toString"'],
    ["a bigint for a type", { type: 1n }, "BigInt"],
    ["a circle for a type", circular, "circular"],
    ["a getter that throws", throwing, "hidden"],
    ["a revoked proxy", revoked.proxy, "proxy"],
  ])("is a failure that says what the handler did: %s", (_, returned, why) => {
    expect(toOutcome(returned, [])).toEqual({
      type: "failed",
      reason: expect.stringMatching(/^The handler did not report an outcome: /),
      remedy: expect.stringContaining("delivered(), failed(), throttled()"),
    });
    expect(toOutcome(returned, [])).toMatchObject({ reason: expect.stringContaining(why) });
  });

  it("never throws, and answers a known type", () => {
    const shaped = fc.record(
      {
        type: fc.oneof(fc.constantFrom(...types), fc.anything()),
        reason: fc.anything(),
        warning: fc.anything(),
        remedy: fc.anything(),
        gate: fc.anything(),
        retryAfterMs: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), shaped), (returned) => {
        expect(types).toContain(toOutcome(returned, ["a secret"]).type);
      }),
    );
  });

  it("is not taken for a success because of its prototype", () => {
    expect(toOutcome(Object.create(null), []).type).toBe("failed");
  });
});

describe("a secret", () => {
  const secret = 'xoxb-"1234"/äöü-abcdef';

  class Leak {
    get type(): string {
      throw new Error(`cannot read ${secret}`);
    }
  }

  it.each<[string, () => unknown]>([
    ["a warning", () => ({ type: "delivered", warning: secret })],
    ["a reason", () => ({ type: "failed", reason: `refused: ${secret}` })],
    ["a remedy", () => ({ type: "failed", remedy: `do not send ${secret}` })],
    ["details", () => ({ type: "failed", details: { header: `Bearer ${secret}` } })],
    ["a key of details", () => ({ type: "failed", details: { [secret]: 1 } })],
    ["details, as a URL has it", () => ({ type: "gone", details: [encodeURIComponent(secret)] })],
    ["state", () => ({ type: "delivered", state: { token: secret } })],
    ["an unknown type", () => ({ type: secret })],
    ["what a getter threw", () => new Leak()],
  ])("does not come out of %s", (_, make) => {
    const text = JSON.stringify(toOutcome(make(), [secret]));
    expect(text).toContain(MASK);
    expect(text).not.toContain("1234");
    expect(text).not.toContain("xoxb-");
  });

  it("is replaced by the mask", () => {
    expect(toOutcome({ type: "failed", reason: `a ${secret} b` }, [secret])).toMatchObject({
      reason: `a ${MASK} b`,
    });
  });
});
