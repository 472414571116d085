import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "./cursor.ts";

const id = "01890000-0000-7000-8000-00000000000a";
const scope = ["acme", "/webhooks/", null];

describe("a cursor", () => {
  it("gives back the position that it was made from", () => {
    for (const position of [{ after: id }, { before: id }]) {
      expect(decodeCursor(encodeCursor(position, scope), scope)).toEqual(position);
    }
  });

  it.each([
    ["organization", ["globex", "/webhooks/", null]],
    ["path", ["acme", "/webhooks/x/deliveries/", null]],
    ["filter", ["acme", "/webhooks/", "dead"]],
    ["filter that only looks the same", ["acme", "/webhooks/", "null"]],
  ])("is refused for another %s", (_, other) => {
    const cursor = encodeCursor({ after: id }, scope);
    expect(() => decodeCursor(cursor, other)).toThrow(
      expect.objectContaining({ code: "invalid_cursor" }),
    );
  });

  it("is refused with any of its characters changed, missing or added", () => {
    const cursor = encodeCursor({ after: id }, scope);
    for (const at of cursor.split("").keys()) {
      const [before, after] = [cursor.slice(0, at), cursor.slice(at + 1)];
      for (const text of [`${before}${after}`, `${before}_${cursor[at]}${after}`]) {
        expect(() => decodeCursor(text, scope)).toThrow();
      }
      const other = cursor[at] === "A" ? "B" : "A";
      expect(() => decodeCursor(`${before}${other}${after}`, scope)).toThrow();
    }
  });

  it("lets nothing reach a storage that is not an id, even with the right digest", () => {
    for (const forged of ["", "x", `${id}\0`, `${id} `, id.toUpperCase()]) {
      const cursor = encodeCursor({ after: forged }, scope);
      expect(() => decodeCursor(cursor, scope)).toThrow();
    }
  });
});
