import type { Ground } from "./ground.ts";

/** What can be run by name. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  contests(ground: Ground, size: Size): readonly Contest[];
}

export interface Size {
  /** As small as counting allows: nothing is learned about speed. */
  readonly quick: boolean;
  /** A number of things to do: the one given, or what a quick run can afford. */
  of(full: number, quick: number): number;
}

/** Contestants that do the same, one after the other, in rotated rounds: one table. */
export interface Contest {
  readonly title: string;
  /** Of the figures that each contestant answers; the first is the one that is compared. */
  readonly columns: readonly string[];
  readonly better: "more" | "less";
  /** The row that the others are compared with. */
  readonly baseline: string | null;
  readonly rows: readonly Contestant[];
  readonly targets?: readonly Target[];
  /** How many rounds at most, where one takes minutes. */
  readonly rounds?: number;
}

export interface Contestant {
  readonly name: string;
  readonly note?: string;
  /** Does it once, from nothing, and throws unless all of it was done. */
  run(): Promise<readonly number[]>;
}

/** What is promised, within one round. Left out if a contestant it names is. */
export interface Target {
  readonly says: string;
  readonly value: (of: Of) => number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A figure of a row, in this round: the first one, unless another column is given. */
type Of = (row: string, column?: number) => number;

export const ratio =
  (row: string, baseline: string): Target["value"] =>
  (of) =>
    of(row) / of(baseline);
