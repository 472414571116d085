import { type Dialect, sent } from "./dialect.ts";
import { int, text } from "./records.ts";
import { type Row, rowsOf, type Script } from "./script.ts";

/**
 * Of markers that this router has locked, those that overtake none of the same organization: what
 * another router is busy with is still there until it commits. Markers of events that were put off
 * hold up no other. Only in the organizations given, which have lanes with an order: all others need
 * no looking.
 *
 * Markers that are not committed yet cannot be seen, and need not be: their publish is concurrent.
 */
export type InTurn = (
  markers: readonly Row[],
  organizations: ReadonlySet<string>,
  now: number,
) => Script<Turns>;

interface Turns {
  readonly markers: readonly Row[];
  /** How many others may be routed in a moment; those that wait for one that rests do not count. */
  readonly left: number;
}

export function markersIn(dialect: Dialect): InTurn {
  const { table, rows } = dialect;
  const counts = `select r.organization, (select count(*) from ${table("unrouted")} u where u.organization = r.organization and u.tries = 0 and u.position <= r.position) as counted from ${rows("r", { organization: "key", position: "int" })}`;
  const lowest = `select position, not_before from ${table("unrouted")} where organization = ? and tries = 0 order by position limit ?`;

  return function* (markers, organizations, now) {
    const all = { markers, left: 0 };
    if (organizations.size === 0) return all;
    const own = Map.groupBy(
      markers.filter((row) => int(row["tries"]) === 0),
      (row) => text(row["organization"]),
    );
    const asked = [...own].flatMap(([organization, some]) => {
      const position = Math.max(...some.map((row) => int(row["position"])));
      return organizations.has(organization) ? [{ organization, position }] : [];
    });
    if (asked.length === 0) return all;

    const firstOfOthers = new Map<string, { readonly position: number; readonly rests: boolean }>();
    for (const row of yield* rowsOf(counts, sent(asked))) {
      const organization = text(row["organization"]);
      const some = own.get(organization) ?? [];
      if (int(row["counted"]) === some.length) continue;
      const mine = new Set(some.map((each) => int(each["position"])));
      const there = yield* rowsOf(lowest, organization, some.length + 1);
      const foreign = there.find((each) => !mine.has(int(each["position"])));
      if (foreign === undefined) continue;
      const rests = int(foreign["not_before"]) > now;
      firstOfOthers.set(organization, { position: int(foreign["position"]), rests });
    }
    const boundOf = (row: Row) => firstOfOthers.get(text(row["organization"]));
    const isInTurn = (row: Row): boolean => {
      const bound = boundOf(row);
      return bound === undefined || int(row["position"]) < bound.position;
    };
    return {
      markers: markers.filter(isInTurn),
      left: markers.filter((row) => !isInTurn(row) && boundOf(row)?.rests === false).length,
    };
  };
}
