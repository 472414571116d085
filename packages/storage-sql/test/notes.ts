import type { Script, Statement } from "../src/script.ts";

/** Scripts about the table `notes` (id, word). */

export const insert = (id: number, word: string): Statement => ({
  text: "insert into notes (id, word) values (?, ?)",
  params: [id, word],
});

export const update = (id: number, word: string): Statement => ({
  text: "update notes set word = ? where id = ?",
  params: [word, id],
});

export function* inserting(id: number, word: string): Script<void> {
  yield insert(id, word);
}

export function* updating(id: number, word: string): Script<void> {
  yield update(id, word);
}

/** Asks the database for something until it is so: scripts cannot wait otherwise. */
export function* until(isSo: () => boolean): Script<void> {
  for (let asked = 0; !isSo(); asked += 1) {
    if (asked === 20_000) throw new Error("What the script waits for does not happen.");
    yield { text: "select 1", params: [] };
  }
}

/** Notes the codes of what a script throws. */
export function* watching<Result>(codes: unknown[], script: () => Script<Result>): Script<Result> {
  try {
    return yield* script();
  } catch (error) {
    codes.push((error as { readonly code?: unknown }).code);
    throw error;
  }
}

/** Whether a promise is settled. */
export function settled(promise: Promise<unknown>): { readonly is: boolean } {
  const state = { is: false };
  const settle = (): void => {
    state.is = true;
  };
  void promise.then(settle, settle);
  return state;
}
