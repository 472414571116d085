import type { Step } from "./step.ts";

/**
 * A shorter history that goes wrong as well: steps are left out, many at once and then fewer; then
 * what single steps do is made less.
 *
 * @param wrong Plays a history, and answers how much of it was played when it went wrong; null if
 * it did not, or if there is no time left to play it.
 */
export async function shorten(
  steps: readonly Step[],
  wrong: (steps: readonly Step[]) => Promise<readonly Step[] | null>,
): Promise<readonly Step[]> {
  let shortest = steps;
  const replace = async (start: number, count: number, by: readonly Step[]): Promise<boolean> => {
    const found = await wrong(shortest.toSpliced(start, count, ...by));
    shortest = found ?? shortest;
    return found !== null;
  };

  for (let size = Math.ceil(steps.length / 2); size >= 1; ) {
    let isShorter = false;
    for (let end = shortest.length; end > 0; end = Math.min(end - size, shortest.length)) {
      const start = Math.max(0, end - size);
      isShorter = (await replace(start, end - start, [])) || isShorter;
    }
    size = size > 1 ? Math.floor(size / 2) : isShorter ? 1 : 0;
  }

  for (let index = 0; index < shortest.length; index += 1) {
    let left = lessOf(shortest[index]);
    for (let [less] = left; less !== undefined; [less] = left) {
      left = (await replace(index, 1, [less])) ? lessOf(less) : left.slice(1);
    }
  }
  return shortest;
}

/** The same step with one thing less: the other handle, a flag, one of several items. */
function lessOf(step: Step | undefined): readonly Step[] {
  if (step === undefined) return [];
  const [name, given, ...handle] = step;
  const fields = Object.entries(given).flatMap(([field, value]): readonly object[] => {
    if (value === true) return [{ ...given, [field]: undefined }];
    if (!Array.isArray(value) || value.length < 2) return [];
    return value.map((_, index) => ({ ...given, [field]: value.toSpliced(index, 1) }));
  });
  return [
    ...handle.map((): Step => [name, given]),
    ...fields.map((less): Step => [name, less, ...handle]),
  ];
}
