import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseStrictJson } from "./strict-json.ts";

const code = (text: string): string => {
  try {
    parseStrictJson(text);
    return "parsed";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("parseStrictJson", () => {
  it("says what JSON.parse says of every text without repetitions", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.nat(3), (text, indent) => {
        const written = JSON.stringify(JSON.parse(text), null, indent);
        expect(parseStrictJson(written)).toEqual(JSON.parse(written));
      }),
    );
  });

  it("notices every repetition, and names its place", () => {
    fc.assert(
      fc.property(fc.string(), fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), (key, a, b) => {
        const name = JSON.stringify(key);
        expect(code(`[{"x":${a}},{${name}:${a}, ${name} :${b}}]`)).toBe("duplicate_field");
        expect(code(`[{${name}:${a}},{${name}:${b}}]`)).toBe("parsed");
      }),
    );
  });

  it("takes strings that look like members, and the same names in different objects", () => {
    expect(code('{"a":"\\"b\\":1,\\"b\\":","b":["a","a",{"a":{"a":1}}]}')).toBe("parsed");
  });

  it("takes 32 levels and no more", () => {
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect([code(nested(32)), code(nested(33))]).toEqual(["parsed", "too_deep"]);
  });

  it("never quotes the text", () => {
    const text = '{"token": xoxb-1-2}';
    expect(() => parseStrictJson(text)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("xoxb") }),
    );
  });

  it("takes a quarter of a megabyte in one string", () => {
    expect(code(JSON.stringify(`${'"\\'.repeat(60_000)}`))).toBe("parsed");
  });
});
