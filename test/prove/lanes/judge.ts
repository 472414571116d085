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
/** What a claim has free beyond the round goes to whoever waits longest: some have more turns. */
const MOST_TURNS = 10;

/**
 * A new lane is served within two rounds, counted in claims and not in seconds, in each process. A
 * round is over when each has had a turn: each other organization, while a new one waited; each
 * other lane of its organization, while a new lane of a busy one waited.
 */
export function judgeLanes(evidence: LanesEvidence): Verdict {
  const { taken, newcomers, lanes } = evidence;
  const broken: string[] = [];
  const waits = newcomers.flatMap((newcomer): readonly Wait[] => {
    const wait = waitOf(newcomer, evidence);
    if (wait === null) broken.push(`never served: ${newcomer.lane}`);
    return wait === null ? [] : [wait];
  });
  for (const { lane, rounds, most } of waits) {
    if (rounds > MOST_ROUNDS) broken.push(`${rounds} rounds while ${lane} waited`);
    if (most.turns <= MOST_TURNS) continue;
    broken.push(`${most.of} had ${most.turns} turns while ${lane} waited`);
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
      "most rounds meanwhile": Math.max(0, ...waits.map(({ rounds }) => rounds)),
      "most turns of another meanwhile": Math.max(0, ...waits.map(({ most }) => most.turns)),
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
  /** How many rounds of the others were over before it was served, in the process that had most. */
  readonly rounds: number;
  /** Which of the others had most turns in one process. */
  readonly most: Turns;
}

function waitOf(
  { lane, published }: Newcomer,
  { taken, newcomers, ownerOf }: LanesEvidence,
): Wait | null {
  const serving = taken.find(({ lanes }) => lanes.includes(lane));
  if (serving === undefined) return null;
  const before = taken.filter(({ at }) => at >= published && at < serving.at);
  const owner = ownerOf(lane);
  const isNew = (each: string): boolean => newcomers.some((newcomer) => newcomer.lane === each);
  const isBeside = (other: string): boolean => other !== lane && ownerOf(other) === owner;
  const isAlone = !taken.some(({ lanes }) => lanes.some(isBeside));
  /** Those that a claim served beside it, and that had been there before. */
  const servedBy = ({ lanes }: Taken): ReadonlySet<string> => {
    const old = lanes.filter((each) => !isNew(each));
    const others = isAlone ? old.map(ownerOf) : old.filter(isBeside);
    return new Set(others.filter((each) => each !== owner));
  };
  const others = new Set(taken.flatMap((each) => [...servedBy(each)]));
  const byProcess = [...Map.groupBy(before, ({ by }) => by).entries()].map(([by, claims]) => {
    const served = claims.map(servedBy);
    return { rounds: roundsOf(served, others), most: mostOf(served, by) };
  });
  return {
    lane,
    isAlone,
    claims: before.filter(({ by }) => by === serving.by).length,
    rounds: Math.max(0, ...byProcess.map(({ rounds }) => rounds)),
    most: byProcess.reduce((most, each) => (each.most.turns > most.turns ? each.most : most), {
      of: "nobody",
      turns: 0,
    }),
  };
}

/** How often each of the others has been served, since the last time that each had been. */
function roundsOf(served: readonly ReadonlySet<string>[], others: ReadonlySet<string>): number {
  let rounds = 0;
  const left = new Set(others);
  for (const each of served.flatMap((claim) => [...claim])) {
    left.delete(each);
    if (left.size > 0) continue;
    rounds += 1;
    for (const other of others) left.add(other);
  }
  return rounds;
}

function mostOf(served: readonly ReadonlySet<string>[], by: string): Turns {
  const turns = [
    ...Map.groupBy(
      served.flatMap((each) => [...each]),
      (each) => each,
    ),
  ].map(([of, { length }]) => ({ of: `${of} in ${by}`, turns: length }));
  return turns.reduce((most, each) => (each.turns > most.turns ? each : most), {
    of: "nobody",
    turns: 0,
  });
}
