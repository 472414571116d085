import { rowsOf } from "../script.ts";
import type { Migration, Schema } from "./migration.ts";
import { tableNames } from "./naming.ts";

/** Ids and keys are compared byte for byte, as everywhere else; that is the fastest order too. */
const id = `text collate "C"`;

/**
 * Pages of the history are asked for in this order, which a primary key does not have: it would
 * look cheap to a planner, and is read to its end for those who have nothing in it.
 */
const newest = "desc nulls last";

/** For tables whose rows change all the time: vacuumed long before a fifth of them is dead. */
const hot = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02";

/** For tables that are mostly empty. */
const queue =
  "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 10000, vacuum_truncate = off";

const first: Migration = {
  version: 1,
  name: "the first tables",
  compatible: 1,
  statements: ({ scope, table, index }) => [
    // "create schema if not exists" wants the right to create one even if it exists.
    `do $$ begin
  if not exists (select from pg_catalog.pg_namespace where nspname = '${scope}') then
    create schema "${scope}";
  end if;
end $$`,

    `create table ${table("migrations")} (
  version integer primary key,
  name text not null,
  compatible integer not null,
  applied_at bigint not null
)`,

    `create table ${table("events")} (
  id ${id} primary key,
  organization ${id} not null,
  type ${id} not null,
  occurred_at bigint not null,
  published_at bigint not null,
  actor text,
  trace text,
  payload text not null,
  ordering_key ${id},
  idempotency_key ${id},
  announced smallint not null
)`,
    `create unique index ${index("events", "idempotency")} on ${table("events")} (organization, idempotency_key) where idempotency_key is not null`,
    `create index ${index("events", "organization")} on ${table("events")} (organization, id ${newest})`,
    `create index ${index("events", "published")} on ${table("events")} (published_at)`,

    // A queue: mostly empty, so the scale factor counts for nothing. Cutting off its empty end
    // would lock it against everyone, only to grow again.
    `create table ${table("unrouted")} (
  position bigint generated always as identity primary key,
  event_id ${id} not null unique,
  organization ${id} not null,
  after_id ${id},
  tries smallint not null default 0,
  not_before bigint not null default 0
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off)`,
    `create index ${index("unrouted", "organization")} on ${table("unrouted")} (organization, position)`,

    `create table ${table("lanes")} (
  subscription_id ${id} primary key,
  organization ${id} not null,
  handler_type ${id} not null,
  key_id ${id} not null,
  gate_key_id ${id} not null,
  gate_ids text not null,
  delivery_order text not null,
  parked smallint not null,
  deleted smallint not null,
  next_due_at bigint,
  served_at bigint not null default 0
) with (fillfactor = 70, ${hot})`,
    `create index ${index("lanes", "due")} on ${table("lanes")} (handler_type, key_id, next_due_at, served_at) where next_due_at is not null`,
    `create index ${index("lanes", "turns")} on ${table("lanes")} (handler_type, key_id, organization, next_due_at, served_at) where next_due_at is not null`,
    `create index ${index("lanes", "parked")} on ${table("lanes")} (parked) where parked = 1`,

    `create table ${table("gates")} (
  id ${id} primary key,
  name text not null,
  rate_limit bigint,
  per_ms bigint,
  burst bigint,
  tat bigint not null,
  paused_until bigint not null,
  epoch bigint not null,
  throttles bigint not null,
  breaker text,
  open_until bigint
) with (fillfactor = 70, ${hot})`,
    `create index ${index("gates", "paused")} on ${table("gates")} (paused_until) where paused_until > 0`,
    `create index ${index("gates", "open")} on ${table("gates")} (open_until) where open_until is not null`,

    `create table ${table("deliveries")} (
  id ${id} primary key,
  organization ${id} not null,
  event_id ${id} not null,
  event_type ${id} not null,
  subscription_id ${id} not null,
  handler_type ${id} not null,
  status smallint not null,
  due_at bigint,
  ask_at bigint,
  ordering_key ${id},
  position bigint,
  lease_until bigint,
  token ${id},
  attempts integer not null,
  throttles integer not null,
  lapses integer not null,
  reason text,
  redelivery_of ${id},
  created_at bigint not null,
  completed_at bigint
) with (fillfactor = 80, ${hot})`,
    `create index ${index("deliveries", "waiting")} on ${table("deliveries")} (subscription_id, due_at, id) where due_at is not null and ask_at is null`,
    // In an order of its own, or planners would look for first attempts among a million retries.
    `create index ${index("deliveries", "firsts")} on ${table("deliveries")} (subscription_id, due_at nulls first, id) where due_at is not null and ask_at is null and attempts = 0 and throttles = 0`,
    `create index ${index("deliveries", "suspects")} on ${table("deliveries")} (ask_at) where ask_at is not null`,
    `create index ${index("deliveries", "queues")} on ${table("deliveries")} (subscription_id, ordering_key, position, id) where ordering_key is not null`,
    `create index ${index("deliveries", "flights")} on ${table("deliveries")} (lease_until) where lease_until is not null`,
    `create index ${index("deliveries", "queued")} on ${table("deliveries")} (created_at) where position is not null`,
    `create index ${index("deliveries", "expiry")} on ${table("deliveries")} (created_at) where due_at is not null`,
    `create index ${index("deliveries", "history")} on ${table("deliveries")} (subscription_id, id ${newest})`,
    `create index ${index("deliveries", "organization")} on ${table("deliveries")} (organization, id ${newest})`,
    `create index ${index("deliveries", "event")} on ${table("deliveries")} (event_id)`,
    `create index ${index("deliveries", "repeated")} on ${table("deliveries")} (redelivery_of) where redelivery_of is not null`,
    `create index ${index("deliveries", "failed")} on ${table("deliveries")} (subscription_id, status, id ${newest}) where status in (2, 3)`,

    `create table ${table("attempts")} (
  delivery_id ${id} not null,
  token ${id} not null,
  started_at bigint not null,
  duration_ms bigint not null,
  outcome text not null,
  counted smallint not null,
  late smallint not null,
  reason text,
  remedy text,
  details text not null,
  primary key (delivery_id, token)
)`,

    `create table ${table("subscriptions")} (
  id ${id} primary key,
  organization ${id} not null,
  name text not null,
  event_types text not null,
  type ${id} not null,
  configuration text not null,
  secrets text not null,
  state text not null,
  delivery_order text not null,
  enabled smallint not null,
  disabled_reason text,
  status text not null,
  status_detail text,
  status_checked_at bigint,
  failing_since bigint,
  failing_attempts integer,
  failing_warned smallint,
  version bigint not null,
  idempotency_key ${id},
  fingerprint text,
  created_at bigint not null,
  updated_at bigint not null
)`,
    `create index ${index("subscriptions", "organization")} on ${table("subscriptions")} (organization, id ${newest})`,
    `create unique index ${index("subscriptions", "idempotency")} on ${table("subscriptions")} (organization, idempotency_key) where idempotency_key is not null`,

    `create index ${index("subscriptions", "failing")} on ${table("subscriptions")} (failing_since) where failing_since is not null`,

    `create table ${table("dispatchers")} (
  id ${id} primary key,
  alive_until bigint not null
)`,

    `create table ${table("replays")} (
  id ${id} primary key,
  organization ${id} not null,
  subscription_id ${id} not null,
  from_at bigint not null,
  until_at bigint not null,
  which text not null,
  status text not null,
  redelivered bigint not null,
  after_id ${id} not null,
  stepped_at bigint not null,
  created_at bigint not null,
  ended_at bigint
)`,
    `create index ${index("replays", "running")} on ${table("replays")} (stepped_at, id) where status = 'running'`,
    `create index ${index("replays", "organization")} on ${table("replays")} (organization, id ${newest})`,
  ],
};

const second: Migration = {
  version: 2,
  name: "attempts that several deliveries made together",
  compatible: 1,
  statements: ({ table }) => [`alter table ${table("attempts")} add column together integer`],
};

const third: Migration = {
  version: 3,
  name: "flights and leases in tables of their own",
  compatible: 3,
  // The table is written anew once, with all that changes in it; publishing does not touch it.
  statements: ({ scope, table, index }) => [
    `lock table ${table("deliveries")} in access exclusive mode`,

    // As the queue of what is unrouted; and nobody shall take them for small after a quiet hour.
    `create table ${table("flights")} (
  token ${id} not null,
  delivery_id ${id} not null,
  subscription_id ${id} not null,
  primary key (token, delivery_id)
) with (${queue})`,
    `insert into ${table("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from ${table("deliveries")} where lease_until is not null`,

    `create table ${table("leases")} (
  token ${id} primary key,
  lease_until bigint not null
) with (${queue})`,
    `insert into ${table("leases")} (token, lease_until) select token, max(lease_until) from ${table("deliveries")} where lease_until is not null group by token`,
    `create index ${index("leases", "ends")} on ${table("leases")} (lease_until)`,

    ...["firsts", "flights", "queued", "expiry", "failed"].map(
      (suffix) => `drop index "${scope}".${index("deliveries", suffix)}`,
    ),
    // Half of each page is left for what becomes of its rows: then settling writes in no index.
    `alter table ${table("deliveries")}
  drop column lease_until,
  add column first_due_at bigint generated always as (case when ask_at is null and attempts = 0 and throttles = 0 then due_at end) stored,
  add column waiting_since bigint generated always as (case when due_at is not null or position is not null then created_at end) stored,
  add column failed smallint generated always as (case when status in (2, 3) then status end) stored,
  set (fillfactor = 50)`,
    `create index ${index("deliveries", "firsts")} on ${table("deliveries")} (subscription_id, first_due_at, id) where first_due_at is not null`,
    `create index ${index("deliveries", "expiry")} on ${table("deliveries")} (waiting_since) where waiting_since is not null`,
    `create index ${index("deliveries", "failed")} on ${table("deliveries")} (subscription_id, failed, id ${newest}) where failed is not null`,
  ],
};

export const postgresSchema: Schema = {
  migrations: [first, second, third],
  isTransactional: true,
  now: "(extract(epoch from clock_timestamp()) * 1000)::bigint",
  *lock({ scope }) {
    yield { text: "set local statement_timeout = 0", params: [] };
    yield { text: "set local lock_timeout = '60s'", params: [] };
    yield {
      text: "select pg_advisory_xact_lock(hashtextextended(?::text, 0))",
      params: [`posthorn migrates ${scope}`],
    };
    // A change of a table that has to wait blocks everyone who comes after it.
    yield { text: "set local lock_timeout = '5s'", params: [] };
  },
  *unlock() {},
  columns: (naming) => rowsOf(columnsText, naming.scope),
};

const columnsText = `select c.relname as table_name, a.attname as column_name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = ? and c.relname in (${tableNames.map((name) => `'${name}'`).join(", ")})`;
