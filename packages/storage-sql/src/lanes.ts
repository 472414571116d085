import type { DeliveryOrder } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { gateIdsOf, isSet, orderIn } from "./records.ts";
import { change, type Row, rowsOf, type Script } from "./script.ts";

/** A lane that is locked: nothing that waits in it changes meanwhile. */
export interface LockedLane {
  readonly id: string;
  readonly gateIds: readonly string[];
  readonly order: DeliveryOrder;
  readonly parked: boolean;
  readonly deleted: boolean;
}

interface TakenLanes {
  readonly locked: ReadonlyMap<string, LockedLane>;
  readonly held: ReadonlySet<string>;
}

export interface Lanes {
  /** Locks lanes in the order of their ids; those that are gone are left out. */
  lock(ids: Iterable<string>): Script<ReadonlyMap<string, LockedLane>>;
  /** The same; in haste it waits for nobody, and tells which lanes others hold. */
  take(ids: Iterable<string>, inHaste: boolean): Script<TakenLanes>;
  /**
   * Tells locked lanes when the earliest of what has been made waiting is due. Unconditional:
   * a lane that believes to know better strands what waits in it.
   */
  expect(dues: readonly Due[]): Script<void>;
}

export interface Due {
  readonly subscriptionId: string;
  readonly dueAt: number;
}

export function lanesIn(dialect: Dialect): Lanes {
  const { rows, lookUp, forUpdate, skipLocked } = dialect;
  const select = `select l.* from ${rows("r", { id: "key" })} ${lookUp("lanes", "l")} on l.subscription_id = r.id order by l.subscription_id`;
  const expect = dialect.update({
    table: "lanes",
    rows: { id: "key", due: "int" },
    set: {
      next_due_at:
        "case when t.parked = 1 then null when t.next_due_at is null or t.next_due_at > r.due then r.due else t.next_due_at end",
    },
    where: "t.subscription_id = r.id",
  });

  function* find(text: string, ids: Iterable<string>): Script<ReadonlyMap<string, LockedLane>> {
    const sorted = [...new Set(ids)].sort();
    if (sorted.length === 0) return new Map();
    const found = yield* rowsOf(text, sent(sorted.map((id) => ({ id }))));
    return new Map(found.map(toLane).map((lane) => [lane.id, lane]));
  }

  return {
    lock: (ids) => find(`${select}${forUpdate}`, ids),
    take: function* (ids, inHaste) {
      const asked = [...ids];
      const locked = yield* find(`${select}${inHaste ? skipLocked : forUpdate}`, asked);
      const missing = inHaste ? asked.filter((id) => !locked.has(id)) : [];
      return { locked, held: new Set((yield* find(select, missing)).keys()) };
    },
    expect: function* (dues) {
      const earliest = new Map<string, number>();
      for (const { subscriptionId, dueAt } of dues) {
        earliest.set(subscriptionId, Math.min(dueAt, earliest.get(subscriptionId) ?? dueAt));
      }
      if (earliest.size === 0) return;
      yield* change(expect, sent([...earliest].map(([id, due]) => ({ id, due }))));
    },
  };
}

export const toLane = (row: Row): LockedLane => ({
  id: String(row["subscription_id"]),
  gateIds: gateIdsOf(row),
  order: orderIn(row),
  parked: isSet(row["parked"]),
  deleted: isSet(row["deleted"]),
});
