import { describe, expect, it } from "vitest";
import { contest } from "./rounds.ts";
import { ratio } from "./workload.ts";

/** Contestants whose figures are known beforehand, and the order in which they ran. */
function known(figures: { readonly [name: string]: readonly number[] }) {
  const ran: string[] = [];
  const rows = Object.entries(figures).map(([name, all]) => {
    let round = 0;
    return {
      name,
      run: async () => {
        ran.push(name);
        return [all[round++] ?? Number.NaN];
      },
    };
  });
  const shape = { title: "a race", columns: ["laps/s"], better: "more", baseline: "hare" } as const;
  return { ran, contest: { ...shape, rows } };
}

const quietly = (): void => {};
const atLeastHalf = {
  says: "the tortoise ≥ 0.5 × the hare",
  value: ratio("tortoise", "hare"),
  atLeast: 0.5,
};

describe("a contest", () => {
  it("begins each round with another contestant", async () => {
    const { ran, contest: race } = known({
      hare: [1, 1, 1],
      tortoise: [1, 1, 1],
      snail: [1, 1, 1],
    });
    await contest(race, 3, quietly);
    expect(ran.map(([first]) => first).join("")).toBe("htstshsht");
  });

  it("compares what was measured in the same round", async () => {
    const { contest: race } = known({ hare: [10, 100, 1_000], tortoise: [5, 60, 400] });
    const { rows } = await contest(race, 3, quietly);
    expect(rows.map(({ ratios }) => ratios)).toEqual([
      [1, 1, 1],
      [0.5, 0.6, 0.4],
    ]);
  });

  it.each([
    { tortoise: [5, 60, 100], met: true },
    { tortoise: [4, 60, 400], met: false },
  ])("judges a target by the median of its rounds: $tortoise", async ({ tortoise, met }) => {
    const { contest: race } = known({ hare: [10, 100, 1_000], tortoise });
    const { verdicts } = await contest({ ...race, targets: [atLeastHalf] }, 3, quietly);
    expect(verdicts).toMatchObject([{ met }]);
  });

  it("says nothing about a target whose contestant is left out", async () => {
    const { contest: race } = known({ hare: [1] });
    const { verdicts } = await contest({ ...race, targets: [atLeastHalf] }, 1, quietly);
    expect(verdicts).toEqual([]);
  });

  it("names the contestant that did not do it", async () => {
    const { contest: race } = known({ hare: [1] });
    const asleep = { name: "snail", run: () => Promise.reject(new Error("asleep")) };
    const racing = contest({ ...race, rows: [asleep] }, 1, quietly);
    await expect(racing).rejects.toThrow("snail did not do it");
  });
});
