import { rowsOf } from "../script.ts";
import type { Migration, Schema } from "./migration.ts";
import { type Naming, tableNames } from "./naming.ts";

const first: Migration = {
  version: 1,
  name: "the first tables",
  compatible: 1,
  statements: ({ table, index }) => [
    `create table ${table("migrations")} (
  version integer primary key,
  name text not null,
  compatible integer not null,
  applied_at integer not null
) strict`,

    `create table ${table("events")} (
  id text not null primary key,
  organization text not null,
  type text not null,
  occurred_at integer not null,
  published_at integer not null,
  actor text,
  trace text,
  payload text not null,
  ordering_key text,
  idempotency_key text,
  announced integer not null
) strict`,
    `create unique index ${index("events", "idempotency")} on ${table("events")} (organization, idempotency_key) where idempotency_key is not null`,
    `create index ${index("events", "organization")} on ${table("events")} (organization, id)`,
    `create index ${index("events", "published")} on ${table("events")} (published_at)`,

    `create table ${table("unrouted")} (
  position integer primary key autoincrement,
  event_id text not null unique,
  organization text not null,
  after_id text,
  tries integer not null default 0,
  not_before integer not null default 0
) strict`,
    `create index ${index("unrouted", "organization")} on ${table("unrouted")} (organization, position)`,

    `create table ${table("lanes")} (
  subscription_id text not null primary key,
  organization text not null,
  handler_type text not null,
  key_id text not null,
  gate_key_id text not null,
  gate_ids text not null,
  delivery_order text not null,
  parked integer not null,
  deleted integer not null,
  next_due_at integer,
  served_at integer not null default 0
) strict, without rowid`,
    `create index ${index("lanes", "due")} on ${table("lanes")} (handler_type, key_id, next_due_at, served_at) where next_due_at is not null`,
    `create index ${index("lanes", "turns")} on ${table("lanes")} (handler_type, key_id, organization, next_due_at, served_at) where next_due_at is not null`,
    `create index ${index("lanes", "parked")} on ${table("lanes")} (parked) where parked = 1`,

    `create table ${table("gates")} (
  id text not null primary key,
  name text not null,
  rate_limit integer,
  per_ms integer,
  burst integer,
  tat integer not null,
  paused_until integer not null,
  epoch integer not null,
  throttles integer not null,
  breaker text,
  open_until integer
) strict, without rowid`,
    `create index ${index("gates", "paused")} on ${table("gates")} (paused_until) where paused_until > 0`,
    `create index ${index("gates", "open")} on ${table("gates")} (open_until) where open_until is not null`,

    `create table ${table("deliveries")} (
  id text not null primary key,
  organization text not null,
  event_id text not null,
  event_type text not null,
  subscription_id text not null,
  handler_type text not null,
  status integer not null,
  due_at integer,
  ask_at integer,
  ordering_key text,
  position integer,
  lease_until integer,
  token text,
  attempts integer not null,
  throttles integer not null,
  lapses integer not null,
  reason text,
  redelivery_of text,
  created_at integer not null,
  completed_at integer
) strict, without rowid`,
    `create index ${index("deliveries", "waiting")} on ${table("deliveries")} (subscription_id, due_at, id) where due_at is not null and ask_at is null`,
    `create index ${index("deliveries", "firsts")} on ${table("deliveries")} (subscription_id, due_at, id) where due_at is not null and ask_at is null and attempts = 0 and throttles = 0`,
    `create index ${index("deliveries", "suspects")} on ${table("deliveries")} (ask_at) where ask_at is not null`,
    `create index ${index("deliveries", "queues")} on ${table("deliveries")} (subscription_id, ordering_key, position, id) where ordering_key is not null`,
    `create index ${index("deliveries", "flights")} on ${table("deliveries")} (lease_until) where lease_until is not null`,
    `create index ${index("deliveries", "queued")} on ${table("deliveries")} (created_at) where position is not null`,
    `create index ${index("deliveries", "expiry")} on ${table("deliveries")} (created_at) where due_at is not null`,
    `create index ${index("deliveries", "history")} on ${table("deliveries")} (subscription_id, id)`,
    `create index ${index("deliveries", "organization")} on ${table("deliveries")} (organization, id)`,
    `create index ${index("deliveries", "event")} on ${table("deliveries")} (event_id)`,
    `create index ${index("deliveries", "repeated")} on ${table("deliveries")} (redelivery_of) where redelivery_of is not null`,
    `create index ${index("deliveries", "failed")} on ${table("deliveries")} (subscription_id, status, id) where status in (2, 3)`,

    `create table ${table("attempts")} (
  delivery_id text not null,
  token text not null,
  started_at integer not null,
  duration_ms integer not null,
  outcome text not null,
  counted integer not null,
  late integer not null,
  reason text,
  remedy text,
  details text not null,
  primary key (delivery_id, token)
) strict, without rowid`,

    `create table ${table("subscriptions")} (
  id text not null primary key,
  organization text not null,
  name text not null,
  event_types text not null,
  type text not null,
  configuration text not null,
  secrets text not null,
  state text not null,
  delivery_order text not null,
  enabled integer not null,
  disabled_reason text,
  status text not null,
  status_detail text,
  status_checked_at integer,
  failing_since integer,
  failing_attempts integer,
  failing_warned integer,
  version integer not null,
  idempotency_key text,
  fingerprint text,
  created_at integer not null,
  updated_at integer not null
) strict`,
    `create index ${index("subscriptions", "organization")} on ${table("subscriptions")} (organization, id)`,
    `create unique index ${index("subscriptions", "idempotency")} on ${table("subscriptions")} (organization, idempotency_key) where idempotency_key is not null`,

    `create index ${index("subscriptions", "failing")} on ${table("subscriptions")} (failing_since) where failing_since is not null`,

    `create table ${table("dispatchers")} (
  id text not null primary key,
  alive_until integer not null
) strict, without rowid`,

    `create table ${table("replays")} (
  id text not null primary key,
  organization text not null,
  subscription_id text not null,
  from_at integer not null,
  until_at integer not null,
  which text not null,
  status text not null,
  redelivered integer not null,
  after_id text not null,
  stepped_at integer not null,
  created_at integer not null,
  ended_at integer
) strict, without rowid`,
    `create index ${index("replays", "running")} on ${table("replays")} (stepped_at, id) where status = 'running'`,
    `create index ${index("replays", "organization")} on ${table("replays")} (organization, id)`,
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
  statements: ({ table, index }) => [
    `create table ${table("flights")} (
  token text not null,
  delivery_id text not null,
  subscription_id text not null,
  primary key (token, delivery_id)
) strict, without rowid`,
    `insert into ${table("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from ${table("deliveries")} where lease_until is not null`,

    `create table ${table("leases")} (
  token text not null primary key,
  lease_until integer not null
) strict, without rowid`,
    `insert into ${table("leases")} (token, lease_until) select token, max(lease_until) from ${table("deliveries")} where lease_until is not null group by token`,
    `create index ${index("leases", "ends")} on ${table("leases")} (lease_until)`,

    ...["firsts", "flights", "queued", "expiry", "failed"].map(
      (suffix) => `drop index ${index("deliveries", suffix)}`,
    ),
    `alter table ${table("deliveries")} drop column lease_until`,
    `alter table ${table("deliveries")} add column first_due_at integer generated always as (case when ask_at is null and attempts = 0 and throttles = 0 then due_at end) virtual`,
    `alter table ${table("deliveries")} add column waiting_since integer generated always as (case when due_at is not null or position is not null then created_at end) virtual`,
    `alter table ${table("deliveries")} add column failed integer generated always as (case when status in (2, 3) then status end) virtual`,
    `create index ${index("deliveries", "firsts")} on ${table("deliveries")} (subscription_id, first_due_at, id) where first_due_at is not null`,
    `create index ${index("deliveries", "expiry")} on ${table("deliveries")} (waiting_since) where waiting_since is not null`,
    `create index ${index("deliveries", "failed")} on ${table("deliveries")} (subscription_id, failed, id) where failed is not null`,
  ],
};

export const sqliteSchema: Schema = {
  migrations: [first, second, third],
  isTransactional: true,
  now: "cast(round((julianday('now') - 2440587.5) * 86400000) as integer)",
  // The transaction is immediate: it is the lock.
  *lock() {},
  *unlock() {},
  columns: (naming) => rowsOf(columnsText(naming)),
};

const columnsText = ({ bare }: Naming): string =>
  `select m.name as table_name, c.name as column_name
from sqlite_schema m join pragma_table_info(m.name) c
where m.type = 'table' and m.name in (${tableNames.map((name) => `'${bare(name)}'`).join(", ")})`;
