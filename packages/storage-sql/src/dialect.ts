import type { Param, Row, Script, Statement } from "./script.ts";

/** MySQL stands for MariaDB too. */
export type DialectName = "sqlite" | "postgres" | "mysql";

export type TableName =
  | "events"
  | "unrouted"
  | "lanes"
  | "gates"
  | "deliveries"
  | "flights"
  | "leases"
  | "attempts"
  | "subscriptions"
  | "replays"
  | "dispatchers"
  | "migrations";

/** Columns of rows that go along with a statement; a `key` is compared byte for byte. */
export type Columns = { readonly [column: string]: "key" | "text" | "int" };

/** The SQL that gives each column its value. */
export type ColumnsSql = { readonly [column: string]: string };

/**
 * What differs between databases. Statements are written once, out of these parts; their texts are
 * constant, so that each is prepared once, whatever the number of rows that go along with it.
 */
export interface Dialect {
  readonly name: DialectName;

  /** The table's name, qualified and quoted. */
  table(name: TableName): string;

  /** The table, for a `from`, to be read by one of its indexes, where planners can be told so. */
  by(table: TableName, index: string): string;

  /** SQL: whether a text has another in it, byte for byte. */
  has(whole: string, part: string): string;

  /**
   * Rows that go along with the statement, for its `from`: one parameter, made by `sent`. The
   * column `nr` has their order.
   */
  rows(alias: string, columns: Columns): string;

  /** Joins what went along (on the left) with a table; no planner may turn it round. */
  readonly join: string;

  /**
   * The same, where each row is looked up by the primary key, or by the index given: no planner may
   * read all of a small table instead, and lock what it reads.
   */
  lookUp(table: TableName, alias: string, index?: string): string;

  /** Changes the rows of a table (`t`) that match rows that go along (`r`). */
  update(change: {
    readonly table: TableName;
    readonly rows: Columns;
    readonly set: ColumnsSql;
    readonly where: string;
  }): string;

  /** Inserts rows that go along, in their order unless another is given. */
  insert(change: {
    readonly table: TableName;
    readonly rows: Columns;
    /** What columns are given; by default each that goes along. */
    readonly set?: ColumnsSql;
    /** The key, and what changes if it is there already. Absent: any conflict leaves the row out. */
    readonly onConflict?: { readonly key: string; readonly update: readonly string[] };
    readonly order?: string;
  }): string;

  /** Deletes the rows of a table whose key goes along, by `sentKeys`. */
  remove(table: TableName, key: string, type: Columns[string]): string;

  /** An update locks the rows that its values are selected from: they are better selected before. */
  readonly locksWhatItReads: boolean;

  /** The greater of two values, neither of them null. */
  greatest(first: string, second: string): string;

  /**
   * Whether a delivery (`d`) waits in a lane, as the index on what waits knows it, in the order
   * `d.due_at, d.id`; suspects are found elsewhere.
   */
  waitsIn(lane: string): string;

  /**
   * Selects from the lanes (`l`) that are like this, lane by lane, and what waits in them (`d`).
   * No planner may begin with all that waits anywhere.
   */
  waiting(columns: string, where: string): string;

  /** The same with what is queued in them, by ordering key and position. */
  queued(columns: string, where: string): string;

  /** The order of ids as the indexes of the history have it, which no other index has. */
  readonly newestFirst: string;
  readonly oldestFirst: string;

  /**
   * One parameter whose value the planner does not know: it has one plan for all values, and not
   * one that is good for most and reads a million rows for the others.
   */
  given(type: "key" | "int"): string;

  /** After a select: locks its rows, and waits for others' locks. */
  readonly forUpdate: string;
  /** After a select: locks its rows, and leaves out those that others have locked. */
  readonly skipLocked: string;
  /** The same of a join, of which only the rows under an alias are locked; null if that cannot be said. */
  readonly skipLockedOf: ((alias: string) => string) | null;
  /** After a select: sees what is committed, whatever the isolation, and keeps it from changing. */
  readonly forShare: string;

  /**
   * Locks, of the lanes of one ability that are due at `now`, the first `most` of those that nobody
   * else has locked. Of the others nothing stays locked, not even an entry of an index.
   */
  lockDue(handlerType: string, keyId: string, now: number, most: number): Script<readonly Row[]>;

  /** Rows of the organizations that come next, each one's first ones. Nothing is locked. */
  nextOwners(owned: Owned): NextOwners;

  /** For each of these lanes: the first `most` deliveries that wait in it and are due at `now`. */
  dueOfEach(lanes: readonly string[], now: number, most: number): Script<readonly Row[]>;

  /** The same of those that were not tried yet. */
  firstsOfEach(lanes: readonly string[], now: number, most: number): Script<readonly Row[]>;

  /** Null where one statement cannot route. */
  readonly routing: Routing | null;

  readonly appending: Appending;
  /** It is one statement, which happens or does not without a transaction around it. */
  readonly appendsAtOnce: boolean;

  /** Null where an update cannot tell which rows it has changed. */
  readonly landing: Landing | null;
  /** It is one statement, as `appendsAtOnce`. */
  readonly landsAtOnce: boolean;
  readonly flights: Flights;

  /** Selects the database's time (`now`, epoch milliseconds); null where it is this computer's. */
  readonly clock: string | null;
}

/**
 * Inserts events and, in the order given, their markers; answers the ids of those that were not
 * there yet. Idempotency keys are taken in their own order, so that no two appends wait for each
 * other.
 */
type Appending = (events: readonly SentRow[]) => Script<ReadonlySet<string>>;

/**
 * Takes markers, by their positions, and adds what their events owe, all of it in flight; answers the
 * ids of the events that it took. What others have taken, or are busy with, is left to them. It is one
 * statement, which happens or does not without a transaction around it.
 */
type Routing = (
  positions: readonly number[],
  deliveries: readonly SentRow[],
  lease: Lease,
) => Script<ReadonlySet<string>>;

/**
 * Ends flights that are on, each by the token of its attempt, as delivered, and adds their attempts;
 * answers the ids of those deliveries.
 */
type Landing = (landings: readonly SentRow[]) => Script<ReadonlySet<string>>;

/** Rows that belong to organizations, and the index that has them so. */
export interface Owned {
  readonly table: TableName;
  readonly index: string;
  /** The column that says whose they are. */
  readonly owner: string;
  readonly id: string;
  readonly columns: readonly string[];
  /** Which of them are meant, with a `?` for each of `given`; null if all are. */
  readonly where: string | null;
  /** In which order the index has those of one owner. */
  readonly order: readonly string[];
}

/**
 * Selects, of `owners` owners after one, the first `each` rows of each: owner by owner. What else
 * they have is not looked at.
 */
type NextOwners = (asked: {
  readonly given: readonly Param[];
  readonly after: string;
  readonly owners: number;
  readonly each: number;
}) => Script<readonly Row[]>;

/** What is in flight, beside what the deliveries say of it themselves. */
export interface Flights {
  /**
   * Plays a change of deliveries (`t`) that takes these into flight, and writes their flights down,
   * with the one lease of them all; and another change that has nothing to do with them.
   */
  begin(
    change: Statement,
    flights: readonly { readonly id: string; readonly subscriptionId: string }[],
    lease: Lease,
    also?: Statement,
  ): Script<void>;
  /**
   * Plays a change of deliveries (`t`, by an update with rows `r` that have their `token`) that ends
   * the flights of those that are in flight, and forgets them.
   */
  end(text: string, rows: readonly SentRow[]): Script<void>;
  /** Deletes flights, and leases with the last of their flights. */
  forget(flights: readonly { readonly id: string; readonly token: string }[]): Script<void>;
}

/** What a turn holds all flights by that it begins. */
export interface Lease {
  /** The name of the flights. */
  readonly token: string;
  /** From this instant on (epoch milliseconds) they may lapse. */
  readonly leaseUntil: number;
}

/** A row that goes along with a statement; what is undefined is null there, and not sent. */
export type SentRow = { readonly [column: string]: string | number | null | undefined };

export const EVENT_COLUMNS: Columns = {
  id: "key",
  organization: "key",
  type: "key",
  occurred_at: "int",
  published_at: "int",
  actor: "text",
  trace: "text",
  payload: "text",
  ordering_key: "key",
  idempotency_key: "key",
  announced: "int",
};

export const ATTEMPT_COLUMNS: Columns = {
  delivery_id: "key",
  token: "key",
  started_at: "int",
  duration_ms: "int",
  outcome: "text",
  counted: "int",
  late: "int",
  reason: "text",
  remedy: "text",
  details: "text",
  together: "int",
};

/** Attempts that delivered, and how many that makes. */
export const LANDING_COLUMNS: Columns = { ...ATTEMPT_COLUMNS, attempts: "int" };

/** What becomes of the delivery (`t`) of a landing (`r`), if its flight is on. */
export const LANDED = {
  set: {
    status: "1",
    token: "null",
    attempts: "r.attempts",
    reason: "null",
    completed_at: "r.started_at + r.duration_ms",
  },
  where: "t.id = r.delivery_id and t.token = r.token",
} as const;

export const MARKER_COLUMNS: Columns = { event_id: "key", organization: "key" };

/** The markers of events that were not there yet, in the order in which they were given. */
export function markerRows(
  events: readonly SentRow[],
  fresh: ReadonlySet<string>,
): readonly SentRow[] {
  return events
    .filter(({ id }) => fresh.has(String(id)))
    .map(({ id = null, organization = null }) => ({ event_id: id, organization }));
}

/** The parameter for rows that go along with a statement. */
export const sent = (rows: readonly SentRow[]): string => JSON.stringify(rows);

/** In which order events are inserted, whatever the order in which they are routed. */
export const KEY_ORDER = "r.idempotency_key, r.organization, r.nr";

/** Lanes of an ability that are due. */
export const DUE_LANES =
  "handler_type = ? and key_id = ? and next_due_at is not null and next_due_at <= ? order by next_due_at, served_at";

/** Which of an owner's rows are meant, before a condition on the owner. */
export const meant = ({ where }: Owned): string => (where === null ? "" : `${where} and `);

/**
 * The next owners as a table `o`, one after the other: an index is asked for each, and for nothing
 * between them. Its parameters: what is given, the owner before the first, what is given, how many.
 */
export const ownersAfter = (source: string, owned: Owned, given: Dialect["given"]): string => {
  const { owner } = owned;
  const after = (last: string): string =>
    `(select ${owner} from ${source} where ${meant(owned)}${owner} > ${last} order by ${owner} limit 1)`;
  return `with recursive o (owner, nr) as (select ${after("?")}, 1 union all select ${after("o.owner")}, o.nr + 1 from o where o.owner is not null and o.nr < ${given("int")})`;
};

/** The first rows of those whose `owner` is like this. Its parameters: what is given, and how many. */
export const firstsOfOwner = (
  source: string,
  columns: readonly string[],
  owned: Owned,
  [isLike, limit]: readonly [string, string],
): string =>
  `select ${columns.join(", ")} from ${source} where ${meant(owned)}${owned.owner} ${isLike} order by ${owned.order.join(", ")} limit ${limit}`;

/** A condition to test, and not to look up in an index: others find fewer rows. */
export const tested = (condition: string): string =>
  `case when ${condition} then true else false end`;

/** `waitsIn`, where an index can be on some rows only. */
export const waitsIn = (lane: string): string =>
  `d.subscription_id = ${lane} and d.due_at is not null and d.ask_at is null`;

/** Whether it waits in a lane for its first attempt, where an index can be on some rows only. */
export const waitsFirstIn = (lane: string): string =>
  `d.subscription_id = ${lane} and d.first_due_at is not null`;

/** Each column is given what goes along under its name. */
export const asSent = (rows: Columns): ColumnsSql =>
  Object.fromEntries(Object.keys(rows).map((column) => [column, `r.${column}`]));

/** The columns of an insert, and what is selected for them. */
export const inserted = (
  rows: Columns,
  set: ColumnsSql = asSent(rows),
): { readonly columns: string; readonly values: string } => ({
  columns: Object.keys(set).join(", "),
  values: Object.values(set).join(", "),
});

export const listOf = (columns: Columns): string => Object.keys(columns).join(", ");

/** Whether a delivery (`d`) is queued in a lane, as the index of queues knows it. */
export const queuedIn = (lane: string): string =>
  `d.subscription_id = ${lane} and d.ordering_key is not null and d.position is not null`;

/** The parameter for `Dialect.remove`. */
export const sentKeys = (keys: readonly (string | number)[]): string =>
  sent(keys.map((sent_key) => ({ sent_key })));
