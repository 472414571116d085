import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { catalog } from "./catalog.ts";
import { templates } from "./templates.ts";

const seed = ["parameter", "project", "environment", "value"].flatMap((noun) =>
  ["created", "updated", "deleted"].map((verb) => `${noun}_${verb}`),
);

/** The data with one more key, in every place that can have one. */
function* withOneMore(data: object): Generator<object> {
  yield { ...data, internal_value: "hunter2" };
  for (const [key, member] of Object.entries(data)) {
    if (typeof member !== "object" || member === null) continue;
    for (const changed of withOneMore(member)) yield { ...data, [key]: changed };
  }
}

describe("the catalog", () => {
  it("has the twelve event types that the product team names, each with its template", () => {
    expect(Object.keys(catalog)).toEqual(seed);
    expect(Object.keys(templates)).toEqual(seed);
  });

  it.each(Object.entries(catalog))("has no room in %s for a value", (_, { schema, example }) => {
    expect(v.safeParse(schema, example).issues).toBeUndefined();
    for (const data of withOneMore(example ?? {})) {
      expect(v.safeParse(schema, data).success, JSON.stringify(data)).toBe(false);
    }
  });
});
