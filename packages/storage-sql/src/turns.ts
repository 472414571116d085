import { inTurns } from "@posthorn/core";
import type { Dialect } from "./dialect.ts";
import { int, text } from "./records.ts";
import { goRound, type RoundOptions } from "./round.ts";
import type { Script } from "./script.ts";

/** Organizations whose turn it is, and the lanes that they send. */
export interface Next {
  readonly organizations: readonly string[];
  /** The ids of lanes that are due: of each organization the earliest ones. */
  readonly lanes: readonly string[];
}

/** Which organizations are next, where more lanes are due than a claim can look at. */
export interface Turns {
  /**
   * The next organizations in which a lane of an ability is due, at most `most`, and at most as
   * many lanes; none of those excepted. Nothing is locked.
   */
  next(ability: Ability, now: number, options: Pick<RoundOptions, "most" | "except">): Script<Next>;
}

export interface Ability {
  readonly handlerType: string;
  readonly keyId: string;
}

/**
 * Begins where the last claim stopped. How far it has come is known to this process alone: another
 * one is elsewhere, and one that starts anew begins with the first.
 */
export function turnsIn({ nextOwners }: Dialect): Turns {
  const stops = new Map<string, string>();
  const known = new Map<string, number>();
  const lanesOf = nextOwners({
    table: "lanes",
    index: "turns",
    owner: "organization",
    id: "subscription_id",
    columns: ["subscription_id", "organization", "next_due_at", "served_at"],
    where: "handler_type = ? and key_id = ? and next_due_at is not null",
    order: ["next_due_at", "served_at"],
  });

  return {
    next: function* ({ handlerType, keyId }, now, { most, ...but }) {
      const place = JSON.stringify([handlerType, keyId]);
      const { organizations, rows, after } = yield* goRound({
        start: stops.get(place) ?? "",
        most,
        expected: known.get(place) ?? 1,
        ...but,
        look: (asked) => lanesOf({ ...asked, given: [handlerType, keyId] }),
        isDue: (row) => int(row["next_due_at"]) <= now,
      });
      stops.set(place, after);
      known.set(place, organizations.length);
      const lanes = inTurns(rows, (row) => text(row["organization"])).slice(0, most);
      return { organizations, lanes: lanes.map((row) => text(row["subscription_id"])) };
    },
  };
}
