import { isPosthornError } from "./errors.ts";

/** Writes items in groups; answers for each item what the write answered for it. */
export type GroupWrite<Item, Result> = (items: readonly Item[]) => Promise<readonly Result[]>;

export interface GroupOptions<Item> {
  /** How many items are written together at most. */
  readonly maxGroup: number;
  /**
   * How much an item is, and from how much on a group is written beside another one: the answers of
   * the two come in any order. Absent: never.
   */
  readonly beside?: { readonly weightOf: (item: Item) => number; readonly from: number };
}

const TURNS_TO_ASK_AGAIN = 20;
const MOST_AT_ONCE = 2;

/**
 * Gathers what arrives while the previous write is in flight, and writes it as one group. Idle,
 * nothing waits; under load, groups grow by themselves.
 *
 * A group that fails is tried again one by one, so that bad items fail alone; unless the storage
 * itself is full or away. The write must therefore be safe to repeat.
 */
export function groupCommit<Item, Result>(
  write: GroupWrite<Item, Result>,
  { maxGroup, beside }: GroupOptions<Item>,
): (item: Item) => Promise<Result> {
  interface Waiting {
    readonly item: Item;
    readonly resolve: (result: Result) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  let writing = 0;

  function isWorthAnother(): boolean {
    if (writing === 0) return true;
    if (beside === undefined || writing === MOST_AT_ONCE) return false;
    return waiting.reduce((sum, { item }) => sum + beside.weightOf(item), 0) >= beside.from;
  }

  async function writeGroups(): Promise<void> {
    writing += 1;
    while (waiting.length > 0) {
      const group = waiting.slice(0, maxGroup);
      waiting = waiting.slice(maxGroup);
      try {
        const results = await write(group.map(({ item }) => item));
        for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result);
        await answered();
      } catch (error) {
        if (group.length > 1 && !isAway(error)) await writeSingly(group);
        else for (const { reject } of group) reject(error);
      }
    }
    writing -= 1;
  }

  async function writeSingly(group: readonly Waiting[]): Promise<void> {
    for (const { item, resolve, reject } of group) {
      try {
        const [result] = await write([item]);
        resolve(result as Result);
      } catch (error) {
        reject(error);
      }
    }
  }

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isWorthAnother()) void writeGroups();
    });
}

/**
 * Those who were answered may have more to write: it takes them some turns of the microtask queue to
 * say so, and they are in the next group then. Otherwise groups of nearly all callers would take
 * turns with groups of hardly any.
 */
async function answered(): Promise<void> {
  for (let turn = 0; turn < TURNS_TO_ASK_AGAIN; turn += 1) await null;
}

const isAway = (error: unknown): boolean =>
  isPosthornError(error, "storage_full") || isPosthornError(error, "storage_unavailable");
