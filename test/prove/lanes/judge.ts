import type { Taken } from "../noted.ts";
import type { Verdict } from "../proof.ts";

/** A subscription that was created while all others were busy. */
export interface Newcomer {
  /** The name of its subscription. */
  readonly lane: string;
  /** When the publish of its first event had returned. */
  readonly published: number;
  /** How many lanes were due then. */
  readonly due: number;
}

export interface LanesEvidence {
  /** Claims, and routes that began flights, in the order in which they began. */
  readonly taken: readonly Taken[];
  readonly newcomers: readonly Newcomer[];
  /** How many lanes were always to be due. */
  readonly lanes: number;
  /** Whose a lane is, by the name of its subscription. */
  ownerOf(lane: string): string;
}

const MOST_ROUNDS = 2;

/**
 * A new lane is served within two rounds, and a round is one turn of each: while a new organization
 * waited, no other was served in more than two claims of one process; while a new lane of a busy
 * organization waited, no other lane of that one. Claims are counted, and not seconds.
 */
export function judgeLanes({ taken, newcomers, lanes, ownerOf }: LanesEvidence): Verdict {
  const broken: string[] = [];
  const waits = newcomers.flatMap((newcomer): readonly Wait[] => {
    const wait = waitOf(newcomer, taken, ownerOf);
    if (wait === null) broken.push(`never served: ${newcomer.lane}`);
    return wait === null ? [] : [wait];
  });
  for (const { lane, others } of waits) {
    if (others.turns <= MOST_ROUNDS) continue;
    broken.push(`${others.of} had ${others.turns} turns while ${lane} waited`);
  }
  const fewest = Math.min(...newcomers.map(({ due }) => due));
  // Those whose delivery is in flight at the moment are not due.
  if (fewest < lanes * 0.9) broken.push(`too few lanes were due to judge by: ${fewest}`);
  const claims = waits.map((wait) => wait.claims).sort((a, b) => a - b);
  const isOwn = ({ isAlone }: Wait): boolean => isAlone;
  const longest = (some: readonly Wait[]): number =>
    Math.max(0, ...some.map((wait) => wait.claims));
  return {
    figures: {
      "lanes always due": fewest,
      "new lanes": newcomers.length,
      "claims until served, median": claims[claims.length >> 1] ?? 0,
      "most, of a new organization": longest(waits.filter(isOwn)),
      "most, of a busy organization": longest(waits.filter((wait) => !isOwn(wait))),
      "most turns of another meanwhile": Math.max(0, ...waits.map(({ others }) => others.turns)),
      "deliveries taken in all": taken.reduce((sum, each) => sum + each.lanes.length, 0),
    },
    broken,
  };
}

interface Turns {
  readonly of: string;
  readonly turns: number;
}

interface Wait {
  readonly lane: string;
  /** Its organization has no other lane. */
  readonly isAlone: boolean;
  /** How many claims of the process that served it took something before. */
  readonly claims: number;
  /** Who had most turns in one process meanwhile: of other organizations, or of its own lanes. */
  readonly others: Turns;
}

function waitOf(
  { lane, published }: Newcomer,
  taken: readonly Taken[],
  ownerOf: LanesEvidence["ownerOf"],
): Wait | null {
  const serving = taken.find(({ lanes }) => lanes.includes(lane));
  if (serving === undefined) return null;
  const before = taken.filter(({ at }) => at >= published && at < serving.at);
  const owner = ownerOf(lane);
  const isBeside = (other: string): boolean => other !== lane && ownerOf(other) === owner;
  const isAlone = !taken.some(({ lanes }) => lanes.some(isBeside));
  const others = before.flatMap(({ by, lanes }) => {
    const served = isAlone ? lanes.map(ownerOf) : lanes.filter(isBeside);
    return [...new Set(served)].map((each) => `${each} in ${by}`);
  });
  const claims = before.filter(({ by }) => by === serving.by).length;
  return { lane, isAlone, claims, others: mostOf(others) };
}

function mostOf(names: readonly string[]): Turns {
  const counts = [...Map.groupBy(names, (name) => name)].map(([of, { length }]) => ({
    of,
    turns: length,
  }));
  return counts.reduce((most, each) => (each.turns > most.turns ? each : most), {
    of: "nobody",
    turns: 0,
  });
}
