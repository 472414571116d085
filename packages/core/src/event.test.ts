import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PAYLOAD_BYTES, parseEvent, type StoredEvent, serialise } from "./event.ts";

const stored: StoredEvent = {
  id: "018f0000-0000-7000-8000-000000000000",
  type: "invoice_paid",
  organization: "acme",
  occurredAt: 1,
  publishedAt: 2,
  actor: { id: "u1", name: "Ada" },
  trace: null,
  payload: "{}",
  orderingKey: null,
};

const refused = (message: string | RegExp) =>
  expect.objectContaining({ code: "invalid_event", message: expect.stringMatching(message) });

describe("data", () => {
  it("comes back from the stored text as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (data) => {
        const payload = serialise("Event", data);
        expect(payload).toBe(JSON.stringify(data));
        expect(parseEvent({ ...stored, payload }).data).toEqual(JSON.parse(payload));
      }),
    );
  });

  it("that is not JSON is refused, and its place named", () => {
    expect(() => serialise('Event "a"', { lines: [{ at: new Date(0) }] })).toThrow(
      refused(/^Event "a": data\.lines\.0\.at: a Date is not JSON; convert it/),
    );
    expect(() => serialise('Event "a"', undefined)).toThrow(
      refused(/^Event "a": data: a value of type undefined is not JSON$/),
    );
    const issue = expect.objectContaining({ path: ["lines", 0, "at"], code: "invalid" });
    expect(() => serialise("Event", { lines: [{ at: 1n }] })).toThrow(
      expect.objectContaining({ issues: [issue] }),
    );
  });

  it("may be 256 KiB of UTF-8, and not a byte more", () => {
    const exact = `${"€".repeat(80_000)}${"a".repeat(MAX_PAYLOAD_BYTES - 2 - 240_000)}`;
    expect(Buffer.byteLength(serialise("Event", exact))).toBe(MAX_PAYLOAD_BYTES);
    expect(() => serialise("Event", `${exact}a`)).toThrow(
      refused(/^Event: data: .*262144 .*Publish a reference instead of the content\./),
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

  it("gives nobody a prototype", () => {
    const payload = serialise("Event", JSON.parse('{"__proto__":{"admin":true}}'));
    const { data } = parseEvent({ ...stored, payload });
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.keys(data as object)).toEqual(["__proto__"]);
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
