import { median } from "./figures.ts";
import type { Contest, Contestant, Target } from "./workload.ts";

interface Row {
  readonly name: string;
  readonly note: string;
  /** By column, of each round. */
  readonly figures: readonly (readonly number[])[];
  /** To the baseline, within each round. */
  readonly ratios: readonly number[];
}

export interface Result {
  readonly title: string;
  readonly columns: readonly string[];
  readonly better: Contest["better"];
  readonly baseline: string | null;
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}

interface Verdict {
  readonly says: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly met: boolean;
}

/** Runs every contestant once a round, each round beginning with another one. */
export async function contest(
  { rows, columns, title, better, baseline, targets = [], rounds: most = Infinity }: Contest,
  rounds: number,
  onRun: (name: string, round: number) => void,
): Promise<Result> {
  const played = new Map<string, (readonly number[])[]>(rows.map(({ name }) => [name, []]));
  for (let round = 0; round < Math.min(rounds, most); round += 1) {
    for (const contestant of rotated(rows, round)) {
      onRun(contestant.name, round);
      played.get(contestant.name)?.push(await ran(contestant));
    }
  }
  const figures: Figures = (name, column = 0) =>
    (played.get(name) ?? []).map((each) => each[column] ?? Number.NaN);
  const ofBaseline = baseline === null ? [] : figures(baseline);
  return {
    title,
    columns,
    better,
    baseline,
    rows: rows.map(({ name, note = "" }) => ({
      name,
      note,
      figures: columns.map((_, column) => figures(name, column)),
      ratios: figures(name).flatMap((figure, round) => {
        const base = ofBaseline[round];
        return base === undefined ? [] : [figure / base];
      }),
    })),
    verdicts: targets.flatMap((target) => verdictOn(target, figures)),
  };
}

async function ran({ name, run }: Contestant): Promise<readonly number[]> {
  globalThis.gc?.();
  try {
    return await run();
  } catch (error) {
    throw new Error(`${name} did not do it`, { cause: error });
  }
}

const rotated = <Item>(items: readonly Item[], by: number): readonly Item[] =>
  items.map((_, index) => items[(index + by) % items.length] as Item);

type Figures = (name: string, column?: number) => readonly number[];

function verdictOn(
  { says, value, atLeast = -Infinity, atMost = Infinity }: Target,
  figures: Figures,
): readonly Verdict[] {
  const rounds: number[] = [];
  let isMissing = false;
  for (let round = 0; ; round += 1) {
    let isOver = false;
    const found = value((name, column) => {
      const all = figures(name, column);
      isMissing ||= all.length === 0;
      isOver ||= round >= all.length;
      return all[round] ?? Number.NaN;
    });
    if (isOver) break;
    rounds.push(found);
  }
  if (isMissing) return [];
  const middle = median(rounds);
  return [{ says, value: middle, met: middle >= atLeast && middle <= atMost }];
}
