import { describe, expect, it } from "vitest";
import { freshGate, passed } from "./gate.ts";
import { createTrouble } from "./trouble.ts";

const gateOf = (id: string) => passed(freshGate({ id, name: "host", limit: null }));

describe("trouble", () => {
  it("is with gates that failed since an instant", () => {
    const trouble = createTrouble();
    expect(trouble.since([gateOf("a")], 0)).toBe(false);
    trouble.note(gateOf("a"), 5);
    expect(trouble.since([gateOf("b"), gateOf("a")], 5)).toBe(true);
    expect(trouble.since([gateOf("a")], 6)).toBe(false);
    expect(trouble.since([gateOf("b")], 0)).toBe(false);
    expect(trouble.since([], 0)).toBe(false);
  });

  it("is forgotten of the gate that failed longest ago, if it is with too many", () => {
    const trouble = createTrouble();
    for (let gate = 0; gate < 10_000; gate += 1) trouble.note(gateOf(`${gate}`), 1);
    trouble.note(gateOf("0"), 2);
    trouble.note(gateOf("more"), 2);
    expect(trouble.since([gateOf("1")], 0)).toBe(false);
    for (const id of ["0", "2", "9999", "more"]) expect(trouble.since([gateOf(id)], 0)).toBe(true);
  });
});
