import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PAYLOAD_BYTES, notJson, parseEvent, type StoredEvent, serialise } from "./event.ts";

const json = fc.jsonValue({ maxDepth: 5, noUnicodeString: false });
const stored: StoredEvent = {
  id: "018f0000-0000-7000-8000-000000000000",
  type: "invoice_paid",
  organization: "acme",
  occurredAt: 1,
  publishedAt: 2,
  actor: { id: "u1", name: "Ada" },
  trace: null,
  payload: "{}",
};

const refused = (message: string | RegExp) =>
  expect.objectContaining({ code: "invalid_event", message: expect.stringMatching(message) });

class Money {
  readonly amount = 5;
}

const circular: { self?: unknown } = {};
circular.self = circular;

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

describe("data", () => {
  it("that is JSON comes back from the stored text as it was", () => {
    fc.assert(
      fc.property(json, (data) => {
        fc.pre(!JSON.stringify(data).includes("-0"));
        const payload = serialise("Event", data);
        expect(payload).toBe(JSON.stringify(data));
        expect(parseEvent({ ...stored, payload }).data).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it("is either JSON and stored unchanged, or refused with its place", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(anything, (data) => {
        const issue = notJson(data, []);
        if (issue !== null) {
          expect(() => serialise("Event", data)).toThrow(refused(/^Event: data/));
          return;
        }
        const read: unknown = JSON.parse(serialise("Event", data));
        expect(read).toEqual(withoutUndefined(data));
      }),
    );
  });

  it.each([
    ["undefined", undefined, "a value of type undefined is not JSON"],
    ["a function", () => 1, "a value of type function"],
    ["a symbol", Symbol("a"), "a value of type symbol"],
    ["a bigint", 1n, "a value of type bigint"],
    ["a date", new Date(0), "a Date is not JSON; convert it to a plain value first"],
    ["a map", new Map(), "a Map is not JSON"],
    ["a set", new Set(), "a Set is not JSON"],
    ["a buffer", Buffer.from("a"), "a Buffer is not JSON"],
    ["a typed array", new Float64Array(1), "a Float64Array is not JSON"],
    ["a regular expression", /a/, "a RegExp is not JSON"],
    ["a promise", Promise.resolve(1), "a Promise is not JSON"],
    ["an error", new Error("no"), "an? Error is not JSON"],
    ["an instance of a class", new Money(), "a Money is not JSON"],
    ["a boxed text", Object("a"), "a String is not JSON"],
    ["a toJSON of its own", { toJSON: () => 1 }, "a value of type function"],
    ["a toJSON that throws", { toJSON: () => new Error("no") }, "a value of type function"],
    ["a hole in an array", Array(1), "a value of type undefined"],
    ["undefined in an array", [undefined], "a value of type undefined"],
    ["NaN", Number.NaN, "NaN is not JSON"],
    ["Infinity", Number.POSITIVE_INFINITY, "Infinity is not JSON"],
    ["-Infinity", Number.NEGATIVE_INFINITY, "-Infinity is not JSON"],
    ["a circle", circular, "nested deeper than 64 levels, or circular"],
    ["65 levels", nested(65), "nested deeper than 64 levels"],
  ])("with %s is refused, and the place named", (_, value, message) => {
    expect(() => serialise('Event "a"', value)).toThrow(refused(message));
    const deep = { lines: [{ ok: true }, [value]] };
    expect(() => serialise('Event "a"', deep)).toThrow(
      refused(/^Event "a": data\.lines\.1\.0[.\w]*: /),
    );
  });

  it("names the place in the issue too", () => {
    expect(notJson({ lines: [{}, { at: new Date(0) }] }, ["data"])).toEqual({
      path: ["data", "lines", 1, "at"],
      code: "invalid",
      message: "a Date is not JSON; convert it to a plain value first",
    });
  });

  it("may be nested 64 levels deep, and have members that are undefined", () => {
    expect(serialise("Event", nested(64))).toHaveLength(129);
    expect(serialise("Event", { a: 1, b: undefined })).toBe('{"a":1}');
    expect(serialise("Event", Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
  });

  it("of another realm is not taken for ours", () => {
    expect(() => serialise("Event", runInNewContext("new Date(0)"))).toThrow(refused("Date"));
  });

  it("may be 256 KiB of UTF-8, and not a byte more", () => {
    const fits = "€".repeat((MAX_PAYLOAD_BYTES - 2 - 1) / 3) + "a".repeat(1);
    expect(Buffer.byteLength(serialise("Event", fits))).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
    const exact = "a".repeat(MAX_PAYLOAD_BYTES - 2);
    expect(Buffer.byteLength(serialise("Event", exact))).toBe(MAX_PAYLOAD_BYTES);
    expect(() => serialise("Event", `${exact}a`)).toThrow(
      refused(/data: the data is 262145 bytes of JSON; at most 262144 are allowed\. Publish a/),
    );
    const issue = { path: [], code: "too_large" };
    expect(() => serialise("Event", `${exact}a`)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining(issue)] }),
    );
  });

  it.each([
    ["lone surrogates", "\ud800 \udc00"],
    ["NUL", "a\u0000b"],
    ["astral characters", "🐎📯"],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER],
    ["the largest number", Number.MAX_VALUE],
    ["the smallest number", Number.MIN_VALUE],
    ["line separators", "\u2028\u2029"],
  ])("with %s survives the stored text", (_, value) => {
    const payload = serialise("Event", { value });
    expect(payload.isWellFormed()).toBe(true);
    expect(payload).not.toContain("\u0000");
    expect(parseEvent({ ...stored, payload }).data).toEqual({ value });
  });

  it("keeps the order of keys, and keys that objects have by nature", () => {
    const text = '{"z":1,"__proto__":{"admin":true},"constructor":2,"toString":3,"a":4}';
    const payload = serialise("Event", JSON.parse(text));
    expect(payload).toBe(text);
    const { data } = parseEvent({ ...stored, payload });
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.keys(data as object)).toEqual(["z", "__proto__", "constructor", "toString", "a"]);
  });

  it("is stored as it was, whatever happens to the object later", () => {
    const data = { amount: 1 };
    const payload = serialise("Event", data);
    data.amount = 2;
    expect(payload).toBe('{"amount":1}');
  });
});

describe("a stored event", () => {
  it("is read as an event without what belongs to storage", () => {
    expect(parseEvent({ ...stored, payload: '{"amount":5}' })).toEqual({
      id: stored.id,
      type: "invoice_paid",
      organization: "acme",
      occurredAt: 1,
      actor: { id: "u1", name: "Ada" },
      trace: null,
      data: { amount: 5 },
    });
  });

  it("gives each reader data of its own", () => {
    const event = { ...stored, payload: '{"lines":[1]}' };
    expect(parseEvent(event).data).not.toBe(parseEvent(event).data);
  });
});

/** A value as JSON text keeps it: members that are undefined are not there, nor is minus zero. */
function withoutUndefined(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, withoutUndefined(member)]),
  );
}
