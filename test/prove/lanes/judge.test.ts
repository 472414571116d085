import { describe, expect, it } from "vitest";
import type { Taken } from "../noted.ts";
import { judgeLanes, type LanesEvidence } from "./judge.ts";

const taken = (at: number, lanes: readonly string[], by = "host-0"): Taken => ({
  at,
  until: at + 1,
  by,
  lanes,
});

/** Claims at 1, 2, 3 …, each of so many lanes. */
const claims = (...all: readonly (readonly string[])[]): readonly Taken[] =>
  all.map((lanes, index) => taken(index + 1, lanes));

const evidence = (changes: Partial<LanesEvidence>): LanesEvidence => ({
  taken: claims(["a 0", "b 0"], ["c 0"], ["a 1", "b 1"], ["c 1", "new 0"]),
  newcomers: [{ lane: "new 0", published: 0, due: 100 }],
  lanes: 100,
  ownerOf: (lane) => lane.split(" ")[0] as string,
  ...changes,
});

const brokenBy = (changes: Partial<LanesEvidence>): readonly string[] =>
  judgeLanes(evidence(changes)).broken;

describe("the judge of new lanes", () => {
  it("allows two turns of each other organization", () => {
    expect(brokenBy({})).toEqual([]);
    expect(judgeLanes(evidence({})).figures).toMatchObject({
      "claims until served, median": 3,
      "most turns of another meanwhile": 2,
    });
  });

  it("finds a third turn, however many it is of", () => {
    const three = claims(["a 0"], ["b 0"], ["a 1"], ["a 2"], ["new 0"]);
    expect(brokenBy({ taken: three })).toEqual(["a in host-0 had 3 turns while new 0 waited"]);
  });

  it("counts several deliveries of one claim as one turn", () => {
    expect(brokenBy({ taken: claims(["a 0", "a 0", "a 1", "a 2"], ["new 0"]) })).toEqual([]);
  });

  it("counts turns in each process, and from the publish on", () => {
    const elsewhere = ["host-0", "host-0", "host-1", "host-1"].map((by, index) =>
      taken(index, ["a 0"], by),
    );
    const all = [taken(-2, ["a 0"]), taken(-1, ["a 0"]), ...elsewhere, taken(5, ["new 0"])];
    expect(brokenBy({ taken: all })).toEqual([]);
  });

  it("finds that a process overtook it that did not serve it", () => {
    const elsewhere = [1, 2, 3].map((at) => taken(at, ["a 0"], "host-1"));
    expect(brokenBy({ taken: [...elsewhere, taken(5, ["new 0"])] })).toEqual([
      "a in host-1 had 3 turns while new 0 waited",
    ]);
  });

  it("takes a claim for its service that began before its publish had returned", () => {
    expect(brokenBy({ taken: [taken(-1, ["new 0"]), taken(1, ["a 0"])] })).toEqual([]);
  });

  it("compares a new lane of a busy organization with the lanes of that one", () => {
    const newcomers = [{ lane: "a new", published: 0, due: 100 }];
    const long = claims(["a 0"], ["b 0"], ["b 0"], ["b 0"], ["a 1"], ["a new"]);
    expect(brokenBy({ newcomers, taken: long })).toEqual([]);
    const unfair = claims(["a 0"], ["a 0"], ["a 0"], ["a new"]);
    expect(brokenBy({ newcomers, taken: unfair })).toEqual([
      "a 0 in host-0 had 3 turns while a new waited",
    ]);
  });

  it("finds a lane that was never served, and too few lanes to judge by", () => {
    expect(brokenBy({ taken: claims(["a 0"]) })).toEqual(["never served: new 0"]);
    const newcomers = [{ lane: "new 0", published: 0, due: 12 }];
    expect(brokenBy({ newcomers })).toEqual(["too few lanes were due to judge by: 12"]);
  });
});
