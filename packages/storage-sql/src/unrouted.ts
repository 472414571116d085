import { inTurns } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { int, text } from "./records.ts";
import { goRound } from "./round.ts";
import { type Row, rowsOf, type Script } from "./script.ts";

/** The markers of events that are due to be routed, whose turn it is. */
export interface UnroutedTurns {
  /**
   * Locks at most `most` of them, in the order in which they have their turns; of one organization
   * in the order of their commits. What others have locked is left out.
   */
  take(now: number, most: number): Script<Taken>;
  /** The same, if they are very few, with their events; null if there are more. Nothing is locked. */
  peek(now: number, most: number): Script<Pick<Taken, "markers" | "events"> | null>;
}

interface Taken {
  readonly markers: readonly Row[];
  /** Their events, if these were read at the same time. */
  readonly events: readonly Row[] | null;
  /** Notes who had a turn: the next route begins with the first that is still waiting for its own. */
  goOn(isWaiting: (organization: string) => boolean): void;
}

const NOBODY: Taken = { markers: [], events: null, goOn: () => {} };
/** Where no more markers were taken last, their events are read with them: one question less. */
const FEW = 100;
/** So few of them are routed without locking them before. */
const VERY_FEW = 20;

/**
 * Those that were published first; and if there are more of them, also the first ones of the
 * organizations that are next in a round, which come before the rest. How far the round has come is
 * known to this process alone.
 */
export function unroutedIn(dialect: Dialect): UnroutedTurns {
  const { table, rows, lookUp, given, nextOwners, skipLocked, skipLockedOf } = dialect;
  const columns = ["position", "event_id", "organization", "after_id", "tries"];
  const first = `select ${columns.join(", ")} from ${table("unrouted")} where not_before <= ? order by position limit ${given("int")}${skipLocked}`;
  // Outer: a marker whose event is gone must not be overlooked.
  const withEvents = `select u.position, u.event_id, u.after_id, u.tries, u.organization as marked_for, e.* from ${table("unrouted")} u left join ${table("events")} e on e.id = u.event_id where u.not_before <= ? order by u.position limit ${given("int")}`;
  const firstWithEvents = skipLockedOf === null ? null : `${withEvents}${skipLockedOf("u")}`;
  const those = `select ${columns.map((column) => `u.${column}`).join(", ")} from ${rows("r", { position: "int" })} ${lookUp("unrouted", "u")} on u.position = r.position where u.not_before <= ? order by u.position${skipLocked}`;
  const following = nextOwners({
    table: "unrouted",
    index: "organization",
    owner: "organization",
    id: "position",
    columns: ["organization", "position", "not_before"],
    where: null,
    order: ["position"],
  });
  let stop = "";
  let organizations = 1;
  let few = true;

  /** The markers that come first; while there are few, with their events. */
  function* lookFirst(now: number, most: number): Script<Pick<Taken, "markers" | "events">> {
    if (few && firstWithEvents !== null) {
      const limit = Math.min(most, FEW);
      const found = yield* rowsOf(firstWithEvents, now, limit);
      if (found.length < limit || limit === most) return apart(found);
    }
    const markers = yield* rowsOf(first, now, most);
    few = markers.length < FEW;
    return { markers, events: null };
  }

  return {
    peek: function* (now, most) {
      const limit = Math.min(most, VERY_FEW);
      const found = yield* rowsOf(withEvents, now, limit + 1);
      if (found.length > limit) return null;
      const { markers, events } = apart(found);
      return { markers: inTurns(markers, organizationOf), events };
    },

    take: function* (now, most) {
      const locked = new Map<number, Row>();
      const lock = (found: readonly Row[]): void => {
        for (const row of found) locked.set(positionOf(row), row);
      };
      const { markers, events } = yield* lookFirst(now, most);
      lock(markers);
      if (locked.size === 0) return NOBODY;
      const seen = new Map<number, Row>(locked);
      let next: readonly string[] = [];
      let last: string | null = null;
      if (locked.size === most) {
        const round = yield* goRound({
          start: stop,
          most,
          expected: organizations,
          look: (asked) => following({ ...asked, given: [] }),
          isDue: (row) => int(row["not_before"]) <= now,
        });
        for (const row of round.rows) {
          const position = positionOf(row);
          if (!seen.has(position)) seen.set(position, row);
        }
        next = round.organizations;
        organizations = next.length;
        last = round.after;
      }
      const byAge = [...seen.values()].sort((a, b) => positionOf(a) - positionOf(b));
      const others = followingTo(stop, byAge.map(organizationOf)).filter(
        (organization) => !next.includes(organization),
      );
      const inOrder = [...next, ...others];
      const chosen = inTurns(byAge, organizationOf, inOrder).slice(0, most).map(positionOf);
      const missing = chosen.filter((position) => !locked.has(position));
      if (missing.length > 0) {
        const asked = missing.sort((a, b) => a - b).map((position) => ({ position }));
        lock(yield* rowsOf(those, sent(asked), now));
      }
      const round = last === null ? inOrder : next;
      return {
        markers: chosen.flatMap((position): readonly Row[] => {
          const row = locked.get(position);
          return row === undefined ? [] : [row];
        }),
        events: missing.length > 0 ? null : events,
        goOn: (isWaiting) => {
          const waiting = round.findIndex(isWaiting);
          stop = waiting === -1 ? (last ?? round.at(-1) ?? stop) : (round[waiting - 1] ?? stop);
        },
      };
    },
  };
}

/** Markers and events of rows that are both. */
const apart = (found: readonly Row[]): Pick<Taken, "markers" | "events"> => ({
  markers: found.map((row) => ({ ...row, organization: row["marked_for"] })),
  events: found.filter((row) => row["id"] !== null),
});

/** Each once, in the order of a round that goes on after one of them. */
function followingTo(after: string, organizations: readonly string[]): readonly string[] {
  const sorted = [...new Set(organizations)].sort();
  return [
    ...sorted.filter((organization) => organization > after),
    ...sorted.filter((organization) => organization <= after),
  ];
}

const positionOf = (row: Row): number => int(row["position"]);
const organizationOf = (row: Row): string => text(row["organization"]);
