import type { Sizes } from "./sizes.ts";
import type { Setting } from "./stage.ts";

interface Play extends Setting {
  readonly sizes: Sizes;
  /** Whether what depends on time is judged too, and not only told. */
  readonly full: boolean;
}

/** What a judge has found. */
export interface Verdict {
  readonly figures: Readonly<Record<string, string | number>>;
  /** The laws that were broken, and by what; empty if all is well. */
  readonly broken: readonly string[];
}

/** Plays with real processes, and judges what was written down meanwhile. */
export type Proof = (play: Play) => Promise<Verdict>;
