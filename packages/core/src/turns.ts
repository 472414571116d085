/**
 * Who comes next where many want the same thing: round robin. The first of each owner, then the
 * second of each, and so on; what is one owner's keeps its order. However much one owner wants,
 * another waits for one round only.
 *
 * Owners come in the order in which they are met. Those that are `due`, in this order, come before
 * all others in the first round; whoever has nothing loses nothing.
 *
 * J. Nagle, On Packet Switches With Infinite Storage (RFC 970), 1985.
 */
export function inTurns<Item>(
  items: readonly Item[],
  ownerOf: (item: Item) => string,
  due: readonly string[] = [],
): readonly Item[] {
  const place = new Map(due.map((owner, index) => [owner, index - due.length]));
  const taken = new Map<string, number>();
  return items
    .map((item, met) => {
      const owner = ownerOf(item);
      const round = taken.get(owner) ?? 0;
      taken.set(owner, round + 1);
      const ahead = round === 0 ? (place.get(owner) ?? 0) : 0;
      return { item, round, ahead, met };
    })
    .sort((a, b) => a.round - b.round || a.ahead - b.ahead || a.met - b.met)
    .map(({ item }) => item);
}

/** A lane that was given one, and what else is due in it. */
export interface Wish {
  readonly lane: string;
  readonly organization: string;
  readonly more: number;
}

/**
 * How many more each gets of what is `free`: organizations have as much as each other, and so have
 * the lanes of one, as far as they want it. What each was given before counts.
 */
export function shareOut<Each extends Wish>(
  wishes: readonly Each[],
  free: number,
): ReadonlyMap<Each, number> {
  const given = wishes.map((wish) => ({ wish, isMore: false }));
  const wanted = wishes.flatMap((wish) =>
    Array.from({ length: Math.min(wish.more, free) }, () => ({ wish, isMore: true })),
  );
  const byLane = inTurns(wanted, ({ wish }) => wish.lane);
  const inOrder = inTurns([...given, ...byLane], ({ wish }) => wish.organization);
  const shares = new Map<Each, number>();
  for (const { wish } of inOrder.filter(({ isMore }) => isMore).slice(0, free)) {
    shares.set(wish, (shares.get(wish) ?? 0) + 1);
  }
  return shares;
}
