/** Items by instant, earliest first; those of one instant in the order in which they were added. */
export interface DueQueue<Item> extends Iterable<Entry<Item>> {
  readonly size: number;
  first(): Entry<Item> | undefined;
  add(item: Item, at: number): Entry<Item>;
  /** Without an entry there is nothing to remove. */
  remove(entry: Entry<Item> | undefined): void;
}

export interface Entry<Item> {
  readonly item: Item;
  readonly at: number;
  readonly order: number;
}

const CHUNK = 512;

/** A sorted list in chunks: adding and removing anywhere cost the same, with 10 items or 100,000. */
export function dueQueue<Item>(): DueQueue<Item> {
  const chunks: Entry<Item>[][] = [];
  let size = 0;
  let added = 0;

  const isAfter = (a: Entry<Item>, b: Entry<Item>): boolean =>
    a.at > b.at || (a.at === b.at && a.order > b.order);
  const chunkOf = (entry: Entry<Item>): number =>
    lowest(chunks.length, (index) => !isAfter(entry, chunks[index]?.at(-1) ?? entry));
  const positionIn = (chunk: readonly Entry<Item>[], entry: Entry<Item>): number =>
    lowest(chunk.length, (index) => !isAfter(entry, chunk[index] ?? entry));

  return {
    get size() {
      return size;
    },
    first: () => chunks[0]?.[0],
    add: (item, at) => {
      added += 1;
      size += 1;
      const entry = { item, at, order: added };
      const index = Math.min(chunkOf(entry), Math.max(0, chunks.length - 1));
      const chunk = chunks[index];
      if (chunk === undefined) {
        chunks.push([entry]);
        return entry;
      }
      chunk.splice(positionIn(chunk, entry), 0, entry);
      if (chunk.length > 2 * CHUNK) chunks.splice(index + 1, 0, chunk.splice(CHUNK));
      return entry;
    },
    remove: (entry) => {
      if (entry === undefined) return;
      const index = chunkOf(entry);
      const chunk = chunks[index] ?? [];
      const position = positionIn(chunk, entry);
      if (chunk[position] !== entry) return;
      size -= 1;
      chunk.splice(position, 1);
      if (chunk.length === 0) chunks.splice(index, 1);
    },
    *[Symbol.iterator]() {
      for (const chunk of chunks) yield* chunk;
    },
  };
}

/** The lowest index that passes, when all after it pass too; `length` if none does. */
function lowest(length: number, passes: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
