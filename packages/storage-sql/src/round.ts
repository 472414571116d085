import { text } from "./records.ts";
import type { Row, Script } from "./script.ts";

/** A part of a round through the organizations, in the order of an index. */
export interface Round {
  /** Those of which something is due, in the order of the round. */
  readonly organizations: readonly string[];
  /** What is due of them: of each the first rows, as the index has them. */
  readonly rows: readonly Row[];
  /** The last organization that was seen, due or not. */
  readonly after: string;
}

export interface RoundOptions {
  /** The organization after which it begins; "" for the first. */
  readonly start: string;
  /** Of how many organizations something is wanted, and how many rows of all of them. */
  readonly most: number;
  /** How many organizations there are, as far as is known: what one of them can have of it all. */
  readonly expected: number;
  /** The first rows, `each` at most, of each of so many owners after one, owner by owner. */
  look(asked: {
    readonly after: string;
    readonly owners: number;
    readonly each: number;
  }): Script<readonly Row[]>;
  isDue(row: Row): boolean;
  /** Organizations that are passed over. */
  readonly except?: ReadonlySet<string>;
}

/** How many organizations are looked at together, and about how many rows of all of them. */
const OWNERS_AT_A_LOOK = 100;
const ROWS_AT_A_LOOK = 200;
/** How many rows of one of them are looked at. */
const MOST_ROWS = 100;
const MOST_LOOKS = 8;

/**
 * Goes through the organizations in the order of an index, and begins anew at the end. What else a
 * large organization has is passed over: of each, its share is looked at first, and more only where
 * others do not want theirs.
 */
export function* goRound(options: RoundOptions): Script<Round> {
  const { most, expected } = options;
  const share = Math.min(MOST_ROWS, Math.ceil(most / Math.max(1, expected)));
  const round = yield* goOnce(options, share);
  const isEnough = !round.isCut || round.rows.length >= most || share === MOST_ROWS;
  return isEnough ? round : yield* goOnce(options, MOST_ROWS);
}

function* goOnce(
  { start, most, look, isDue, except }: RoundOptions,
  each: number,
): Script<Round & { readonly isCut: boolean }> {
  const visited = new Map<string, number>();
  const organizations = new Set<string>();
  const rows: Row[] = [];
  const owners = Math.min(most, OWNERS_AT_A_LOOK, Math.ceil(ROWS_AT_A_LOOK / each));
  let after = start;
  let isSecond = start === "";

  /** Whether the round goes on to the organization. */
  const visit = (organization: string): boolean => {
    const count = visited.get(organization) ?? 0;
    if (organization !== after || count === 0) {
      if (count > 0 || organizations.size >= most) return false;
      after = organization;
    }
    visited.set(organization, count + 1);
    return true;
  };
  for (let looks = 0, isOver = false; looks < MOST_LOOKS && !isOver; looks += 1) {
    const seen = yield* look({ after, owners, each });
    const isEnd = new Set(seen.map(ownerOf)).size < owners;
    for (const row of seen) {
      const organization = ownerOf(row);
      isOver = !visit(organization);
      if (isOver) break;
      if (except?.has(organization) || !isDue(row)) continue;
      organizations.add(organization);
      rows.push(row);
    }
    isOver ||= isSecond && (isEnd || (after === start && start !== ""));
    if (isEnd && !isOver) {
      isSecond = true;
      after = "";
    }
  }
  const isCut = [...visited].some(([id, count]) => count === each && !except?.has(id));
  return { organizations: [...organizations], rows, after, isCut };
}

const ownerOf = (row: Row): string => text(row["organization"]);
