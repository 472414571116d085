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
  it("allows two rounds of all others", () => {
    expect(brokenBy({})).toEqual([]);
    expect(judgeLanes(evidence({})).figures).toMatchObject({
      "claims until served, median": 3,
      "most rounds meanwhile": 1,
      "most turns of another meanwhile": 2,
    });
  });

  it("finds a third round, which is over when the last of the others has had its turn", () => {
    const round = [["a 0"], ["b 0"], ["c 0"]];
    const two = [...round, ...round, ["a 0"], ["b 0"]];
    expect(brokenBy({ taken: claims(...two, ["new 0"]) })).toEqual([]);
    expect(brokenBy({ taken: claims(...two, ["c 1"], ["new 0"]) })).toEqual([
      "3 rounds while new 0 waited",
    ]);
  });

  it("finds that one had turn after turn, though another that waited had none", () => {
    const often = Array.from({ length: 11 }, () => ["a 0"]);
    const taken = claims(...often.slice(1), ["new 0"], ["b 0"]);
    expect(brokenBy({ taken })).toEqual([]);
    expect(brokenBy({ taken: claims(...often, ["new 0"], ["b 0"]) })).toEqual([
      "a in host-0 had 11 turns while new 0 waited",
    ]);
  });

  it("counts several deliveries of one claim as one turn", () => {
    const many = Array.from({ length: 9 }, () => "a 0");
    expect(brokenBy({ taken: claims(many, ["new 0"], ["b 0"]) })).toEqual([]);
  });

  it("counts in each process, and from the publish on", () => {
    const some = (from: number, by: string) =>
      Array.from({ length: 6 }, (_, index) => taken(from + index, ["a 0"], by));
    const all = [...some(-6, "host-0"), ...some(1, "host-0"), ...some(1, "host-1")];
    const later = [taken(9, ["new 0"]), taken(10, ["b 0"])];
    expect(brokenBy({ taken: [...all, ...later] })).toEqual([]);
  });

  it("finds that a process overtook it that did not serve it", () => {
    const elsewhere = Array.from({ length: 11 }, (_, at) => taken(at, ["a 0"], "host-1"));
    const later = [taken(19, ["new 0"]), taken(20, ["b 0"])];
    expect(brokenBy({ taken: [...elsewhere, ...later] })).toEqual([
      "a in host-1 had 11 turns while new 0 waited",
    ]);
  });

  it("takes a claim for its service that began before its publish had returned", () => {
    expect(brokenBy({ taken: [taken(-1, ["new 0"]), taken(1, ["a 0"])] })).toEqual([]);
  });

  it("compares a new lane of a busy organization with the lanes of that one", () => {
    const newcomers = [{ lane: "a new", published: 0, due: 100 }];
    const others = Array.from({ length: 9 }, () => ["b 0"]);
    const long = claims(["a 0"], ...others, ["a 1"], ["a new"]);
    expect(brokenBy({ newcomers, taken: long })).toEqual([]);
    const round = [["a 0"], ["a 1"]];
    const unfair = claims(...round, ...round, ...round, ["a new"]);
    expect(brokenBy({ newcomers, taken: unfair })).toEqual(["3 rounds while a new waited"]);
  });

  it("counts no newcomer among those whose turns make a round", () => {
    const newcomers = [
      { lane: "new 0", published: 0, due: 100 },
      { lane: "other 0", published: 0, due: 100 },
    ];
    const round = [["a 0"], ["b 0"]];
    const all = claims(["other 0"], ...round, ...round, ...round, ["new 0"]);
    expect(brokenBy({ newcomers, taken: all })).toEqual(["3 rounds while new 0 waited"]);
  });

  it("finds a lane that was never served, and too few lanes to judge by", () => {
    expect(brokenBy({ taken: claims(["a 0"]) })).toEqual(["never served: new 0"]);
    const newcomers = [{ lane: "new 0", published: 0, due: 12 }];
    expect(brokenBy({ newcomers })).toEqual(["too few lanes were due to judge by: 12"]);
  });
});
