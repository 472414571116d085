import type { TableName } from "../../src/dialect.ts";

/** How much is in a crowded database. */
export interface Crowd {
  /** Deliveries that wait in the one crowded lane, all of them due; nine of ten are retries, due first. */
  readonly waiting: number;
  /** The other lanes: each has four deliveries waiting. The last 50 are parked, 9 of them deleted. */
  readonly lanes: number;
  /** Deliveries that have ended, each with an attempt: half of them in the crowded lane. */
  readonly ended: number;
  readonly events: number;
}

/** What every database is tried with. */
export const CROWD: Crowd = {
  waiting: 1_000_000,
  lanes: 5_000,
  ended: 1_000_000,
  events: 1_000_000,
};

/** When everything happens, in epoch milliseconds. */
export const NOW = 1_800_000_000_000;
export const DAY = 86_400_000;

/** Events not routed yet. */
const UNROUTED = 20_000;
/** What waits in a lane that is parked. */
const PARKED = 10_000;
const PARKED_LANES = 50;
/** What is queued in the one lane that keeps an order, behind its first delivery. */
const QUEUED = 100_000;
const ORDERED_LANE = 15;
export const ORDERED_HANDLER = "ledger";
const DELETED_LANES = 10;
const FLIGHTS = 2_000;
/** In how many turns they began; as many others have landed. */
const TURNS = 7;
const SUSPECTS = 20;
/** How many organizations share the lanes; the crowded lane is the first one's. */
const ORGANIZATIONS = 500;
const WORKSPACES = 50;

export const CROWDED_HANDLER = "email";
export const CROWDED_LANE = 0;

export const laneId = (number: number): string => `s${1_000_000_000 + number}`;
export const eventId = (number: number): string => `e${1_000_000_000 + number}`;
export const deliveryId = (number: number): string => `d${1_000_000_000 + number}`;
export const organizationOf = (lane: number): string => `o${1_000 + (lane % ORGANIZATIONS)}`;

/** The same in SQL. MariaDB takes `||` for text in the mode that it is filled in. */
const idOf = (letter: string, number: string): string => `'${letter}' || (1000000000 + ${number})`;
const ownerOf = (lane: string): string => `'o' || (1000 + (${lane}) % ${ORGANIZATIONS})`;
const handlerOf = (lane: string): string =>
  `case when (${lane}) = ${CROWDED_LANE} then '${CROWDED_HANDLER}' when (${lane}) = ${ORDERED_LANE} then '${ORDERED_HANDLER}' when (${lane}) % 5 = 1 then 'webhook' else 'slack' end`;

type Tables = (name: TableName) => string;

/** In which turn something went into flight. */
const TURN = `'turn' || (n % ${TURNS})`;

/** The statements that fill new tables, the same for every database. */
export function* filling(table: Tables, crowd: Crowd): Generator<string> {
  yield* numbers(Math.max(crowd.waiting, crowd.lanes, crowd.ended, crowd.events));
  yield* events(table, crowd);
  for (const group of groups(crowd)) yield deliveries(table, group);
  yield `insert into ${table("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from ${table("deliveries")} where token is not null`;
  yield `insert into ${table("leases")} (token, lease_until) select 'turn' || (n - 1), ${NOW + 30_000} + n from numbers where n <= ${2 * TURNS}`;
  yield attempts(table, crowd);
  yield* lanes(table, crowd);
  yield "drop table numbers";
}

/** Where all rows come from: each database makes series in a way of its own. */
function* numbers(most: number): Generator<string> {
  yield "create table numbers (n integer not null primary key)";
  yield "insert into numbers (n) values (1)";
  for (let count = 1; count < most; count *= 2) {
    yield `insert into numbers (n) select n + ${count} from numbers where n <= ${most - count}`;
  }
}

/** The older half is done with; the other half waits in the crowded lane. */
function* events(table: Tables, { events, lanes }: Crowd): Generator<string> {
  const half = events / 2;
  const lane = `case when n <= ${half} then 1 + n % ${lanes} else ${CROWDED_LANE} end`;
  yield `insert into ${table("events")} (id, organization, type, occurred_at, published_at, payload, idempotency_key, announced)
select ${idOf("e", "n")}, ${ownerOf(lane)}, 'thing_' || (n % 10), ${NOW - DAY}, case when n <= ${half} then ${NOW - 60 * DAY} + n else ${NOW - DAY} + n end, '{}', case when n % 3 = 0 then 'key' || n else null end, 1
from numbers where n <= ${events}`;
  yield `insert into ${table("events")} (id, organization, type, occurred_at, published_at, payload, announced)
select ${idOf("e", `${events} + n`)}, ${ownerOf("n % 20")}, 'thing_' || (n % 10), ${NOW}, ${NOW}, '{}', 0
from numbers where n <= ${UNROUTED}`;
  yield `insert into ${table("unrouted")} (event_id, organization) select ${idOf("e", `${events} + n`)}, ${ownerOf("n % 20")} from numbers where n <= ${UNROUTED} order by n`;
}

/** Deliveries of one kind, in SQL over their number `n`. */
interface Group {
  readonly after: number;
  readonly count: number;
  readonly lane: string;
  readonly event: string;
  readonly status?: string;
  readonly due?: string;
  readonly ask?: string;
  readonly token?: string;
  readonly attempts?: string;
  readonly key?: string;
  readonly position?: string;
}

function groups({ waiting, lanes, ended, events }: Crowd): readonly Group[] {
  const half = events / 2;
  const lane = `1 + n % ${lanes}`;
  const event = `${half} + 1 + n % ${half}`;
  const all: readonly Omit<Group, "after">[] = [
    {
      count: ended,
      lane: `case when n % 2 = 0 then ${CROWDED_LANE} else ${lane} end`,
      event: `case when n % 2 = 0 then ${event} else 1 + (n - 1) % ${half} end`,
      status: "case when n % 100 = 0 then 2 else 1 end",
    },
    {
      count: waiting,
      lane: `${CROWDED_LANE}`,
      event,
      due: `${NOW - waiting} + n`,
      attempts: `case when 10 * n <= ${9 * waiting} then 1 else 0 end`,
    },
    { count: 4 * lanes, lane, event, due: `${NOW - 1_000} + n % 500` },
    { count: PARKED, lane: `${lanes}`, event, due: `${NOW - 1_000} + n % 500` },
    { count: FLIGHTS, lane, event, token: TURN },
    { count: SUSPECTS, lane, event, due: `${NOW - 5_000} + n`, ask: `${NOW - 5_000} + n` },
    { count: 1, lane: `${ORDERED_LANE}`, event, due: `${NOW - 900_000}`, key: "''" },
    { count: QUEUED, lane: `${ORDERED_LANE}`, event, key: "''", position: "n" },
  ];
  let after = 0;
  return all.map((group) => {
    const placed = { ...group, after };
    after += group.count;
    return placed;
  });
}

function deliveries(table: Tables, group: Group): string {
  const { after, count, lane, event, status = "0", due = "null", ask = "null" } = group;
  const { key = "null", position = "null", token = "null" } = group;
  const hasEnded = status !== "0";
  const tried = group.attempts ?? (hasEnded ? "1" : "0");
  return `insert into ${table("deliveries")} (id, organization, event_id, event_type, subscription_id, handler_type, status, due_at, ask_at, ordering_key, position, token, attempts, throttles, lapses, created_at, completed_at)
select ${idOf("d", `${after} + n`)}, ${ownerOf(lane)}, ${idOf("e", event)}, 'thing_' || (n % 10), ${idOf("s", lane)}, ${handlerOf(lane)}, ${status}, ${due}, ${ask}, ${key}, ${position}, ${token}, ${tried}, 0, ${ask === "null" ? 0 : 2}, ${NOW - DAY} + n, ${hasEnded ? `${NOW - DAY} + n` : "null"}
from numbers where n <= ${count}`;
}

const attempts = (table: Tables, { ended }: Crowd): string =>
  `insert into ${table("attempts")} (delivery_id, token, started_at, duration_ms, outcome, counted, late, details)
select ${idOf("d", "n")}, 't' || n, ${NOW - DAY} + n, 10, case when n % 100 = 0 then 'failed' else 'delivered' end, 1, 0, 'null'
from numbers where n <= ${ended}`;

/** Each lane passes a gate of its own, and one that many share: every other one of these has a limit. */
function* lanes(table: Tables, { lanes, waiting }: Crowd): Generator<string> {
  const all = `(select 0 as n union all select n from numbers where n <= ${lanes}) as numbers`;
  const isParked = `n > ${lanes - PARKED_LANES}`;
  const isDeleted = `(n > ${lanes - DELETED_LANES} and n < ${lanes})`;
  const limit = "case when n % 2 = 0 then 1000 else null end";
  yield `insert into ${table("lanes")} (subscription_id, organization, handler_type, key_id, gate_key_id, gate_ids, delivery_order, parked, deleted, next_due_at)
select ${idOf("s", "n")}, ${ownerOf("n")}, ${handlerOf("n")}, case when n % 5 = 1 then '' else 'k1' end, 'k1', '["' || ${idOf("g", "n")} || '","' || ${idOf("h", `n % ${WORKSPACES}`)} || '"]', case when n = ${ORDERED_LANE} then 'skip_dead' else 'none' end, case when ${isParked} then 1 else 0 end, case when ${isDeleted} then 1 else 0 end, case when ${isParked} then null when n = ${CROWDED_LANE} then ${NOW - waiting + 1} else ${NOW - 1_000} end
from ${all}`;
  yield `insert into ${table("gates")} (id, name, tat, paused_until, epoch, throttles) select ${idOf("g", "n")}, 'channel', 0, 0, 0, 0 from ${all}`;
  yield `insert into ${table("gates")} (id, name, rate_limit, per_ms, burst, tat, paused_until, epoch, throttles) select ${idOf("h", "n")}, 'workspace', ${limit}, ${limit}, ${limit}, 0, 0, 0, 0 from ${all} where n < ${WORKSPACES}`;
  yield `insert into ${table("subscriptions")} (id, organization, name, event_types, type, configuration, secrets, state, delivery_order, enabled, status, version, idempotency_key, fingerprint, created_at, updated_at)
select ${idOf("s", "n")}, ${ownerOf("n")}, 'A subscription', '["thing_' || (n % 7) || '"]', ${handlerOf("n")}, '{}', '{}', 'null', case when n = ${ORDERED_LANE} then 'skip_dead' else 'none' end, case when ${isParked} then 0 else 1 end, 'ok', 1, 'key' || n, 'fingerprint', ${NOW}, ${NOW}
from ${all} where not ${isDeleted}`;
}
