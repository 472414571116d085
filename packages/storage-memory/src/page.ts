import type { PageOf, PageRequest } from "@posthorn/core";

/** One page of items with ids, newest first. */
export function pageOf<Item extends { readonly id: string }>(
  items: readonly Item[],
  { limit, after, before }: PageRequest,
): PageOf<Item> {
  const sorted = items.toSorted((a, b) => (a.id < b.id ? 1 : -1));
  const start = after === undefined ? 0 : firstIndex(sorted, ({ id }) => id < after);
  const end = before === undefined ? sorted.length : firstIndex(sorted, ({ id }) => id <= before);
  const from = after === undefined && before !== undefined ? Math.max(start, end - limit) : start;
  const to = Math.min(from + limit, end);
  return { items: sorted.slice(from, to), older: to < sorted.length, newer: from > 0 };
}

function firstIndex<Item>(items: readonly Item[], matches: (item: Item) => boolean): number {
  const index = items.findIndex(matches);
  return index === -1 ? items.length : index;
}
