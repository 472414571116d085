import type { StoredEvent } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { readPayload, writeEvent, writePayloads } from "./notification.ts";

const event: StoredEvent = {
  id: "01990000-0000-7000-8000-000000000000",
  type: "project_created",
  organization: "acme",
  occurredAt: 1_767_225_600_000,
  publishedAt: 1_767_225_600_000,
  actor: { id: "u-1", name: "Zoë" },
  trace: null,
  payload: '{"name":"\\u0000 \u2028 ü \u{1f4ef}"}',
  orderingKey: "project-1",
};
const from = "01990000-0000-7000-8000-00000000000f";
const long = (bytes: number): StoredEvent => {
  const empty = Buffer.byteLength(JSON.stringify({ ...event, payload: "" }));
  return { ...event, payload: "x".repeat(bytes - empty) };
};

describe("payloads", () => {
  it("carry wakes and events as they were written", () => {
    const [payload = "", ...rest] = writePayloads({
      from,
      wake: true,
      events: [writeEvent(event) ?? ""],
    });
    expect(rest).toEqual([]);
    expect(readPayload(payload)).toEqual({ from, wake: true, events: [event] });
  });

  it("are none when there is nothing to tell", () => {
    expect(writePayloads({ from, wake: false, events: [] })).toEqual([]);
    expect(writePayloads({ from, wake: true, events: [] })).toHaveLength(1);
  });

  it("are as few as hold all events in order, and never longer than PostgreSQL takes", () => {
    const lengths = Array.from({ length: 300 }, (_, index) => 250 + ((index * 997) % 7_551));
    const events = lengths.map((bytes, index) => ({ ...long(bytes), type: `t${index}` }));
    const texts = events.map((one) => writeEvent(one) ?? "");
    const payloads = writePayloads({ from, wake: false, events: texts });
    expect(payloads.flatMap((payload) => readPayload(payload)?.events)).toEqual(events);
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000);
    const sizes = payloads.map((payload) => Buffer.byteLength(payload));
    const firsts = payloads.map((payload) => JSON.stringify(readPayload(payload)?.events[0]));
    for (const [index, first] of firsts.slice(1).entries()) {
      expect((sizes[index] ?? 0) + Buffer.byteLength(first)).toBeGreaterThan(7_800);
    }
  });

  it("have room for an event of 7,800 bytes and for none that is longer", () => {
    const text = writeEvent(long(7_800)) ?? "";
    expect(Buffer.byteLength(text)).toBe(7_800);
    const [payload = ""] = writePayloads({ from, wake: false, events: [text] });
    expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
    expect(writeEvent(long(7_801))).toBeNull();
    expect(writeEvent({ ...long(7_799), payload: "ü".repeat(4_000) })).toBeNull();
  });

  it("carry nothing of an event but what is stored", () => {
    const published = { ...event, idempotencyKey: "secret-key", announced: true };
    expect(writeEvent(published)).toBe(JSON.stringify(event));
  });
});

describe("a stranger's payload", () => {
  const good = { posthorn: 1, from, wake: true, events: [event] };

  it.each<[string, unknown]>([
    ["nothing", ""],
    ["a word", "hello"],
    ["half a payload", JSON.stringify(good).slice(0, -9)],
    ["null", null],
    ["a number", 7],
    ["a list", [good]],
    ["another format", { ...good, posthorn: 2 }],
    ["no format", { from, wake: true, events: [] }],
    ["nobody's", { ...good, from: undefined }],
    ["no wake", { ...good, wake: "yes" }],
    ["no events", { ...good, events: undefined }],
    ["a sparse event", { ...good, events: [{ id: "x" }] }],
    ["an event that is null", { ...good, events: [null] }],
    ["data instead of text", { ...good, events: [{ ...event, payload: {} }] }],
    ["an instant as text", { ...good, events: [{ ...event, occurredAt: "now" }] }],
    ["an actor that is a word", { ...good, events: [{ ...event, actor: "me" }] }],
  ])("that is %s is not read", (_, said) => {
    expect(readPayload(typeof said === "string" ? said : JSON.stringify(said))).toBeNull();
  });

  it("brings no fields along", () => {
    const payload = JSON.stringify({ ...good, events: [{ ...event, more: 1 }] });
    expect(readPayload(payload)?.events).toEqual([event]);
  });
});
