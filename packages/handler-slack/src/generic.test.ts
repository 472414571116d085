import type { Event } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { genericMessage, inWords } from "./generic.ts";
import { layOut } from "./message.ts";

const event = (data: unknown, more: Partial<Event> = {}): Event => ({
  id: "e1",
  type: "parameter_created",
  organization: "acme",
  occurredAt: 0,
  data,
  actor: null,
  trace: null,
  ...more,
});

const read = (given: Event): readonly string[] => {
  const origin = { occurredAt: 0, organization: "acme", deliveryId: "d1", attempt: 1 };
  return layOut(genericMessage(given), { ...origin, sender: null })
    .text.split("\n")
    .slice(0, -1);
};

describe("the generic message", () => {
  it("says what happened in words, who did it, and the scalars of the data", () => {
    const data = {
      id: 7,
      secret: true,
      note: "a sentence with words",
      parameter: { name: "DB_HOST", rules: [1], deeper: { still: "hidden" } },
      tags: ["x"],
      nothing: null,
    };
    expect(read(event(data, { actor: { id: "u1", name: "Ana Diaz" } }))).toEqual([
      "Parameter created by Ana Diaz",
      "Id: 7",
      "Secret: yes",
      "Note: a sentence with words",
      "Parameter name: DB_HOST",
    ]);
  });

  it("names an actor without a name by its id", () => {
    expect(read(event({}, { actor: { id: "key_1" } }))).toEqual(["Parameter created by key_1"]);
  });

  it("cuts long values", () => {
    expect(read(event({ note: "ab ".repeat(200) }))[1]).toHaveLength("Note: ".length + 201);
  });

  it.each<[unknown, string[]]>([
    ["text", ["Data: text"]],
    [3, ["Data: 3"]],
    [null, []],
    [[1, 2], []],
    [{ "": 1, __proto__: 2, constructor: "x" }, ["—: 1", "Constructor: x"]],
  ])("can show %j", (data, fields) => {
    expect(read(event(data)).slice(1)).toEqual(fields);
  });
});

describe("inWords", () => {
  it.each([
    ["parameter_created", "Parameter created"],
    ["invoice.paid", "Invoice paid"],
    ["externalFqn", "External fqn"],
    ["user-signed-up", "User signed up"],
    ["___", "___"],
  ])("reads %s as %s", (name, words) => expect(inWords(name)).toBe(words));
});
