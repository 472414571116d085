import { breakRule } from "./break.ts";
import type { Figures, Outcome } from "./cluster.ts";
import { variants } from "./variants.ts";

/** What a child process is told to play: seeds, each once or twice, up to the first that fails. */
export interface Order {
  readonly seeds: readonly number[];
  readonly twice: boolean;
  readonly untilBroken: boolean;
}

/** What it answers of each. */
export interface Played {
  readonly seed: number;
  readonly broken: Outcome["broken"];
  readonly figures: Figures;
  readonly met: readonly string[];
}

// A child of run.ts. With the name of a variant, the rule is broken before anything is loaded.
const variant = variants.find(({ name }) => name === process.argv[2]);
if (variant !== undefined) breakRule(variant);
const { play } = await import("./cluster.ts");
const { drawPlan } = await import("./plan.ts");

process.on("message", ({ seeds, twice, untilBroken }: Order) => {
  void (async () => {
    const played: Played[] = [];
    for (const seed of seeds) {
      const { broken, figures, met, fingerprint } = await play(drawPlan(seed));
      const again = twice ? (await play(drawPlan(seed))).fingerprint : fingerprint;
      const differs = {
        rule: "the same seed, the same run",
        laws: "21",
        what: "it differed",
        at: 0,
      };
      played.push({ seed, broken: again === fingerprint ? broken : differs, figures, met });
      if (untilBroken && broken !== null) break;
    }
    process.send?.(played);
  })();
});
process.once("disconnect", () => process.exit(0));
