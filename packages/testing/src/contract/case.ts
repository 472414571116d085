/** One law of a port, as something that can be run. */
export interface ContractCase<Harness> {
  /** The law, as a sentence after the verb it is about. */
  readonly name: string;
  /** What the case cannot run without, beyond what every harness has. */
  readonly needs: readonly string[];
  /**
   * Resolves if the law holds; rejects if it is broken, with an error that says how.
   *
   * A case whose needs are not met is skipped through `test`, with the reason. Without `test` it
   * rejects: nothing is skipped in silence.
   */
  run(harness: Harness, test?: Skippable): Promise<void>;
}

/** The part of a test runner's context that cases use; Vitest and `node:test` both have it. */
export interface Skippable {
  skip(reason: string): unknown;
}

/** Turns named laws into cases; `play` runs one of them, or answers why it cannot. */
export function cases<Harness, Part>(
  verb: string,
  needs: readonly string[],
  play: (harness: Harness, needs: readonly string[], law: Law<Part>) => Promise<string | null>,
  laws: { readonly [name: string]: Law<Part> },
): readonly ContractCase<Harness>[] {
  return Object.entries(laws).map(([sentence, law]) => {
    const name = `${verb}: ${sentence}`;
    return {
      name,
      needs,
      run: async (harness, test) => {
        const reason = await play(harness, needs, law);
        if (reason === null) return;
        if (test === undefined) throw new Error(`"${name}" cannot run: ${reason}.`);
        test.skip(reason);
      },
    };
  });
}

export type Law<Part> = (part: Part) => Promise<void> | void;
