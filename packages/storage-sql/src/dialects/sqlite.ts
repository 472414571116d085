import {
  ATTEMPT_COLUMNS,
  type ColumnsSql,
  type Dialect,
  DUE_LANES,
  EVENT_COLUMNS,
  firstsOfOwner,
  inserted,
  LANDED,
  LANDING_COLUMNS,
  MARKER_COLUMNS,
  markerRows,
  ownersAfter,
  queuedIn,
  sent,
  type TableName,
  waitsFirstIn,
  waitsIn,
} from "../dialect.ts";
import { change, rowsOf } from "../script.ts";
import { flightsIn } from "./flights.ts";

export function sqliteDialect(
  table: (name: TableName) => string,
  index: (table: TableName, suffix: string) => string,
): Dialect {
  const rows: Dialect["rows"] = (alias, columns) => {
    const picked = Object.keys(columns).map((column) => `value ->> '${column}' as ${column}`);
    return `(select key + 1 as nr, ${picked.join(", ")} from json_each(?)) as ${alias}`;
  };
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
    return `insert into ${table(name)} (${columns}) select ${values} from ${rows("r", going)} where true order by ${order} ${conflict}`;
  };
  const remove: Dialect["remove"] = (name, key, type) =>
    `delete from ${table(name)} where ${key} in (select r.sent_key from ${rows("r", { sent_key: type })})`;
  const flights = flightsIn(
    { table, rows, insert, remove },
    `delete from ${table("flights")} where (token, delivery_id) in (select r.token, r.id from ${rows("r", { token: "key", id: "key" })})`,
  );
  const events = `${insert({ table: "events", rows: EVENT_COLUMNS })} returning id`;
  const markers = insert({ table: "unrouted", rows: MARKER_COLUMNS });
  const land = `update ${table("deliveries")} as t set ${assigned(LANDED.set)} from ${rows("r", LANDING_COLUMNS)} where ${LANDED.where} returning id`;
  const attempt = insert({ table: "attempts", rows: ATTEMPT_COLUMNS });
  const dueLanes = `select * from ${table("lanes")} where ${DUE_LANES} limit ?`;
  const firsts = `select d.* from ${rows("r", { id: "key" })} join ${table("deliveries")} d on d.id in (select d.id from ${table("deliveries")} d indexed by ${index("deliveries", "firsts")} where ${waitsFirstIn("r.id")} and d.first_due_at <= ? order by d.first_due_at, d.id limit ?)`;
  const due = `select d.* from ${rows("r", { id: "key" })} join ${table("deliveries")} d on d.id in (select d.id from ${table("deliveries")} d where ${waitsIn("r.id")} and d.due_at <= ? order by d.due_at, d.id limit ?) order by r.nr, d.due_at, d.id`;

  return {
    name: "sqlite",
    table,
    by: (name, suffix) => `${table(name)} indexed by ${index(name, suffix)}`,
    rows,
    has: (whole, part) => `instr(${whole}, ${part}) > 0`,
    join: "cross join",
    lookUp: (name, alias) => `cross join ${table(name)} ${alias}`,
    update: ({ table: name, rows: columns, set, where }) =>
      `update ${table(name)} as t set ${assigned(set)} from ${rows("r", columns)} where ${where}`,
    insert,
    remove,
    locksWhatItReads: false,
    greatest: (first, second) => `max(${first}, ${second})`,
    waitsIn,
    waiting: (columns, where) =>
      `select ${columns} from ${table("lanes")} l cross join ${table("deliveries")} d on ${waitsIn("l.subscription_id")} where ${where}`,
    queued: (columns, where) =>
      `select ${columns} from ${table("lanes")} l cross join ${table("deliveries")} d on ${queuedIn("l.subscription_id")} where ${where}`,
    newestFirst: "desc",
    oldestFirst: "asc",
    given: () => "?",
    forUpdate: "",
    skipLocked: "",
    skipLockedOf: () => "",
    forShare: "",
    lockDue: (handlerType, keyId, now, most) => rowsOf(dueLanes, handlerType, keyId, now, most),
    nextOwners: (owned) => {
      const { table: name, id, columns, order } = owned;
      const source = `${table(name)} indexed by ${index(name, owned.index)}`;
      const firsts = firstsOfOwner(source, [id], owned, ["= o.owner", "?"]);
      const text = `${ownersAfter(source, owned, () => "?")} select ${columns.map((column) => `t.${column}`).join(", ")} from o cross join ${table(name)} t on t.${id} in (${firsts}) order by ${["o.nr", ...order.map((column) => `t.${column}`)].join(", ")}`;
      return ({ given, after, owners, each }) =>
        rowsOf(text, ...given, after, ...given, owners, ...given, each);
    },
    dueOfEach: (lanes, now, most) => rowsOf(due, sent(lanes.map((id) => ({ id }))), now, most),
    firstsOfEach: (lanes, now, most) =>
      rowsOf(firsts, sent(lanes.map((id) => ({ id }))), now, most),
    routing: null,
    appendsAtOnce: false,
    appending: function* (given) {
      const ids = (yield* rowsOf(events, sent(given))).map(({ id }) => id as string);
      yield* change(markers, sent(markerRows(given, new Set(ids))));
      return new Set(ids);
    },
    landing: function* (landings) {
      const ended = new Set((yield* rowsOf(land, sent(landings))).map(({ id }) => id as string));
      const attempts = landings.filter(({ delivery_id: id }) => ended.has(String(id)));
      if (attempts.length > 0) yield* change(attempt, sent(attempts));
      yield* flights.forget(
        attempts.map(({ delivery_id, token }) => ({
          id: String(delivery_id),
          token: String(token),
        })),
      );
      return ended;
    },
    landsAtOnce: false,
    flights,
    clock: null,
  };
}

export const assigned = (set: ColumnsSql, alias = ""): string =>
  Object.entries(set)
    .map(([column, value]) => `${alias}${column} = ${value}`)
    .join(", ");
