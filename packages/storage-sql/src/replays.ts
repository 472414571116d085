import type { Delivery, Reference, Replay, ReplayStep, ReplayStore } from "@posthorn/core";
import { deliveriesIn, duesOf, inPlace } from "./deliveries.ts";
import { type Columns, type Dialect, queuedIn, sent } from "./dialect.ts";
import { type LockedLane, lanesIn } from "./lanes.ts";
import { queuesIn } from "./queues.ts";
import {
  int,
  intOrNull,
  newDelivery,
  statusCode,
  text,
  textOrNull,
  toDelivery,
} from "./records.ts";
import { change, type Row, rowsOf, type Script } from "./script.ts";

export interface Replaying {
  create(replay: Replay): Script<boolean>;
  get(reference: Reference): Script<Replay | null>;
  cancel(reference: Reference, now: number): Script<boolean>;
  isRunning(): Script<boolean>;
  step(request: Parameters<ReplayStore["step"]>[0]): Script<ReplayStep>;
}

/** How many replays are looked at for one whose lane has room. */
const MOST_LOOKED_AT = 20;

const REPLAY_COLUMNS: Columns = {
  id: "key",
  organization: "key",
  subscription_id: "key",
  from_at: "int",
  until_at: "int",
  which: "key",
  status: "key",
  redelivered: "int",
  after_id: "key",
  stepped_at: "int",
  created_at: "int",
};

export function replaying(dialect: Dialect): Replaying {
  const { table, rows, join, forShare, forUpdate, skipLocked } = dialect;
  const lanes = lanesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const queues = queuesIn(dialect);
  const add = dialect.insert({ table: "replays", rows: REPLAY_COLUMNS });
  const get = `select * from ${table("replays")} where id = ? and organization = ?`;
  const owner = `select id from ${table("subscriptions")} where id = ? and organization = ?`;
  const finish = `update ${table("replays")} set status = ?, ended_at = ? where id = ?`;
  const move = `update ${table("replays")} set redelivered = ?, after_id = ?, stepped_at = ? where id = ?`;
  const probe = `select 1 from ${table("replays")} where status = 'running' limit 1`;
  const running = `select * from ${table("replays")} where status = 'running' order by stepped_at, id limit ?${skipLocked}`;
  const waiting = [dialect.waitsIn("?"), queuedIn("?")].map(
    (isPending) => `select 1 from ${table("deliveries")} d where ${isPending} limit ?`,
  );
  const meant = (states: string): string =>
    `select d.* from ${table("deliveries")} d where d.subscription_id = ? and ${states} and d.id > ? and d.created_at >= ? and d.created_at < ? and not exists (select 1 from ${table("deliveries")} o where o.redelivery_of = d.id) order by d.id limit ?`;
  const owed = {
    dead: meant(`d.failed = ${statusCode("dead")}`),
    all: meant(`d.status <> ${statusCode("pending")}`),
  };
  const events = `select e.id, e.ordering_key from ${rows("r", { id: "key" })} ${join} ${table("events")} e on e.id = r.id${forShare}`;

  /** The replay that has rested for longest, of those whose lanes have room. */
  function* choose(max: number): Script<{ chosen: Row | null; isRunning: boolean }> {
    const found = yield* rowsOf(running, MOST_LOOKED_AT);
    for (const row of found) {
      let inLane = 0;
      for (const statement of waiting) {
        inLane += (yield* rowsOf(statement, text(row["subscription_id"]), max)).length;
      }
      if (inLane < max) return { chosen: row, isRunning: true };
    }
    return { chosen: null, isRunning: found.length > 0 };
  }

  function* end(replay: Replay, status: "done" | "canceled", now: number): Script<Replay> {
    yield* change(finish, status, now, replay.id);
    return { ...replay, status, endedAt: now };
  }

  function* redeliver(
    found: readonly Delivery[],
    locked: ReadonlyMap<string, LockedLane>,
    now: number,
    newId: () => string,
  ): Script<number> {
    if (found.length === 0) return 0;
    const kept = yield* rowsOf(events, sent(found.map(({ eventId }) => ({ id: eventId }))));
    const queueOf = new Map(
      kept.map((row) => [text(row["id"]), textOrNull(row["ordering_key"]) ?? ""]),
    );
    const made = found
      .filter(({ eventId }) => queueOf.has(eventId))
      .map((delivery) => ({
        ...newDelivery({ ...delivery, id: newId(), createdAt: now }),
        dueAt: now,
        redeliveryOf: delivery.id,
      }));
    const newcomers = made.map((each) => ({ ...each, queue: queueOf.get(each.eventId) ?? "" }));
    const places = yield* queues.enter(newcomers, locked);
    const placed = inPlace(made, places);
    yield* deliveries.add(placed, places);
    yield* lanes.expect(duesOf(placed));
    return made.length;
  }

  return {
    create: function* (replay) {
      const { subscriptionId, organization } = replay;
      if ((yield* rowsOf(owner, subscriptionId, organization)).length === 0) return false;
      const row = {
        id: replay.id,
        organization,
        subscription_id: subscriptionId,
        from_at: replay.from,
        until_at: replay.until,
        which: replay.which,
        status: replay.status,
        redelivered: replay.redelivered,
        after_id: "",
        stepped_at: 0,
        created_at: replay.createdAt,
      };
      yield* change(add, sent([row]));
      return true;
    },

    get: function* ({ organization, id }) {
      const [row] = yield* rowsOf(get, id, organization);
      return row === undefined ? null : toReplay(row);
    },

    cancel: function* ({ organization, id }, now) {
      const [row] = yield* rowsOf(`${get}${forUpdate}`, id, organization);
      if (row === undefined) return false;
      const replay = toReplay(row);
      if (replay.status !== "running") return false;
      yield* end(replay, "canceled", now);
      return true;
    },

    isRunning: function* () {
      return (yield* rowsOf(probe)).length > 0;
    },

    step: function* ({ now, max, newId }) {
      const { chosen, isRunning } = yield* choose(max);
      if (chosen === null) return { made: 0, running: isRunning, ended: null };
      const replay = toReplay(chosen);
      const { id, subscriptionId, from, until, which } = replay;
      const locked = yield* lanes.lock([subscriptionId]);
      if (locked.get(subscriptionId)?.deleted !== false) {
        return { made: 0, running: true, ended: yield* end(replay, "canceled", now) };
      }
      const after = text(chosen["after_id"]);
      const rows = yield* rowsOf(owed[which], subscriptionId, after, from, until, max);
      const found = rows.map(toDelivery);
      const made = yield* redeliver(found, locked, now, newId);
      const redelivered = replay.redelivered + made;
      yield* change(move, redelivered, found.at(-1)?.id ?? after, now, id);
      const isDone = found.length < max;
      const ended = isDone ? yield* end({ ...replay, redelivered }, "done", now) : null;
      return { made, running: true, ended };
    },
  };
}

export const toReplay = (row: Row): Replay => ({
  id: text(row["id"]),
  organization: text(row["organization"]),
  subscriptionId: text(row["subscription_id"]),
  from: int(row["from_at"]),
  until: int(row["until_at"]),
  which: text(row["which"]) as Replay["which"],
  status: text(row["status"]) as Replay["status"],
  redelivered: int(row["redelivered"]),
  createdAt: int(row["created_at"]),
  endedAt: intOrNull(row["ended_at"]),
});
