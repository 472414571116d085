import { randomInt } from "node:crypto";
import {
  type Columns,
  type Dialect,
  DUE_LANES,
  EVENT_COLUMNS,
  firstsOfOwner,
  inserted,
  KEY_ORDER,
  MARKER_COLUMNS,
  markerRows,
  meant,
  queuedIn,
  type SentRow,
  sent,
  type TableName,
} from "../dialect.ts";
import { text as textOf } from "../records.ts";
import { change, type Param, type Row, rowsOf, type Script } from "../script.ts";
import { flightsIn } from "./flights.ts";
import { assigned } from "./sqlite.ts";

const TYPES: { readonly [type in Columns[string]]: string } = {
  key: "varbinary(1024)",
  // Or it would be of the database's character set, whatever that cannot say.
  text: "longtext character set utf8mb4",
  int: "bigint",
};

/** How many processes that claim at once each find lanes that the others have not locked. */
const MOST_IN_THE_WAY = 4;

const KEYS: Columns = { id: "key", organization: "key", idempotency_key: "key" };

/** The same select for each, as one statement of few different texts. */
function branches(
  select: string,
  each: readonly string[],
  paramsOf: (one: string) => readonly Param[],
): Script<readonly Row[]> {
  const count = 2 ** Math.ceil(Math.log2(each.length));
  const text = Array.from({ length: count }, () => select).join(" union all ");
  const padded = Array.from({ length: count }, (_, index) => each[index] ?? "");
  return rowsOf(text, ...padded.flatMap(paramsOf));
}

/** MySQL 8 and MariaDB 10.6 or newer, which have JSON_TABLE and SKIP LOCKED. */
export function mysqlDialect(
  table: (name: TableName) => string,
  index: (table: TableName, suffix: string) => string,
): Dialect {
  const rows: Dialect["rows"] = (alias, columns) => {
    const picked = Object.entries(columns).map(
      ([column, type]) => `${column} ${TYPES[type]} path '$.${column}'`,
    );
    return `json_table(convert(? using utf8mb4), '$[*]' columns (nr for ordinality, ${picked.join(", ")})) as ${alias}`;
  };
  const lookUp: Dialect["lookUp"] = (name, alias, suffix) => {
    const used = suffix === undefined ? "primary" : index(name, suffix);
    return `straight_join ${table(name)} ${alias} force index (${used})`;
  };
  const insert: Dialect["insert"] = ({
    table: name,
    rows: going,
    set,
    onConflict,
    order = "r.nr",
  }) => {
    const { columns, values } = inserted(going, set);
    const [first = ""] = columns.split(", ");
    const changes = onConflict?.update.map((column) => `${column} = r.${column}`);
    return `insert into ${table(name)} (${columns}) select ${values} from ${rows("r", going)} order by ${order} on duplicate key update ${changes?.join(", ") ?? `${first} = ${table(name)}.${first}`}`;
  };
  const remove: Dialect["remove"] = (name, key, type) =>
    `delete t from ${rows("r", { sent_key: type })} ${lookUp(name, "t")} on t.${key} = r.sent_key`;
  const removeFlights = `delete t from ${rows("r", { token: "key", id: "key" })} ${lookUp("flights", "t")} on t.token = r.token and t.delivery_id = r.id`;
  const events = insert({
    table: "events",
    rows: { ...EVENT_COLUMNS, append_id: "int" },
    order: KEY_ORDER,
  });
  const used = `select r.id from ${rows("r", KEYS)} ${lookUp("events", "e", "idempotency")} on e.organization = r.organization and e.idempotency_key = r.idempotency_key`;
  const mine = `select e.id from ${rows("r", { id: "key" })} ${lookUp("events", "e")} on e.id = r.id and e.append_id = ? order by r.nr`;
  const markers = insert({ table: "unrouted", rows: MARKER_COLUMNS });
  const waitsIn: Dialect["waitsIn"] = (lane) => `d.waiting_in = ${lane}`;
  // Not locked by this index, where the entries of lanes that are skipped would stay locked.
  const dueLanes = `select subscription_id as id from ${table("lanes")} where ${DUE_LANES} limit ?`;
  const lockDue = `select l.* from ${rows("r", { id: "key" })} ${lookUp("lanes", "l")} on l.subscription_id = r.id where l.next_due_at <= ? order by r.nr for update skip locked`;
  const dueOf = `(select * from ${table("deliveries")} d where ${waitsIn("?")} and d.due_at <= ? order by d.due_at, d.id limit ?)`;
  const firstsOf = `(select * from ${table("deliveries")} d where d.first_in = ? and d.due_at <= ? order by d.due_at, d.id limit ?)`;
  const ofEach =
    (branch: string): Dialect["dueOfEach"] =>
    (lanes, now, most) =>
      branches(branch, lanes, (lane) => [lane, now, most]);

  /**
   * Events whose idempotency key nobody has used, as far as can be seen without a lock: an insert
   * that meets a used one locks the place before it as well, for as long as its transaction.
   */
  function* unused(given: readonly SentRow[]): Script<readonly SentRow[]> {
    const keyed = given.filter(({ idempotency_key: key }) => typeof key === "string");
    if (keyed.length === 0) return given;
    const asked = keyed.map(({ id = null, organization = null, idempotency_key = null }) => ({
      id,
      organization,
      idempotency_key,
    }));
    const found = new Set((yield* rowsOf(used, inAscii(asked))).map(({ id }) => String(id)));
    return given.filter(({ id }) => !found.has(String(id)));
  }

  return {
    name: "mysql",
    table,
    by: (name, suffix) => `${table(name)} force index (${index(name, suffix)})`,
    rows,
    has: (whole, part) => `instr(${whole}, ${part}) > 0`,
    join: "straight_join",
    lookUp,
    update: ({ table: name, rows: columns, set, where }) =>
      `update ${rows("r", columns)} ${lookUp(name, "t")} on ${where} set ${assigned(set, "t.")}`,
    insert,
    remove,
    locksWhatItReads: true,
    greatest: (first, second) => `greatest(${first}, ${second})`,
    waitsIn,
    waiting: (columns, where) =>
      `select ${columns} from ${table("lanes")} l straight_join ${table("deliveries")} d on ${waitsIn("l.subscription_id")} where ${where}`,
    queued: (columns, where) =>
      `select ${columns} from ${table("lanes")} l straight_join ${table("deliveries")} d force index (${index("deliveries", "queues")}) on ${queuedIn("l.subscription_id")} where ${where}`,
    newestFirst: "desc",
    oldestFirst: "asc",
    given: () => "?",
    forUpdate: " for update",
    skipLocked: " for update skip locked",
    skipLockedOf: null,
    forShare: " lock in share mode",
    lockDue: function* (handlerType, keyId, now, most) {
      const due = yield* rowsOf(dueLanes, handlerType, keyId, now, MOST_IN_THE_WAY * most);
      const candidates = due.map((row) => String(row["id"]));
      const locked: Row[] = [];
      while (locked.length < most && candidates.length > 0) {
        // In order: InnoDB skips what is locked only after it has looked for a deadlock.
        const next = candidates.splice(0, most - locked.length).sort();
        locked.push(...(yield* rowsOf(lockDue, sent(next.map((id) => ({ id }))), now)));
      }
      return locked;
    },
    nextOwners: (given) => {
      // Other entries of the index are of lanes in which nothing waits, thousands of them.
      const owned = given.table === "lanes" ? { ...given, owner: "waiting_for" } : given;
      const source = `${table(owned.table)} force index (${index(owned.table, owned.index)})`;
      // No recursion: in one, whatever its limit, all that follow are read for each.
      const { owner } = owned;
      const owners = `select distinct ${owner} as owner from ${source} where ${meant(owned)}${owner} > ? order by ${owner} limit ?`;
      const firsts = `(${firstsOfOwner(source, owned.columns, owned, ["= ?", "?"])})`;
      return function* ({ given, after, owners: most, each }) {
        const found = yield* rowsOf(owners, ...given, after, most);
        if (found.length === 0) return [];
        const names = found.map((row) => textOf(row["owner"]));
        const places = new Map(names.map((name, place) => [name, place]));
        const placeOf = (row: Row): number => places.get(textOf(row["organization"])) ?? 0;
        const rows = yield* branches(firsts, names, (name) => [...given, name, each]);
        return rows.toSorted((a, b) => placeOf(a) - placeOf(b));
      };
    },
    dueOfEach: ofEach(dueOf),
    firstsOfEach: ofEach(firstsOf),
    routing: null,
    appendsAtOnce: false,
    appending: function* (given) {
      const candidates = yield* unused(given);
      if (candidates.length === 0) return new Set();
      const append_id = randomInt(2 ** 47);
      for (const some of inMessages(candidates.map((event) => ({ ...event, append_id })))) {
        yield* change(events, inAscii(some));
      }
      const ids = yield* rowsOf(mine, sent(candidates.map(({ id = null }) => ({ id }))), append_id);
      const fresh = new Set(ids.map(({ id }) => String(id)));
      yield* change(markers, inAscii(markerRows(candidates, fresh)));
      return fresh;
    },
    landing: null,
    landsAtOnce: false,
    flights: flightsIn({ table, rows, insert, remove }, removeFlights),
    // Not through local time, which has one hour twice when summer time ends.
    clock: "select timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000 as now",
  };
}

/** The parameter for events of a host's transaction, whatever characters its connection can say. */
const inAscii = (rows: readonly SentRow[]): string =>
  sent(rows).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** How many characters of payloads go along with one statement, if there is more than one. */
const ROOM = 1_000_000;

/**
 * Events in groups, each of which a message has room for: a server that gets a larger one than its
 * `max_allowed_packet` ends the connection, and a host's transaction with it. Idempotency keys are
 * taken in one order over all groups.
 */
function inMessages(events: readonly SentRow[]): readonly (readonly SentRow[])[] {
  const groups: SentRow[][] = [[]];
  let room = ROOM;
  for (const event of events.toSorted((a, b) => compare(keyOf(a), keyOf(b)))) {
    const length = String(event["payload"]).length;
    if (length > room && room < ROOM) {
      groups.push([]);
      room = ROOM;
    }
    groups.at(-1)?.push(event);
    room -= length;
  }
  return groups;
}

const keyOf = ({ idempotency_key: key, organization }: SentRow): string =>
  `${key ?? ""} ${organization}`;
const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
