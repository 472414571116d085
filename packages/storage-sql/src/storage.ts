import {
  type Appended,
  type ClaimResult,
  type Delivery,
  fullOrganizations,
  isPosthornError,
  type NewEvent,
  type RouteResult,
  type Settlement,
  type SettleResult,
  type Storage,
} from "@posthorn/core";
import { appending } from "./append.ts";
import { claiming, type Prospect } from "./claim.ts";
import type { Database } from "./database.ts";
import type { DialectName } from "./dialect.ts";
import { beating } from "./heartbeat.ts";
import { historyIn } from "./history.ts";
import { housekeepingIn } from "./housekeeping.ts";
import { operating } from "./operate.ts";
import { int } from "./records.ts";
import { replaying } from "./replays.ts";
import { NOTHING_ROUTED, type RoutedAtOnce, routing } from "./route.ts";
import { checkSchema, checkThere } from "./schema/check.ts";
import { type Migrated, migrate, type Target } from "./schema/migrate.ts";
import { rowsOf, type Script } from "./script.ts";
import { type Settled, settling } from "./settle.ts";
import { subscriptionsIn } from "./subscriptions.ts";
import { joining } from "./transaction/join.ts";
import type { SqlTransaction } from "./transaction/transaction.ts";

/** A storage whose truth is tables in a database. */
export interface SqlStorage<Name extends DialectName> extends Storage<SqlTransaction<Name>> {
  /**
   * Makes and changes Posthorn's tables, up to what this version of the package needs. Call it
   * before the bus starts, or as a step of the deployment; any number of processes may.
   *
   * @param options.print Changes nothing, and answers the SQL: for hosts with a migration tool of
   * their own.
   * @throws PosthornError `schema_mismatch` if tables of these names are somebody else's, or too new
   * for this code.
   */
  migrate(options?: { readonly print?: boolean }): Promise<Migrated>;
}

const NONE: ReadonlySet<never> = new Set<never>();

/** For how long a router locks what it looks at, once it has met another, or there was much to route. */
const LOCKING_MS = 1_000;

/** For how long dispatching is in haste once it had to be. */
const HASTE_MS = 60_000;

export function sqlStorage<Name extends DialectName>(
  target: Target & {
    readonly database: Database;
    /** Throws in transactions of the host that must not be written in. */
    readonly guard?: () => Script<void>;
  },
): SqlStorage<Name> {
  const { database } = target;
  const { dialect } = database;
  const append = appending(dialect);
  const routes = routing(dialect);
  const claims = claiming(dialect);
  const settles = settling(dialect);
  const subscriptions = subscriptionsIn(dialect);
  const history = historyIn(dialect);
  const operations = operating(dialect);
  const replays = replaying(dialect);
  const housekeeping = housekeepingIn(dialect);
  const beats = beating(dialect);

  let checked: Promise<void> | null = null;
  let fits = false;
  /** Looks once whether the tables are what this code needs; every verb begins with it. */
  function ready(): Promise<void> {
    checked ??= checkSchema(target).then(
      () => {
        fits = true;
      },
      (error: unknown) => {
        checked = null;
        throw error;
      },
    );
    return checked;
  }

  const join = joining(dialect.name, target.naming, function* () {
    if (target.guard !== undefined) yield* target.guard();
    // In the host's own transaction: to wait for a second connection could be to wait for ever.
    if (!fits) fits = yield* checkThere(target);
  });

  /** A verb that changes something, and is safe to repeat if its answer was lost. */
  async function transact<Result>(script: () => Script<Result>): Promise<Result> {
    await ready();
    return database.transact(script, { repeatable: true });
  }

  /** One that is not: what it took into flight would be lost twice. */
  async function transactOnce<Result>(script: () => Script<Result>): Promise<Result> {
    await ready();
    return database.transact(script);
  }

  async function query<Result>(script: () => Script<Result>): Promise<Result> {
    await ready();
    return database.query(script);
  }

  const maybeIn = <Result>(
    tx: SqlTransaction<Name> | undefined,
    script: () => Script<Result>,
  ): Promise<Result> => (tx === undefined ? transact(script) : join.play(tx, script));

  /**
   * Where one statement adds them, it needs no transaction: two round trips less. Unless one has a
   * key: then it may have to wait for another's transaction, and must not wait for ever.
   */
  async function appendOurselves(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    const mayWait = events.some(({ idempotencyKey }) => idempotencyKey !== null);
    const isAlone = dialect.appendsAtOnce && !mayWait;
    return isAlone ? query(() => append(events)) : transact(() => append(events));
  }

  /** Until this instant, dispatching waits for nobody's locks. */
  let inHasteUntil = Number.NEGATIVE_INFINITY;

  /**
   * Plays it again in haste if others hold a lane or a gate for long, as a host's open transaction
   * does: what does not need it goes on.
   */
  async function orInHaste<Result>(
    now: number,
    play: (inHaste: boolean) => Promise<Result>,
  ): Promise<Result> {
    if (now < inHasteUntil) return play(true);
    try {
      return await play(false);
    } catch (error) {
      if (!database.mayPass(error)) throw error;
      inHasteUntil = now + HASTE_MS;
      return play(true);
    }
  }

  /** What is plain without a transaction, where one statement can; the others, and what that leaves, in one. */
  async function settle(
    settlements: readonly Settlement[],
    apply: Parameters<Storage["settle"]>[1],
  ): Promise<Settled> {
    const ended = dialect.landsAtOnce ? await landAtOnce(settlements, apply) : NONE;
    const left = settlements.filter((settlement) => !ended.has(settlement));
    if (left.length === 0) return { results: settlements.map(() => "settled"), failures: [] };
    const { results, failures } = await settleInOne(left, apply);
    const resultOf = new Map(left.map((settlement, index) => [settlement, results[index]]));
    return { results: settlements.map((each) => resultOf.get(each) ?? "settled"), failures };
  }

  /** What the database refuses is left to be tried one by one. */
  async function landAtOnce(
    settlements: readonly Settlement[],
    apply: Parameters<Storage["settle"]>[1],
  ): Promise<ReadonlySet<Settlement>> {
    try {
      return await query(() => settles.land(settlements, apply));
    } catch (error) {
      if (isPosthornError(error)) throw error;
      return NONE;
    }
  }

  /** Until this instant, what is to be routed is locked before it is looked at. */
  let lockingUntil = Number.NEGATIVE_INFINITY;

  /** What fails is left to be tried in a transaction. */
  async function routeAtOnce(
    ...[request, plan]: Parameters<Storage["route"]>
  ): Promise<RouteResult | null> {
    if (dialect.routing === null) return null;
    let routed: RoutedAtOnce | null = null;
    try {
      routed = await query(() => routes.routeAtOnce(request, plan));
    } catch (error) {
      if (isPosthornError(error)) throw error;
    }
    if (routed === null || routed.isContended) lockingUntil = request.now + LOCKING_MS;
    return routed?.result ?? null;
  }

  /** All together; or, if the database refuses something of it, one by one. */
  async function settleInOne(
    settlements: readonly Settlement[],
    apply: Parameters<Storage["settle"]>[1],
  ): Promise<Settled> {
    try {
      return await transact(() => settles.settle(settlements, apply));
    } catch (error) {
      if (isPosthornError(error)) throw error;
      if (settlements.length <= 1) return { results: [], failures: [error] };
    }
    const results: SettleResult[] = [];
    const failures: unknown[] = [];
    for (const settlement of settlements) {
      const one = await settle([settlement], apply);
      results.push(...one.results);
      failures.push(...one.failures);
    }
    return { results, failures };
  }

  /** This process has appended something since it last looked for what is to be routed, or has left some. */
  let isMoreExpected = false;

  return {
    append: async (events, tx) => {
      if (tx !== undefined) return join.play(tx, () => append(events));
      const appended = await appendOurselves(events);
      isMoreExpected = true;
      return appended;
    },

    ...(dialect.name === "sqlite" && {
      appendSync: (events, tx) => join.playSync(tx, () => append(events)),
    }),

    route: async (request, plan) => {
      const { now } = request;
      const isExpected = isMoreExpected;
      isMoreExpected = false;
      const atOnce = now < lockingUntil ? null : await routeAtOnce(request, plan);
      if (atOnce !== null) return atOnce;
      if (!isExpected && !(await query(() => routes.isDue(now)))) return NOTHING_ROUTED;
      for (let { maxEvents } = request; ; maxEvents = Math.floor(maxEvents / 2)) {
        try {
          const routed = await orInHaste(now, (inHaste) =>
            transactOnce(() => routes.route({ ...request, maxEvents }, plan, inHaste)),
          );
          isMoreExpected ||= routed.events === request.maxEvents;
          return routed;
        } catch (error) {
          if (isPosthornError(error) || database.mayPass(error)) throw error;
          if (maxEvents <= 1) return transactOnce(() => routes.putOff(now, error));
        }
      }
    },

    claim: async (request, rules) => {
      const { now, slots, alone } = request;
      const isDue = (instant: number | null): boolean => instant !== null && instant <= now;
      const look = (): Script<Prospect> => claims.look(request);

      let prospect = await query(look);
      let lapsed: readonly Delivery[] = [];
      if (isDue(prospect.lease)) {
        lapsed = await orInHaste(now, (inHaste) =>
          transactOnce(() => claims.endLapses(now, rules, inHaste)),
        );
        prospect = await query(look);
      }

      const isWorth = alone ? isDue(prospect.suspect) : prospect.lanes.some(isDue);
      if (slots === 0 || !isWorth) return { claims: [], lapsed, ...outlook(prospect, now) };
      const full = fullOrganizations(request);
      const isFull = full.size > 0 && !alone;
      const beside = isFull ? await query(() => claims.beside(request, prospect, full)) : null;
      if (beside?.length === 0) return { claims: [], lapsed, ...outlook(prospect, now) };
      const seen = { prospect, beside };
      return orInHaste(now, (inHaste) =>
        transactOnce(function* () {
          const taken = yield* claims.take(request, rules, seen, inHaste);
          return { claims: taken, lapsed, ...outlook(yield* look(), now) };
        }),
      );
    },

    settle: async (settlements, apply) => {
      if (settlements.length === 0) return [];
      const { results, failures } = await settle(settlements, apply);
      if (failures.length > 0) throw failures[0];
      return results;
    },

    release: (flights, dueAt) => transact(() => settles.release(flights, dueAt)),

    subscriptions: {
      create: (record, lane, tx) => maybeIn(tx, () => subscriptions.create(record, lane)),
      get: (reference, tx) =>
        tx === undefined
          ? query(() => subscriptions.get(reference))
          : join.play(tx, () => subscriptions.get(reference)),
      list: (request) => query(() => history.subscriptions(request)),
      update: (record, lane, tx) =>
        tx === undefined
          ? transactOnce(() => subscriptions.update(record, lane))
          : join.play(tx, () => subscriptions.update(record, lane)),
      delete: (reference, _now, tx) =>
        tx === undefined
          ? transactOnce(() => subscriptions.delete(reference))
          : join.play(tx, () => subscriptions.delete(reference)),
      report: (reference, findings) => transact(() => subscriptions.report(reference, findings)),
      sealedOtherwise: (request) => query(() => subscriptions.sealedOtherwise(request)),
    },

    history: {
      event: (reference) => query(() => history.event(reference)),
      events: (request) => query(() => history.events(request)),
      delivery: (reference) => query(() => history.delivery(reference)),
      deliveries: (request) => query(() => history.deliveries(request)),
      attempts: (reference) => query(() => history.attempts(reference)),
    },

    send: (event, delivery) => transact(() => operations.send(event, delivery)),
    redeliver: (request) => transact(() => operations.redeliver(request)),
    cancel: (request) => transactOnce(() => operations.cancel(request)),
    cancelAll: (request) => transactOnce(() => operations.cancelAll(request)),
    replays: {
      create: (replay) => transact(() => replays.create(replay)),
      get: (reference) => query(() => replays.get(reference)),
      list: (request) => query(() => history.replays(request)),
      cancel: (reference, now) => transactOnce(() => replays.cancel(reference, now)),
      step: async (request) =>
        (await query(replays.isRunning))
          ? transactOnce(() => replays.step(request))
          : { made: 0, running: false, ended: null },
    },

    sweep: (request) => transactOnce(() => housekeeping.sweep(request)),
    prune: (request) => transactOnce(() => housekeeping.prune(request)),
    beat: (heartbeat) => transact(() => beats(heartbeat)),
    backlog: (now) => query(() => housekeeping.backlog(now)),

    ...(dialect.clock !== null && {
      clock: async () => {
        const [row] = await query(() => rowsOf(dialect.clock as string));
        return int(row?.["now"]);
      },
    }),

    migrate: async (options) => {
      checked = null;
      fits = false;
      return migrate(target, options);
    },

    close: () => database.close(),
  };
}

/** When a process can find something again, and whether that is a suspect. */
function outlook(
  { lanes, suspect, lease }: Prospect,
  now: number,
): Pick<ClaimResult, "nextDueAt" | "suspects"> {
  const instants = [...lanes, suspect, lease].filter((instant) => instant !== null);
  return {
    nextDueAt: instants.length === 0 ? null : Math.max(now, Math.min(...instants)),
    suspects: suspect !== null && suspect <= now,
  };
}
