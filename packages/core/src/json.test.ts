import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NotJson, notJson, writeJson } from "./json.ts";

class Money {
  readonly amount = 5;
}

const circular: { self?: unknown } = {};
circular.self = circular;

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

const revoked = Proxy.revocable({}, {});
revoked.revoke();

const refused = (message: string | RegExp) =>
  expect.objectContaining({ name: "NotJson", message: expect.stringMatching(message) });

describe("a value that is JSON", () => {
  it("is written as JSON.stringify writes it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(writeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it("may have members that are undefined, which are left out", () => {
    expect(writeJson({ a: undefined, b: 1, c: undefined, d: { e: undefined } })).toBe(
      '{"b":1,"d":{}}',
    );
  });

  it("may be nested 64 levels deep, be the same in two places, and have no prototype", () => {
    expect(writeJson(nested(64))).toHaveLength(129);
    const shared = { a: 1 };
    expect(writeJson([shared, shared])).toBe('[{"a":1},{"a":1}]');
    expect(writeJson(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
  });

  it("keeps keys that objects have by nature, in their order", () => {
    const text = '{"z":1,"__proto__":{"admin":true},"constructor":2,"toString":3,"a":4}';
    expect(writeJson(JSON.parse(text))).toBe(text);
  });

  it("is read once, member by member: what was checked is what is written", () => {
    let reads = 0;
    const data = {
      get at() {
        reads += 1;
        return reads === 1 ? 1 : new Date(0);
      },
    };
    expect(writeJson(data)).toBe('{"at":1}');
    expect(reads).toBe(1);
  });

  it("is written as it is, whatever a hidden toJSON would say", () => {
    const hidden = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "gone" });
    expect(writeJson(hidden)).toBe('{"a":1}');
  });
});

describe("a value that is not JSON", () => {
  it.each<[string, unknown, string]>([
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
    ["an instance of an array's class", new (class Lines extends Array {})(), "a Lines is not"],
    ["a boxed text", Object("a"), "a String is not JSON"],
    ["a toJSON of its own", { toJSON: () => 1 }, "a value of type function"],
    ["a symbol for a key", { [Symbol("a")]: 1 }, "symbols for keys"],
    ["a hole in an array", Array(1), "a value of type undefined"],
    ["undefined in an array", [undefined], "a value of type undefined"],
    ["NaN", Number.NaN, "NaN is not JSON"],
    ["Infinity", Number.POSITIVE_INFINITY, "Infinity is not JSON"],
    ["-Infinity", Number.NEGATIVE_INFINITY, "-Infinity is not JSON"],
    ["a circle", circular, "nested deeper than 64 levels, or circular"],
    ["65 levels", nested(65), "nested deeper than 64 levels"],
    ["a revoked proxy", revoked.proxy, "cannot be read"],
    ["another realm's date", runInNewContext("new Date(0)"), "a Date is not JSON"],
  ])("is refused, and its place named: %s", (_, value, message) => {
    expect(() => writeJson(value)).toThrow(refused(message));
    expect(() => writeJson({ lines: [{ ok: true }, [value]] })).toThrow(
      refused(/^lines\.1\.0[.\w]*: /),
    );
  });

  it("is refused with its place and a sentence, and nothing else", () => {
    expect(notJson({ lines: [{}, { at: new Date(0) }] }, ["data"])).toEqual({
      path: ["data", "lines", 1, "at"],
      code: "invalid",
      message: "a Date is not JSON; convert it to a plain value first",
    });
    expect(notJson({ lines: [] }, ["data"])).toBeNull();
  });

  it("is refused if it throws when it is read, without what it threw", () => {
    const data = {
      a: {
        get b(): never {
          throw new Error("hunter2");
        },
      },
    };
    expect(notJson(data, [])).toEqual({
      path: ["a", "b"],
      code: "invalid",
      message: "cannot be read",
    });
  });

  it("is either refused or comes back as it was, whatever it is", () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        let text: string;
        try {
          text = writeJson(value);
        } catch (error) {
          expect(error).toBeInstanceOf(NotJson);
          return;
        }
        expect(JSON.parse(text)).toEqual(withoutUndefined(value));
      }),
    );
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
