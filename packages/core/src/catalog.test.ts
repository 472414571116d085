import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineCatalog, family, reservedEventTypes } from "./catalog.ts";

const schema = v.object({ name: v.string() });
const named = (name: string) => defineCatalog({ [name]: { schema } });
const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "invalid_catalog", message: expect.stringMatching(message) });

describe("a catalog", () => {
  it("is what was given, and cannot be changed", () => {
    const ping = { schema: v.null(), description: "A sign of life." };
    const catalog = defineCatalog({
      ping,
      pong: { schema: z.null() },
      pung: { schema: type("null") },
    });
    expect(Object.keys(catalog)).toEqual(["ping", "pong", "pung"]);
    expect(catalog.ping).toBe(ping);
    expect(Object.isFrozen(catalog)).toBe(true);
  });

  it.each(["a", "invoice_paid", "invoice.line-added", "Project2", "a".repeat(128), "toString"])(
    "may have the name %s",
    (name) => {
      expect(Object.keys(named(name))).toEqual([name]);
    },
  );

  it.each([
    "",
    ".",
    "a..b",
    "a_",
    "_a",
    "a__b",
    "A B",
    "*",
    "user_*",
    "user.created\n",
    "über",
    "a/b",
    "__proto__",
    "a".repeat(129),
  ])("may not have the name %j, and says what a name is", (name) => {
    const message = /^Event type ".*" is not a valid name\. Use letters and digits joined by/s;
    expect(() => named(name)).toThrow(invalid(message));
  });

  it.each(reservedEventTypes)("may not have the name %s, which is Posthorn's own", (name) => {
    expect(() => named(name)).toThrow(invalid(/is reserved for Posthorn's own events/));
  });

  it("is not empty", () => {
    expect(() => defineCatalog({})).toThrow(invalid(/^The catalog is empty\. Define at least one/));
  });
});

describe("a family", () => {
  it("is three event types that share a schema and an example, each with its sentence", () => {
    const example = { name: "Apollo" };
    expect(family("project", { schema, example })).toEqual({
      project_created: { schema, example, description: "A project was created." },
      project_updated: { schema, example, description: "A project was updated." },
      project_deleted: { schema, example, description: "A project was deleted." },
    });
  });

  it("is called in sentences as its label says", () => {
    const { api_key_deleted } = family("api_key", { schema, label: "an API key" });
    expect(api_key_deleted).toEqual({ schema, description: "An API key was deleted." });
  });
});
