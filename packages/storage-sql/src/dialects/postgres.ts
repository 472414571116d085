import {
  ATTEMPT_COLUMNS,
  type Columns,
  type Dialect,
  DUE_LANES,
  EVENT_COLUMNS,
  firstsOfOwner,
  inserted,
  KEY_ORDER,
  LANDED,
  LANDING_COLUMNS,
  listOf,
  ownersAfter,
  queuedIn,
  type SentRow,
  sent,
  sentKeys,
  type TableName,
  waitsFirstIn,
  waitsIn,
} from "../dialect.ts";
import { NEW_DELIVERY } from "../records.ts";
import { change, rowsOf } from "../script.ts";
import { assigned } from "./sqlite.ts";

/**
 * True, and the planner thinks that hardly any row is. Otherwise it takes a hundred for granted,
 * and reads a table of some thousand rows from one end to the other rather than look them up.
 */
const FEW = "nr between 1 and 1000000000";

const TYPES: { readonly [type in Columns[string]]: string } = {
  key: "text",
  text: "text",
  int: "bigint",
};

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO, as text: drivers differ in arrays. */
const arrayOf = (rows: readonly SentRow[], column: string): string => {
  const items = rows.map((row) => {
    const value = row[column] ?? null;
    if (value === null) return "NULL";
    return typeof value === "number" ? value : `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${items.join(",")}}`;
};

/** What is selected is not known when the plan is made; of how many rows it does not know, it expects a tenth. */
const given: Dialect["given"] = (type) => `(select ?::${type === "int" ? "bigint" : "text"})`;

export function postgresDialect(table: (name: TableName) => string): Dialect {
  const all = (columns: Columns): string => {
    const typed = Object.entries(columns).map(([column, type]) => `${column} ${TYPES[type]}`);
    return `rows from (json_to_recordset(?::text::json) as (${typed.join(", ")})) with ordinality as sent(${listOf(columns)}, nr)`;
  };
  const rows: Dialect["rows"] = (alias, columns) =>
    `(select * from ${all(columns)} where ${FEW}) as ${alias}`;
  const insert: Dialect["insert"] = ({
    table: name,
    rows: going,
    set,
    onConflict,
    order = "r.nr",
  }) => {
    const { columns, values } = inserted(going, set);
    const changes = onConflict?.update.map((column) => `${column} = excluded.${column}`);
    const conflict =
      onConflict === undefined
        ? "on conflict do nothing"
        : `on conflict (${onConflict.key}) do update set ${changes?.join(", ")}`;
    return `insert into ${table(name)} as t (${columns}) select ${values} from ${rows("r", going)} order by ${order} ${conflict}`;
  };
  // Payloads are long, and cheaper to read in an array than in JSON.
  const eventArrays = Object.values(EVENT_COLUMNS).map((type) => `?::text::${TYPES[type]}[]`);
  const eventRows = `unnest(${eventArrays.join(", ")}) with ordinality as sent(${listOf(EVENT_COLUMNS)}, nr)`;
  // Not few: they are joined with each other, and each would be compared with all.
  const events = `with r as materialized (select * from ${eventRows}), e as (insert into ${table("events")} (${listOf(EVENT_COLUMNS)}) select ${listOf(EVENT_COLUMNS)} from r order by ${KEY_ORDER} on conflict do nothing returning id), m as (insert into ${table("unrouted")} (event_id, organization) select e.id, r.organization from e join r on r.id = e.id order by r.nr) select id from e`;
  // In a host's transaction nothing is prepared: this is planned in a third of the time.
  const event = `with e as (insert into ${table("events")} (${listOf(EVENT_COLUMNS)}) values (${Object.keys(
    EVENT_COLUMNS,
  )
    .map(() => "?")
    .join(
      ", ",
    )}) on conflict do nothing returning id, organization) insert into ${table("unrouted")} (event_id, organization) select id, organization from e returning event_id as id`;
  // Each is looked up: of tables that are mostly empty, planners believe that they always are, and
  // compare all with all. What the statement deletes is still to be seen in it.
  const forgotten = `f as (delete from ${table("flights")} t using (select f.place from d cross join lateral (select f.ctid as place from ${table("flights")} f where f.token = d.token and f.delivery_id = d.id limit 1) f) f where t.ctid = f.place), l as (delete from ${table("leases")} where token = any (array(select t.token from (select distinct token from d) t where (select f.delivery_id from ${table("flights")} f where f.token = t.token and f.delivery_id not in (select id from d) order by f.delivery_id limit 1) is null)))`;
  const land = `with d as (update ${table("deliveries")} as t set ${assigned(LANDED.set)} from ${rows("r", LANDING_COLUMNS)} where ${LANDED.where} returning t.id, r.*), ${forgotten} insert into ${table("attempts")} (${listOf(ATTEMPT_COLUMNS)}) select ${listOf(ATTEMPT_COLUMNS)} from d returning delivery_id as id`;
  const dueLanes = `select * from ${table("lanes")} where ${DUE_LANES} limit ${given("int")} for update skip locked`;
  const { columns: owedColumns, values: owedValues } = inserted(
    NEW_DELIVERY.rows,
    NEW_DELIVERY.set,
  );
  const route = `with u as (delete from ${table("unrouted")} where position = any (array(select t.position from ${rows("r", { sent_key: "int" })} join ${table("unrouted")} t on t.position = r.sent_key for update of t skip locked)) returning event_id), d as (insert into ${table("deliveries")} (${owedColumns}) select ${owedValues} from ${rows("r", NEW_DELIVERY.rows)} where r.event_id = any (array(select event_id from u)) order by r.nr on conflict do nothing returning token, id, subscription_id), f as (insert into ${table("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from d), l as (insert into ${table("leases")} (token, lease_until) select distinct token, ?::bigint from d) select event_id as id from u`;
  const firsts = `select d.* from ${rows("r", { id: "key" })} cross join lateral (select * from ${table("deliveries")} d where ${waitsFirstIn("r.id")} and d.first_due_at <= ? order by d.first_due_at, d.id limit ${given("int")}) d`;
  const due = `select d.* from ${rows("r", { id: "key" })} cross join lateral (select * from ${table("deliveries")} d where ${waitsIn("r.id")} and d.due_at <= ? order by d.due_at, d.id limit ${given("int")}) d order by r.nr, d.due_at, d.id`;
  const begun = (text: string, also: string | undefined): string =>
    `with d as (${text} returning t.token, t.id, t.subscription_id), ${also === undefined ? "" : `u as (${also}), `}f as (insert into ${table("flights")} (token, delivery_id, subscription_id) select token, id, subscription_id from d where token is not null) insert into ${table("leases")} (token, lease_until) values (?, ?)`;
  const ended = (text: string): string =>
    `with d as (${text} returning r.token, t.id), ${forgotten} select 1`;
  const forget = `with d as (select * from ${rows("r", { token: "key", id: "key" })}), ${forgotten} select 1`;
  const inLanes = (
    isIn: (lane: string) => string,
    order: string,
    columns: string,
    where: string,
  ): string =>
    `select ${columns} from ${table("lanes")} l cross join lateral (select * from ${table("deliveries")} d where ${isIn("l.subscription_id")} order by ${order} limit (select 1000000000)) d where ${where}`;

  return {
    name: "postgres",
    table,
    by: table,
    rows,
    has: (whole, part) => `strpos(${whole}, ${part}) > 0`,
    join: "join",
    lookUp: (name, alias) => `join ${table(name)} ${alias}`,
    update: ({ table: name, rows: columns, set, where }) =>
      `update ${table(name)} as t set ${assigned(set)} from ${rows("r", columns)} where ${where}`,
    insert,
    remove: (name, key, type) =>
      `delete from ${table(name)} as t using ${rows("r", { sent_key: type })} where t.${key} = r.sent_key`,
    locksWhatItReads: false,
    greatest: (first, second) => `greatest(${first}, ${second})`,
    waitsIn,
    waiting: (columns, where) => inLanes(waitsIn, "d.due_at, d.id", columns, where),
    queued: (columns, where) =>
      inLanes(queuedIn, "d.ordering_key, d.position, d.id", columns, where),
    newestFirst: "desc nulls last",
    oldestFirst: "asc nulls first",
    given,
    forUpdate: " for update",
    skipLocked: " for update skip locked",
    skipLockedOf: (alias) => ` for update of ${alias} skip locked`,
    forShare: " for share",
    lockDue: (handlerType, keyId, now, most) => rowsOf(dueLanes, handlerType, keyId, now, most),
    nextOwners: (owned) => {
      const source = table(owned.table);
      // Not "=": in the order of another index, the planner would read what belongs to others.
      const isOwned = "between o.owner and o.owner";
      const asIndexed = { ...owned, order: [owned.owner, ...owned.order] };
      const firsts = firstsOfOwner(source, owned.columns, asIndexed, [isOwned, given("int")]);
      const order = ["o.nr", ...owned.order.map((column) => `t.${column}`)].join(", ");
      const text = `${ownersAfter(source, owned, given)} select t.* from o cross join lateral (${firsts}) t order by ${order}`;
      return ({ given, after, owners, each }) =>
        rowsOf(text, ...given, after, ...given, owners, ...given, each);
    },
    dueOfEach: (lanes, now, most) => rowsOf(due, sent(lanes.map((id) => ({ id }))), now, most),
    firstsOfEach: (lanes, now, most) =>
      rowsOf(firsts, sent(lanes.map((id) => ({ id }))), now, most),
    routing: function* (positions, deliveries, { token, leaseUntil }) {
      const sentPositions = sentKeys(positions);
      const taken = yield* rowsOf(route, sentPositions, token, sent(deliveries), leaseUntil);
      return new Set(taken.map(({ id }) => id as string));
    },
    appendsAtOnce: true,
    appending: function* (given) {
      const [only] = given;
      const added =
        only !== undefined && given.length === 1
          ? yield* rowsOf(event, ...Object.keys(EVENT_COLUMNS).map((name) => only[name] ?? null))
          : yield* rowsOf(
              events,
              ...Object.keys(EVENT_COLUMNS).map((name) => arrayOf(given, name)),
            );
      return new Set(added.map(({ id }) => id as string));
    },
    landing: function* (landings) {
      const inOrder = landings.toSorted((a, b) =>
        String(a["delivery_id"]) < String(b["delivery_id"]) ? -1 : 1,
      );
      const ended = yield* rowsOf(land, sent(inOrder));
      return new Set(ended.map(({ id }) => id as string));
    },
    landsAtOnce: true,
    flights: {
      begin: function* ({ text, params }, _, { token, leaseUntil }, also) {
        const given = [...params, ...(also?.params ?? [])];
        yield* change(begun(text, also?.text), ...given, token, leaseUntil);
      },
      end: function* (text, changed) {
        yield* change(ended(text), sent(changed));
      },
      forget: function* (flights) {
        if (flights.length > 0) yield* change(forget, sent(flights));
      },
    },
    clock: "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now",
  };
}
