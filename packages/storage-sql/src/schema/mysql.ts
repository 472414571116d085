import { PosthornError } from "@posthorn/core";
import type { TableName } from "../dialect.ts";
import { rowsOf } from "../script.ts";
import type { Migration, Schema } from "./migration.ts";
import { type Naming, tableNames } from "./naming.ts";

/** Bytes, so that case, accents and trailing spaces count; no collation of text says so everywhere. */
const id = "varbinary(64)";
const type = "varbinary(255)";
/** An index may have 3,072 bytes: an organization and a key fit. */
const organization = "varbinary(1024)";
const key = "varbinary(1024)";

const table =
  "engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin";

const LOCK_SECONDS = 60;

const first: Migration = {
  version: 1,
  name: "the first tables",
  compatible: 1,
  // Each table comes with its indexes, or not at all. `waiting_in` is the lane of what waits, and
  // null elsewhere: an index has all rows, and those of a lane's whole past would come first.
  statements: (naming) => [
    `create table if not exists ${naming.table("migrations")} (
  version integer not null primary key,
  name varchar(255) not null,
  compatible integer not null,
  applied_at bigint not null
) ${table}`,

    `create table if not exists ${naming.table("events")} (
  id ${id} not null primary key,
  organization ${organization} not null,
  type ${type} not null,
  occurred_at bigint not null,
  published_at bigint not null,
  actor longtext,
  trace longtext,
  payload longtext not null,
  ordering_key ${type},
  idempotency_key ${key},
  announced smallint not null,
  append_id bigint not null default 0,
  unique index ${naming.index("events", "idempotency")} (organization, idempotency_key),
  index ${naming.index("events", "organization")} (organization, id),
  index ${naming.index("events", "published")} (published_at)
) ${table}`,

    `create table if not exists ${naming.table("unrouted")} (
  position bigint not null auto_increment primary key,
  event_id ${id} not null,
  organization ${organization} not null,
  after_id ${id},
  tries smallint not null default 0,
  not_before bigint not null default 0,
  unique index ${naming.index("unrouted", "event")} (event_id),
  index ${naming.index("unrouted", "organization")} (organization, position)
) ${table}`,

    `create table if not exists ${naming.table("lanes")} (
  subscription_id ${id} not null primary key,
  organization ${organization} not null,
  handler_type ${type} not null,
  key_id ${id} not null,
  gate_key_id ${id} not null,
  gate_ids longtext not null,
  delivery_order varchar(64) not null,
  parked smallint not null,
  deleted smallint not null,
  next_due_at bigint,
  served_at bigint not null default 0,
  waiting_for ${organization} generated always as (case when next_due_at is not null then organization end) stored,
  index ${naming.index("lanes", "due")} (handler_type, key_id, next_due_at, served_at),
  index ${naming.index("lanes", "turns")} (handler_type, key_id, waiting_for, next_due_at, served_at),
  index ${naming.index("lanes", "parked")} (parked)
) ${table}`,

    `create table if not exists ${naming.table("gates")} (
  id ${id} not null primary key,
  name text not null,
  rate_limit bigint,
  per_ms bigint,
  burst bigint,
  tat bigint not null,
  paused_until bigint not null,
  epoch bigint not null,
  throttles bigint not null,
  breaker longtext,
  open_until bigint,
  index ${naming.index("gates", "paused")} (paused_until),
  index ${naming.index("gates", "open")} (open_until)
) ${table}`,

    `create table if not exists ${naming.table("deliveries")} (
  id ${id} not null primary key,
  organization ${organization} not null,
  event_id ${id} not null,
  event_type ${type} not null,
  subscription_id ${id} not null,
  handler_type ${type} not null,
  status smallint not null,
  due_at bigint,
  ask_at bigint,
  ordering_key ${type},
  position bigint,
  lease_until bigint,
  token ${id},
  attempts integer not null,
  throttles integer not null,
  lapses integer not null,
  reason text,
  redelivery_of ${id},
  created_at bigint not null,
  completed_at bigint,
  waiting_in ${id} generated always as (case when due_at is not null and ask_at is null then subscription_id end) stored,
  first_in ${id} generated always as (case when due_at is not null and ask_at is null and attempts = 0 and throttles = 0 then subscription_id end) stored,
  index ${naming.index("deliveries", "firsts")} (first_in, due_at, id),
  index ${naming.index("deliveries", "waiting")} (waiting_in, due_at, id),
  index ${naming.index("deliveries", "suspects")} (ask_at),
  index ${naming.index("deliveries", "queues")} (subscription_id, ordering_key, position, id),
  index ${naming.index("deliveries", "flights")} (lease_until),
  index ${naming.index("deliveries", "expiry")} (status, created_at),
  index ${naming.index("deliveries", "history")} (subscription_id, id),
  index ${naming.index("deliveries", "organization")} (organization, id),
  index ${naming.index("deliveries", "event")} (event_id),
  index ${naming.index("deliveries", "repeated")} (redelivery_of),
  index ${naming.index("deliveries", "failed")} (subscription_id, status, id)
) ${table}`,

    `create table if not exists ${naming.table("attempts")} (
  delivery_id ${id} not null,
  token ${id} not null,
  started_at bigint not null,
  duration_ms bigint not null,
  outcome varchar(64) not null,
  counted smallint not null,
  late smallint not null,
  reason text,
  remedy text,
  details longtext not null,
  primary key (delivery_id, token)
) ${table}`,

    `create table if not exists ${naming.table("subscriptions")} (
  id ${id} not null primary key,
  organization ${organization} not null,
  name text not null,
  event_types longtext not null,
  type ${type} not null,
  configuration longtext not null,
  secrets longtext not null,
  state longtext not null,
  delivery_order varchar(64) not null,
  enabled smallint not null,
  disabled_reason text,
  status varchar(64) not null,
  status_detail text,
  status_checked_at bigint,
  failing_since bigint,
  failing_attempts integer,
  failing_warned smallint,
  version bigint not null,
  idempotency_key ${key},
  fingerprint varchar(255),
  created_at bigint not null,
  updated_at bigint not null,
  index ${naming.index("subscriptions", "organization")} (organization, id),
  unique index ${naming.index("subscriptions", "idempotency")} (organization, idempotency_key),
  index ${naming.index("subscriptions", "failing")} (failing_since)
) ${table}`,

    `create table if not exists ${naming.table("dispatchers")} (
  id ${id} not null primary key,
  alive_until bigint not null
) ${table}`,

    `create table if not exists ${naming.table("replays")} (
  id ${id} primary key,
  organization ${organization} not null,
  subscription_id ${id} not null,
  from_at bigint not null,
  until_at bigint not null,
  which varbinary(16) not null,
  status varbinary(16) not null,
  redelivered bigint not null,
  after_id ${id} not null,
  stepped_at bigint not null,
  created_at bigint not null,
  ended_at bigint,
  index ${naming.index("replays", "running")} (status, stepped_at, id),
  index ${naming.index("replays", "organization")} (organization, id)
) ${table}`,
  ],
};

const second: Migration = {
  version: 2,
  name: "attempts that several deliveries made together",
  compatible: 1,
  statements: (naming) => addColumn(naming, "attempts", "together integer"),
};

const third: Migration = {
  version: 3,
  name: "flights and leases in tables of their own",
  compatible: 3,
  // The old column is renamed first: from then on no older code takes anything into flight.
  statements: (naming) => {
    const { table: name, index } = naming;
    const deliveries = name("deliveries");
    const ifThere = (column: string, text: string): readonly string[] =>
      choose(hasColumn(naming, "deliveries", column), text, "do 0");
    return [
      `create table if not exists ${name("flights")} (
  token ${id} not null,
  delivery_id ${id} not null,
  subscription_id ${id} not null,
  primary key (token, delivery_id)
) ${table}`,
      `create table if not exists ${name("leases")} (
  token ${id} not null primary key,
  lease_until bigint not null,
  index ${index("leases", "ends")} (lease_until)
) ${table}`,
      ...ifThere(
        "lease_until",
        `alter table ${deliveries}
  rename column lease_until to old_lease,
  add column waiting_since bigint generated always as (case when due_at is not null or position is not null then created_at end) stored,
  add column failed smallint generated always as (case when status in (2, 3) then status end) stored,
  drop index ${index("deliveries", "flights")},
  drop index ${index("deliveries", "expiry")},
  drop index ${index("deliveries", "failed")},
  add index ${index("deliveries", "expiry")} (waiting_since),
  add index ${index("deliveries", "failed")} (subscription_id, failed, id)`,
      ),
      ...ifThere(
        "old_lease",
        `insert into ${name("leases")} (token, lease_until) select token, max(old_lease) from ${deliveries} where old_lease is not null group by token on duplicate key update lease_until = lease_until`,
      ),
      ...ifThere(
        "old_lease",
        `insert into ${name("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from ${deliveries} where old_lease is not null on duplicate key update delivery_id = delivery_id`,
      ),
      ...ifThere("old_lease", `alter table ${deliveries} drop column old_lease`),
    ];
  },
};

const addColumn = (naming: Naming, name: TableName, definition: string): readonly string[] => {
  const [column = ""] = definition.split(" ");
  const alter = `alter table ${naming.table(name)} add column ${definition}`;
  return choose(hasColumn(naming, name, column), "do 0", alter);
};

/** MySQL, unlike MariaDB, has no word for "if it is not there". */
const choose = (condition: string, text: string, otherwise: string): readonly string[] => [
  `set @posthorn = if(${condition}, '${text}', '${otherwise}')`,
  "prepare posthorn from @posthorn",
  "execute posthorn",
  "deallocate prepare posthorn",
];

const hasColumn = ({ bare }: Naming, name: TableName, column: string): string =>
  `exists (select 1 from information_schema.columns where table_schema = database() and table_name = '${bare(name)}' and column_name = '${column}')`;

export const mysqlSchema: Schema = {
  migrations: [first, second, third],
  isTransactional: false,
  now: "timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000",
  *lock({ scope, place }) {
    const [row] = yield* rowsOf(`select get_lock(${lockName}, ${LOCK_SECONDS}) as locked`, scope);
    if (Number(row?.["locked"]) === 1) return;
    throw new PosthornError(
      "schema_mismatch",
      `The tables ${place} cannot be migrated: another process has been at it for ${LOCK_SECONDS} seconds. Wait until it is done, or end it, and migrate again.`,
    );
  },
  *unlock({ scope }) {
    yield* rowsOf(`select release_lock(${lockName})`, scope);
  },
  columns: (naming) => rowsOf(columnsText(naming)),
};

/** Locks are the server's, and their names have at most 64 characters. */
const lockName = "concat('posthorn ', sha1(concat(database(), '/', ?)))";

const columnsText = ({ bare }: Naming): string =>
  `select table_name as table_name, column_name as column_name
from information_schema.columns
where table_schema = database() and table_name in (${tableNames.map((name) => `'${bare(name)}'`).join(", ")})`;
