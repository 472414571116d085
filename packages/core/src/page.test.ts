import { describe, expect, it } from "vitest";
import { pageRequest, toPage } from "./page.ts";

describe("a page", () => {
  it("has 20 items unless it says otherwise, 100 at most", () => {
    expect(pageRequest("acme", {})).toEqual({ organization: "acme", limit: 20 });
    expect(pageRequest("acme", { limit: 100, after: "a" })).toEqual({
      organization: "acme",
      limit: 100,
      after: "a",
    });
  });

  it.each([0, -1, 101, 1e9, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "10"])(
    "cannot have %j items",
    (limit) => {
      expect(() => pageRequest("acme", { limit: limit as number })).toThrow(
        expect.objectContaining({
          code: "invalid_page",
          message: `limit is ${limit}. It must be an integer from 1 to 100.`,
        }),
      );
    },
  );

  it("cannot be both after and before something", () => {
    expect(() => pageRequest("acme", { after: "a", before: "b" })).toThrow(
      expect.objectContaining({ code: "invalid_page" }),
    );
  });

  it.each([
    [true, true, "a", "c"],
    [true, false, null, "c"],
    [false, true, "a", null],
    [false, false, null, null],
  ])("knows its neighbours (older %s, newer %s)", (older, newer, previous, next) => {
    const items = [{ id: "a" }, { id: "b" }, { id: "c" }];
    const page = toPage({ items, older, newer }, ({ id }) => id.toUpperCase());
    expect(page).toEqual({ items: ["A", "B", "C"], previous, next });
  });

  it("without items has no neighbours to name", () => {
    const page = toPage({ items: [], older: true, newer: true }, String);
    expect(page).toEqual({ items: [], previous: null, next: null });
  });
});
