import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inTurns, shareOut } from "./turns.ts";

interface Wish {
  readonly owner: string;
  readonly nr: number;
}

const ownerOf = ({ owner }: Wish): string => owner;
const wishes = fc
  .array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 })
  .map((owners) => owners.map((owner, nr): Wish => ({ owner, nr })));
const someOwners = fc.shuffledSubarray(["a", "b", "c", "d", "e"]);

describe("taking turns", () => {
  it("gives each its first before anyone has a second", () => {
    const asked = ["a", "a", "a", "b", "a", "c", "b"].map((owner, nr): Wish => ({ owner, nr }));
    expect(inTurns(asked, ownerOf).map(({ nr }) => nr)).toEqual([0, 3, 5, 1, 6, 2, 4]);
  });

  it("begins with those whose turn it is", () => {
    const asked = ["a", "a", "b", "c"].map((owner, nr): Wish => ({ owner, nr }));
    const order = inTurns(asked, ownerOf, ["c", "b"]);
    expect(order.map(ownerOf)).toEqual(["c", "b", "a", "a"]);
  });

  it("leaves out nothing, and adds nothing", () => {
    fc.assert(
      fc.property(wishes, someOwners, (asked, due) => {
        expect(new Set(inTurns(asked, ownerOf, due))).toEqual(new Set(asked));
        expect(inTurns(asked, ownerOf, due)).toHaveLength(asked.length);
      }),
    );
  });

  it("keeps each owner's own order", () => {
    fc.assert(
      fc.property(wishes, someOwners, (asked, due) => {
        const order = inTurns(asked, ownerOf, due);
        for (const owner of ["a", "b", "c", "d"]) {
          const own = (all: readonly Wish[]): readonly Wish[] =>
            all.filter((wish) => wish.owner === owner);
          expect(own(order)).toEqual(own(asked));
        }
      }),
    );
  });

  it("never gives one two more than another who wants more, wherever it is cut", () => {
    fc.assert(
      fc.property(wishes, someOwners, fc.nat(40), (asked, due, most) => {
        const taken = inTurns(asked, ownerOf, due).slice(0, most);
        const count = (all: readonly Wish[], owner: string): number =>
          all.filter((wish) => wish.owner === owner).length;
        for (const greedy of ["a", "b", "c", "d"]) {
          for (const modest of ["a", "b", "c", "d"]) {
            const wantsMore = count(asked, modest) > count(taken, modest);
            if (wantsMore) {
              expect(count(taken, greedy)).toBeLessThanOrEqual(count(taken, modest) + 1);
            }
          }
        }
      }),
    );
  });
});

describe("sharing out", () => {
  const lanes = fc
    .array(fc.record({ organization: fc.constantFrom("a", "b", "c"), more: fc.nat(12) }))
    .map((given) => given.map((each, nr) => ({ ...each, lane: String(nr) })));

  it("gives a busy organization no more than a quiet one that wants as much", () => {
    const busy = ["1", "2", "3", "4"].map((lane) => ({ lane, organization: "busy", more: 9 }));
    const quiet = { lane: "5", organization: "quiet", more: 9 };
    const shares = shareOut([...busy, quiet], 5);
    expect([shares.get(quiet), [...shares.values()].reduce((a, b) => a + b)]).toEqual([4, 5]);
  });

  it("gives all that is free, or all that is wanted, and nobody more than that", () => {
    fc.assert(
      fc.property(lanes, fc.nat(60), (wishes, free) => {
        const shares = shareOut(wishes, free);
        const wanted = wishes.reduce((sum, { more }) => sum + more, 0);
        const given = [...shares.values()].reduce((sum, share) => sum + share, 0);
        expect(given).toBe(Math.min(free, wanted));
        for (const [{ more }, share] of shares) expect(share).toBeLessThanOrEqual(more);
      }),
    );
  });

  it("gives lanes of one organization the same, as far as they want it", () => {
    fc.assert(
      fc.property(lanes, fc.nat(60), (wishes, free) => {
        const shares = shareOut(wishes, free);
        for (const greedy of wishes) {
          for (const modest of wishes) {
            const given = shares.get(modest) ?? 0;
            if (greedy.organization !== modest.organization || given === modest.more) continue;
            expect(shares.get(greedy) ?? 0).toBeLessThanOrEqual(given + 1);
          }
        }
      }),
    );
  });
});
