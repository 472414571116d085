import { type Delivery, isSerial } from "@posthorn/core";
import { type Dialect, sent, tested } from "./dialect.ts";
import type { Due, LockedLane } from "./lanes.ts";
import { int, text, textOrNull } from "./records.ts";
import { change, type Row, rowsOf, type Script } from "./script.ts";

/** The place of a delivery in a lane that keeps an order. */
export interface Place {
  /** The queue that it is in; null if it keeps to no order. */
  readonly queue: string | null;
  /** Its position in the queue; null if it is its turn. */
  readonly position: number | null;
}

/** A delivery that is to wait. */
interface Newcomer {
  readonly id: string;
  readonly subscriptionId: string;
  readonly queue: string;
  /** By default the end of the queue. */
  readonly position?: number;
}

/** The order in lanes that are locked. */
export interface Queues {
  /** Where newcomers wait or are queued, in lanes that are locked: by their ids. */
  enter(
    newcomers: readonly Newcomer[],
    lanes: ReadonlyMap<string, LockedLane>,
  ): Script<ReadonlyMap<string, Place>>;
  /**
   * Of what was pending (as locked), some has ended: where it was the last one before others, the
   * next one waits. Answers when the lanes have to look.
   */
  leave(before: readonly Row[], after: readonly Delivery[]): Script<readonly Due[]>;
  /** From now on what waits in a lane is first in its queue. */
  introduce(subscriptionId: string): Script<void>;
  /** Ends an order: what was queued waits, due at `now`. Answers when the lane has to look. */
  giveUp(subscriptionId: string, now: number): Script<readonly Due[]>;
}

export function queuesIn(dialect: Dialect): Queues {
  const { table, rows } = dialect;
  const asked = rows("r", { subscription_id: "key", ordering_key: "key" });
  const inQueue = `from ${table("deliveries")} d where d.subscription_id = r.subscription_id and d.ordering_key = r.ordering_key and d.position`;
  const first = `exists (select 1 ${inQueue} is null)`;
  const last = `(select d.position ${inQueue} is not null order by d.position desc limit 1)`;
  const next = `(select d.id ${inQueue} is not null order by d.position, d.id limit 1)`;
  const standing = `select r.subscription_id, r.ordering_key, case when ${first} then 1 else 0 end as is_taken, ${last} as last_position from ${asked}`;
  const turns = `select r.subscription_id, r.ordering_key, ${next} as id from ${asked} where not ${first}`;
  const call = dialect.update({
    table: "deliveries",
    rows: { id: "key", due_at: "int" },
    set: { position: "null", due_at: "r.due_at" },
    where: "t.id = r.id",
  });
  const introduce = WAITS.map((waits) =>
    dialect.update({
      table: "deliveries",
      rows: { lane: "key" },
      set: {
        ordering_key: `(select coalesce(e.ordering_key, '') from ${table("events")} e where e.id = t.event_id)`,
      },
      where: waits(dialect).replaceAll(/\bd\./g, "t."),
    }),
  );
  const giveUp = dialect.update({
    table: "deliveries",
    rows: { lane: "key", now: "int" },
    set: {
      due_at: "case when t.position is null then t.due_at else r.now end",
      ordering_key: "null",
      position: "null",
    },
    where: "t.subscription_id = r.lane and t.ordering_key is not null",
  });

  return {
    enter: function* (newcomers, lanes) {
      const places = new Map<string, Place>();
      const bound = newcomers.filter(({ subscriptionId }) =>
        isSerial(lanes.get(subscriptionId)?.order ?? "none"),
      );
      if (bound.length === 0) return places;
      const ends = new Map<string, { isTaken: boolean; last: number }>();
      for (const row of yield* rowsOf(standing, sent(distinct(bound.map(queueRow))))) {
        ends.set(keyOf(text(row["subscription_id"]), text(row["ordering_key"])), {
          isTaken: int(row["is_taken"]) === 1,
          last: int(row["last_position"] ?? 0),
        });
      }
      for (const { id, subscriptionId, queue, position } of bound) {
        const key = keyOf(subscriptionId, queue);
        const { isTaken, last } = ends.get(key) ?? { isTaken: false, last: 0 };
        const own = position ?? last + 1;
        places.set(id, { queue, position: isTaken ? own : null });
        ends.set(key, { isTaken: true, last: isTaken ? Math.max(last, own) : last });
      }
      return places;
    },

    leave: function* (before, after) {
      const queueById = new Map(
        before.map((row) => [text(row["id"]), textOrNull(row["ordering_key"])]),
      );
      const endedAt = new Map<string, { row: ReturnType<typeof queueRow>; at: number }>();
      for (const { id, subscriptionId, completedAt } of after) {
        const queue = queueById.get(id) ?? null;
        if (queue === null || completedAt === null) continue;
        const key = keyOf(subscriptionId, queue);
        const at = Math.max(completedAt, endedAt.get(key)?.at ?? 0);
        endedAt.set(key, { row: queueRow({ subscriptionId, queue }), at });
      }
      if (endedAt.size === 0) return [];
      const found = yield* rowsOf(turns, sent([...endedAt.values()].map(({ row }) => row)));
      const called = found.flatMap((row) => {
        const id = textOrNull(row["id"]);
        const subscriptionId = text(row["subscription_id"]);
        const dueAt = endedAt.get(keyOf(subscriptionId, text(row["ordering_key"])))?.at;
        return id === null || dueAt === undefined ? [] : [{ id, subscriptionId, dueAt }];
      });
      if (called.length > 0) {
        yield* change(call, sent(called.map(({ id, dueAt }) => ({ id, due_at: dueAt }))));
      }
      return called;
    },

    introduce: function* (lane) {
      for (const statement of introduce) yield* change(statement, sent([{ lane }]));
    },

    giveUp: function* (lane, now) {
      const freed = yield* change(giveUp, sent([{ lane, now }]));
      return freed === 0 ? [] : [{ subscriptionId: lane, dueAt: now }];
    },
  };
}

/** What waits in a lane, and the suspects of it. */
const WAITS: readonly ((dialect: Dialect) => string)[] = [
  ({ waitsIn }) => waitsIn("r.lane"),
  () => `d.ask_at is not null and ${tested("d.subscription_id = r.lane")}`,
];

const queueRow = ({ subscriptionId, queue }: Pick<Newcomer, "subscriptionId" | "queue">) => ({
  subscription_id: subscriptionId,
  ordering_key: queue,
});

const keyOf = (subscriptionId: string, queue: string): string => `${subscriptionId} ${queue}`;

const distinct = <Item>(items: readonly Item[]): readonly Item[] => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
];
