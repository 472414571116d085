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
  /** Of how many organizations something is wanted. */
  readonly most: number;
  /** The first rows of the organizations after one, organization by organization. */
  look(after: string, limit: number): Script<readonly Row[]>;
  isDue(row: Row): boolean;
  /** Organizations that are passed over. */
  readonly except?: ReadonlySet<string>;
}

/** How many rows are seen at one look: of a large organization, or of many small ones. */
const ROWS_AT_A_LOOK = 100;
const MOST_LOOKS = 8;

/**
 * Goes through the organizations in the order of an index, and begins anew at the end. What else a
 * large organization has is passed over: the next look begins after it.
 */
export function* goRound({ start, most, look, isDue, except }: RoundOptions): Script<Round> {
  const visited = new Set<string>();
  const organizations = new Set<string>();
  const rows: Row[] = [];
  let after = start;
  let isSecond = start === "";

  /** Whether the round goes on to the organization. */
  const visit = (organization: string): boolean => {
    if (organization === after && visited.has(organization)) return true;
    if (visited.has(organization) || organizations.size >= most) return false;
    visited.add(organization);
    after = organization;
    return true;
  };
  for (let looks = 0, isOver = false; looks < MOST_LOOKS && !isOver; looks += 1) {
    const seen = yield* look(after, ROWS_AT_A_LOOK);
    if (seen.length === 0) {
      isOver = isSecond;
      isSecond = true;
      after = "";
    }
    for (const row of seen) {
      const organization = text(row["organization"]);
      isOver = !visit(organization);
      if (isOver) break;
      if (except?.has(organization) || !isDue(row)) continue;
      organizations.add(organization);
      rows.push(row);
    }
    isOver ||= isSecond && after === start && start !== "";
  }
  return { organizations: [...organizations], rows, after };
}
