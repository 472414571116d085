import type { Backlog, Storage } from "@posthorn/core";
import { canceled, DELETED, deliveriesIn } from "./deliveries.ts";
import { type Dialect, queuedIn, sent, sentKeys, tested } from "./dialect.ts";
import { lanesIn } from "./lanes.ts";
import { queuesIn } from "./queues.ts";
import { int, intOrNull, keyIdOf, text, toDelivery } from "./records.ts";
import { change, type Param, type Row, rowsOf, type Script } from "./script.ts";

const EXPIRED = "expired: it waited for too long";
const EXPIRED_PARKED = "expired: the subscription was switched off";
/** Once so many deliveries go with the events of one call, the next call takes the rest. */
const MOST_FORGOTTEN = 5_000;
/** More is not counted. */
const MOST_COUNTED = 10_000;

export interface Housekeeping {
  sweep(request: Parameters<Storage["sweep"]>[0]): Script<number>;
  prune(request: Parameters<Storage["prune"]>[0]): Script<number>;
  backlog(now: number): Script<Backlog>;
}

export function housekeepingIn(dialect: Dialect): Housekeeping {
  const { table, rows, given, skipLocked } = dialect;
  const lanes = lanesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const queues = queuesIn(dialect);

  // Counted, and not joined, here and below: then no planner begins at the other end.
  // Asked for in the order of their index: of a table that has just grown, planners know nothing else.
  const suspectsWith = (lane: string): string =>
    `${table("deliveries")} d where d.ask_at is not null and (select count(*) from ${table("lanes")} l where l.subscription_id = d.subscription_id and ${lane}) > 0`;

  const isOrphan = "l.parked = 1 and l.deleted = 1";
  const orphans = [
    `${dialect.waiting("d.id, d.subscription_id", isOrphan)} limit ${given("int")}`,
    `${dialect.queued("d.id, d.subscription_id", isOrphan)} limit ${given("int")}`,
    `select d.id, d.subscription_id from ${suspectsWith(isOrphan)} order by d.ask_at limit ${given("int")}`,
  ];
  const expired = `select id, subscription_id from ${table("deliveries")} where waiting_since is not null and waiting_since < ? order by waiting_since limit ${given("int")}`;
  const unused = [
    `not exists (select 1 from ${table("deliveries")} d where ${dialect.waitsIn("l.subscription_id")})`,
    `(select d.id from ${table("deliveries")} d where ${queuedIn("l.subscription_id")} limit 1) is null`,
    `l.subscription_id not in (select coalesce(d.subscription_id, '') from ${table("deliveries")} d where d.ask_at is not null)`,
    `l.subscription_id not in (select coalesce(f.subscription_id, '') from ${table("flights")} f)`,
  ].join(" and ");
  // Looked up first, and then locked by their ids: by another index some would wait, not skip.
  const deserted = `select l.subscription_id from ${table("lanes")} l where l.parked = 1 and l.deleted = 1 and ${unused} limit ${given("int")}`;
  const lockDeserted = `select l.subscription_id from ${rows("r", { id: "key" })} ${dialect.lookUp("lanes", "l")} on l.subscription_id = r.id where l.deleted = 1 order by l.subscription_id${skipLocked}`;
  const stillDeserted = `select l.subscription_id from ${rows("r", { id: "key" })} ${dialect.lookUp("lanes", "l")} on l.subscription_id = r.id where ${unused}`;
  const removeLanes = dialect.remove("lanes", "subscription_id", "key");

  const deliveriesOf = `(select count(*) from ${table("deliveries")} d where d.event_id = e.id) as deliveries`;
  const isDone = tested(
    `(select count(*) from ${table("unrouted")} u where u.event_id = e.id) = 0 and (select count(*) from ${table("deliveries")} d where d.event_id = e.id and d.status = 0) = 0`,
  );
  const old = `select e.id, ${deliveriesOf} from ${table("events")} e where e.published_at < ? and ${isDone} order by e.published_at limit ${given("int")}${skipLocked}`;
  const oldOf = `select e.id, ${deliveriesOf} from ${table("events")} e where e.organization = ${given("key")} and ${tested("e.published_at < ?")} and ${isDone} order by e.id ${dialect.oldestFirst} limit ${given("int")}${skipLocked}`;
  // Both again: a lock sees an event that was committed just now, and what was selected with it does
  // not. The marks first, since a route takes them away as it adds deliveries.
  const marked = `select u.event_id from ${rows("r", { id: "key" })} ${dialect.join} ${table("unrouted")} u on u.event_id = r.id`;
  const revived = `select distinct d.event_id from ${rows("r", { id: "key" })} ${dialect.join} ${table("deliveries")} d on d.event_id = r.id and d.status = 0`;
  const owed = `select d.id from ${rows("r", { id: "key" })} ${dialect.join} ${table("deliveries")} d on d.event_id = r.id`;
  const forgetAttempts = dialect.remove("attempts", "delivery_id", "key");
  const forgetDeliveries = dialect.remove("deliveries", "id", "key");
  const forgetEvents = dialect.remove("events", "id", "key");

  const forgetReplays = `delete from ${table("replays")} where ended_at is not null and ended_at < ?`;

  const counted = (selected: string): string =>
    `select count(*) as counted from (${selected} limit ${MOST_COUNTED}) counted`;
  const unrouted = counted(`select 1 from ${table("unrouted")}`);
  const inFlight = counted(`select 1 from ${table("flights")}`);
  const failing = counted(
    `select 1 from ${table("subscriptions")} where failing_since is not null`,
  );
  const paused = counted(
    `select 1 from ${table("gates")} where paused_until > 0 and paused_until > ?`,
  );
  const open = counted(
    `select 1 from ${table("gates")} where open_until is not null and open_until > ?`,
  );
  const alive = counted(`select 1 from ${table("dispatchers")} where alive_until > ?`);
  const kinds = `select distinct handler_type, key_id from ${table("lanes")} where parked = 0`;
  const queued = counted(dialect.queued("1", "l.delivery_order <> 'none'"));
  const parked = "l.parked = 1";
  const ofKind = "l.parked = 0 and l.handler_type = ? and l.key_id = ?";
  const countsOf = (lane: string): readonly string[] => [
    counted(dialect.waiting("1", lane)),
    counted(`select 1 from ${suspectsWith(lane)} order by d.ask_at`),
  ];
  const allParked = countsOf(parked);
  const allOfKind = countsOf(ofKind);
  const first = `select d.due_at from ${table("deliveries")} d where ${dialect.waitsIn("l.subscription_id")} order by d.due_at limit 1`;
  const oldest = [
    `select min((${first})) as due_at from ${table("lanes")} l where ${ofKind}`,
    `select min(d.due_at) as due_at from ${suspectsWith(ofKind)}`,
  ];

  function* count(statements: readonly string[], ...params: readonly Param[]): Script<number> {
    let sum = 0;
    for (const statement of statements) {
      const [row] = yield* rowsOf(statement, ...params);
      sum += int(row?.["counted"]);
    }
    return sum;
  }

  return {
    sweep: function* ({ now, expireBefore, max }) {
      const suspects = new Map<string, string>();
      const searches = [
        ...orphans.map((statement) => rowsOf(statement, max)),
        rowsOf(expired, expireBefore, max),
      ];
      for (const search of searches) {
        for (const row of yield* search)
          suspects.set(text(row["id"]), text(row["subscription_id"]));
        if (suspects.size >= max) break;
      }
      const found = [...suspects].slice(0, max);
      const known = yield* lanes.lock(found.map(([, subscriptionId]) => subscriptionId));
      const locked = yield* deliveries.lock(found.map(([id]) => id));
      const ended = locked
        .filter((row) => row["due_at"] !== null || row["position"] !== null)
        .map(toDelivery)
        .flatMap((delivery) => {
          const lane = known.get(delivery.subscriptionId);
          if (lane === undefined || lane.deleted) return [canceled(delivery, DELETED, now)];
          if (delivery.createdAt >= expireBefore) return [];
          const reason = lane.parked ? EXPIRED_PARKED : EXPIRED;
          return [{ ...canceled(delivery, reason, now), status: "dead" as const }];
        });
      yield* deliveries.write(locked, ended);
      yield* lanes.expect(yield* queues.leave(locked, ended));

      const left = max - ended.length;
      if (left <= 0) return ended.length;
      const empty = yield* rowsOf(deserted, left);
      if (empty.length === 0) return ended.length;
      const ids = (rows: readonly Row[]): string =>
        sentIds(rows.map((row) => text(row["subscription_id"])));
      const alone = yield* rowsOf(lockDeserted, ids(empty));
      const removed = yield* rowsOf(stillDeserted, ids(alone));
      yield* change(removeLanes, sentKeys(removed.map((row) => text(row["subscription_id"]))));
      return ended.length + removed.length;
    },

    prune: function* ({ before, max, organization }) {
      yield* organization === undefined
        ? change(forgetReplays, before)
        : change(`${forgetReplays} and organization = ?`, before, organization);
      const rows =
        organization === undefined
          ? yield* rowsOf(old, before, max)
          : yield* rowsOf(oldOf, organization, before, max);
      let room = MOST_FORGOTTEN;
      const found: string[] = [];
      for (const row of rows) {
        if (room <= 0) break;
        room -= int(row["deliveries"]);
        found.push(text(row["id"]));
      }
      if (found.length === 0) return 0;
      const kept = new Set<string>();
      for (const statement of [marked, revived]) {
        for (const row of yield* rowsOf(statement, sentIds(found))) kept.add(text(row["event_id"]));
      }
      const forgotten = found.filter((id) => !kept.has(id));
      const deliveryIds = (yield* rowsOf(owed, sentIds(forgotten))).map((row) => text(row["id"]));
      // Locked in order, or it and a late settlement wait for each other; and no attempt comes late.
      yield* deliveries.lock(deliveryIds);
      yield* change(forgetDeliveries, sentKeys(deliveryIds));
      yield* change(forgetAttempts, sentKeys(deliveryIds));
      yield* change(forgetEvents, sentKeys(forgotten));
      return forgotten.length;
    },

    backlog: function* (now) {
      const found: Backlog["waiting"][number][] = [];
      for (const row of yield* rowsOf(kinds)) {
        const kind = [text(row["handler_type"]), text(row["key_id"])] as const;
        const dues: number[] = [];
        for (const statement of oldest) {
          const [first] = yield* rowsOf(statement, ...kind);
          dues.push(intOrNull(first?.["due_at"]) ?? Number.POSITIVE_INFINITY);
        }
        const oldestDueAt = Math.min(...dues);
        if (oldestDueAt === Number.POSITIVE_INFINITY) continue;
        const counts = yield* count(allOfKind, ...kind);
        found.push({ handlerType: kind[0], keyId: keyIdOf(row), count: counts, oldestDueAt });
      }
      return {
        unrouted: yield* count([unrouted]),
        inFlight: yield* count([inFlight]),
        waiting: found,
        parked: yield* count(allParked),
        queued: yield* count([queued]),
        failing: yield* count([failing]),
        gates: { paused: yield* count([paused], now), open: yield* count([open], now) },
        dispatchers: yield* count([alive], now),
      };
    },
  };
}

const sentIds = (ids: readonly string[]): string => sent(ids.map((id) => ({ id })));
