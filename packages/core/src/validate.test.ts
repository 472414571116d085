import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { validate, validateSync } from "./validate.ts";

const schemas = [
  ["valibot", v.object({ lines: v.array(v.object({ amount: v.number() })) })],
  ["zod", z.object({ lines: z.array(z.object({ amount: z.number() })) })],
  ["arktype", type({ lines: type({ amount: "number" }).array() })],
] as const;

describe.each(schemas)("a schema of %s", (_, schema) => {
  it("answers with the value that it made", () => {
    const value = { lines: [{ amount: 5 }] };
    expect(validate(schema as never, value)).toEqual({ value });
    expect(validateSync(schema as never, value, "Event")).toEqual({ value });
  });

  it("answers with what is wrong, and where", () => {
    const { issues } = validateSync(schema as never, { lines: [{ amount: 5 }, {}] }, "Event");
    expect(issues).toEqual([
      { path: ["lines", 1, "amount"], code: "invalid", message: expect.any(String) },
    ]);
    expect(Object.getPrototypeOf(issues)).toBe(Array.prototype);
    expect(Object.getPrototypeOf(issues?.[0]?.path)).toBe(Array.prototype);
  });
});

describe("a schema that answers later", () => {
  const later = v.pipeAsync(
    v.string(),
    v.checkAsync(async (text) => text === "yes", "must be yes"),
  );

  it("is waited for", async () => {
    await expect(validate(later as never, "yes")).resolves.toEqual({ value: "yes" });
    await expect(validate(later as never, "no")).resolves.toEqual({
      issues: [{ path: [], code: "invalid", message: "must be yes" }],
    });
  });

  it("cannot be waited for by publishSync, which says so and leaves no rejection behind", () => {
    const rejecting = { "~standard": { validate: () => Promise.reject(new Error("late")) } };
    for (const schema of [later, rejecting]) {
      expect(() => validateSync(schema as never, "yes", 'Event "a"')).toThrow(
        expect.objectContaining({
          code: "async_schema",
          message: expect.stringMatching(/^Event "a" has a schema.*Use `publish`/),
        }),
      );
    }
  });
});

describe("a path", () => {
  it.each([
    [undefined, []],
    [
      ["a", 0],
      ["a", 0],
    ],
    [
      [{ key: "a" }, { key: 0 }],
      ["a", 0],
    ],
    [[Symbol("a")], ["Symbol(a)"]],
  ])("of %j is read as keys and indexes: %j", (path, expected) => {
    const schema = { "~standard": { validate: () => ({ issues: [{ message: "no", path }] }) } };
    expect(validate(schema as never, 1)).toEqual({
      issues: [{ path: expected, code: "invalid", message: "no" }],
    });
  });
});
