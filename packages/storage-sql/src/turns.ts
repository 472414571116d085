import { inTurns } from "@posthorn/core";
import type { Dialect } from "./dialect.ts";
import { int, text } from "./records.ts";
import { rowsOf, type Script } from "./script.ts";

/** Organizations whose turn it is, and the lanes that they send. */
interface Round {
  readonly organizations: readonly string[];
  /** The ids of lanes that are due: of each organization the earliest ones. */
  readonly lanes: readonly string[];
}

/** Which organizations are next, where more lanes are due than a claim can look at. */
export interface Turns {
  /**
   * The next organizations in which a lane of an ability is due, at most `most`, and at most as
   * many lanes. Nothing is locked.
   */
  next(ability: Ability, now: number, most: number): Script<Round>;
}

export interface Ability {
  readonly handlerType: string;
  readonly keyId: string;
}

/** How many lanes are seen at one look: of a large organization, or of many small ones. */
const LANES_AT_A_LOOK = 100;
const MOST_LOOKS = 8;

/**
 * Goes through the organizations in the order of an index, from where the last claim stopped, and
 * begins anew at the end. How far it has come is known to this process alone: another one is
 * elsewhere, and one that starts anew begins with the first.
 */
export function turnsIn({ lanesAfter }: Dialect): Turns {
  const stops = new Map<string, string>();

  return {
    next: function* ({ handlerType, keyId }, now, most) {
      const place = JSON.stringify([handlerType, keyId]);
      const visited = new Set<string>();
      const organizations = new Set<string>();
      const due: { readonly id: string; readonly organization: string }[] = [];
      const start = stops.get(place) ?? "";
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
        const seen = yield* rowsOf(lanesAfter, handlerType, keyId, after, LANES_AT_A_LOOK);
        if (seen.length === 0) {
          isOver = isSecond;
          isSecond = true;
          after = "";
        }
        for (const row of seen) {
          const organization = text(row["organization"]);
          isOver = !visit(organization);
          if (isOver) break;
          if (int(row["next_due_at"]) > now) continue;
          organizations.add(organization);
          due.push({ id: text(row["subscription_id"]), organization });
        }
        isOver ||= isSecond && after === start && start !== "";
      }
      stops.set(place, after);
      const lanes = inTurns(due, ({ organization }) => organization).slice(0, most);
      return { organizations: [...organizations], lanes: lanes.map(({ id }) => id) };
    },
  };
}
