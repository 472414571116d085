import {
  type Apply,
  type Attempt,
  type Delivery,
  type Flight,
  type GateState,
  landed,
  learned,
  type NewEvent,
  type SettleChange,
  type Settlement,
  type SettleResult,
  type SubscriptionRecord,
} from "@posthorn/core";
import { appending } from "./append.ts";
import { canceled, DELETED, deliveriesIn, duesOf } from "./deliveries.ts";
import { ATTEMPT_COLUMNS, type Dialect, type SentRow, sent } from "./dialect.ts";
import { findingsIn } from "./findings.ts";
import { gatesIn } from "./gates.ts";
import { type LockedLane, lanesIn } from "./lanes.ts";
import { queuesIn } from "./queues.ts";
import { attemptRow, isSet, text, textOrNull, toDelivery } from "./records.ts";
import { change, rowsOf, type Script } from "./script.ts";
import { subscriptionsById } from "./subscriptions-by-id.ts";

export interface Settling {
  /** Ends plain flights that are on, each by itself; answers those that it has ended. */
  land(settlements: readonly Settlement[], apply: Apply): Script<ReadonlySet<Settlement>>;
  settle(settlements: readonly Settlement[], apply: Apply): Script<Settled>;
  release(flights: readonly Flight[], dueAt: number): Script<void>;
}

export interface Settled {
  readonly results: readonly SettleResult[];
  /** What `apply` threw. */
  readonly failures: readonly unknown[];
}

export function settling(dialect: Dialect): Settling {
  const { rows, lookUp } = dialect;
  const lanes = lanesIn(dialect);
  const gates = gatesIn(dialect);
  const deliveries = deliveriesIn(dialect);
  const findings = findingsIn(dialect);
  const queues = queuesIn(dialect);
  const append = appending(dialect);
  const subscriptionsOf = subscriptionsById(dialect);
  const known = `select a.delivery_id, a.token, a.late from ${rows("r", { delivery_id: "key", token: "key" })} ${lookUp("attempts", "a")} on a.delivery_id = r.delivery_id and a.token = r.token`;
  const add = dialect.insert({ table: "attempts", rows: ATTEMPT_COLUMNS });

  function* knownAttempts(settlements: readonly Settlement[]): Script<Map<string, boolean>> {
    if (settlements.length === 0) return new Map();
    const asked = settlements.map(({ deliveryId, token }) => ({ delivery_id: deliveryId, token }));
    const found = yield* rowsOf(known, sent(asked));
    return new Map(
      found.map((row) => [
        flightKey({ deliveryId: text(row["delivery_id"]), token: text(row["token"]) }),
        isSet(row["late"]),
      ]),
    );
  }

  function* surroundings(settlements: readonly Settlement[]): Script<Surroundings> {
    const ids = [...new Set(settlements.map(({ subscriptionId }) => subscriptionId))];
    const locked = yield* lanes.lock(ids);
    const states = yield* gates.lock([...locked.values()].flatMap(({ gateIds }) => gateIds));
    return {
      lanes: locked,
      gates: new Map(states),
      subscriptions: yield* subscriptionsOf(ids),
    };
  }

  function* land(
    settlements: readonly Settlement[],
    apply: Apply,
  ): Script<ReadonlySet<Settlement>> {
    const { landing } = dialect;
    if (landing === null) return new Set();
    const byId = new Map<string, Settlement>();
    const delivered: SentRow[] = [];
    for (const settlement of single(settlements)) {
      const change = settlement.plain ? changeOf(settlement, apply) : null;
      if (change?.next.status !== "delivered") continue;
      byId.set(settlement.deliveryId, settlement);
      delivered.push({
        ...attemptRow({ ...settlement.attempt, counted: change.counted, late: false }),
        attempts: change.next.attempts ?? settlement.delivery.attempts,
      });
    }
    const ended = delivered.length === 0 ? [] : yield* landing(delivered);
    return new Set([...ended].flatMap((id) => byId.get(id) ?? []));
  }

  return {
    land,

    settle: function* (all, apply) {
      const ended = yield* land(all, apply);
      const settlements = all.filter((settlement) => !ended.has(settlement));
      const around = yield* surroundings(settlements.filter(({ plain }) => !plain));
      const found = yield* deliveries.lock(settlements.map(({ deliveryId }) => deliveryId));
      const flights = new Map(
        found.map((row) => {
          const delivery = toDelivery(row);
          const isBound = row["ordering_key"] !== null;
          return [delivery.id, { delivery, isBound, token: textOrNull(row["token"]) }];
        }),
      );
      const isOn = ({ deliveryId, token }: Flight): boolean =>
        flights.get(deliveryId)?.token === token;
      const attempted = yield* knownAttempts(settlements.filter((each) => !isOn(each)));

      const landings: Delivery[] = [];
      const attempts: Attempt[] = [];
      const failures: unknown[] = [];
      const changed = { gates: new Set<string>(), subscriptions: new Set<string>() };
      const disabled = new Set<string>();
      const events: NewEvent[] = [];
      const results = all.map((settlement): SettleResult => {
        if (ended.has(settlement)) return "settled";
        const { deliveryId, subscriptionId, attempt } = settlement;
        const flight = flights.get(deliveryId);
        if (flight === undefined || !isOn(settlement)) {
          const late = attempted.get(flightKey(settlement));
          if (late === false) return "repeated";
          if (late === undefined && flight !== undefined) {
            attempts.push({ ...attempt, counted: false, late: true });
            attempted.set(flightKey(settlement), true);
          }
          return "late";
        }
        let follows: SettleChange;
        try {
          follows = apply(settlement, stateOf(settlement, flight, around));
        } catch (error) {
          failures.push(error);
          return "settled";
        }
        const completedAt = attempt.startedAt + attempt.durationMs;
        const after = landed(flight.delivery, follows.next, completedAt);
        const isLost =
          !settlement.plain && after.dueAt !== null && !around.lanes.has(subscriptionId);
        const delivery = isLost ? canceled(after, DELETED, completedAt) : after;
        landings.push(delivery);
        flights.set(deliveryId, { ...flight, delivery, token: null });
        attempts.push({ ...attempt, counted: follows.counted, late: false });
        attempted.set(flightKey(settlement), false);
        for (const gate of follows.gates ?? []) {
          around.gates.set(gate.id, gate);
          changed.gates.add(gate.id);
        }
        const record = around.subscriptions.get(subscriptionId);
        if (follows.subscription !== undefined && record !== undefined) {
          around.subscriptions.set(subscriptionId, learned(record, follows.subscription));
          changed.subscriptions.add(subscriptionId);
          if (follows.subscription.disabledReason !== undefined) disabled.add(subscriptionId);
        }
        if (follows.event !== undefined) events.push(follows.event);
        return "settled";
      });

      yield* gates.keep(picked(around.gates, changed.gates));
      yield* deliveries.write(found, landings);
      const called = yield* queues.leave(found, landings);
      if (attempts.length > 0) yield* change(add, sent(attempts.map(attemptRow)));
      yield* findings.write(picked(around.subscriptions, changed.subscriptions));
      yield* lanes.expect([...duesOf(landings), ...called]);
      yield* findings.park([...disabled]);
      if (events.length > 0) yield* append(events);
      return { results, failures };
    },

    release: function* (flights, dueAt) {
      const known = yield* lanes.lock(flights.map(({ subscriptionId }) => subscriptionId));
      const found = yield* deliveries.lock(flights.map(({ deliveryId }) => deliveryId));
      const given = new Set(flights.map(flightKey));
      const released = found
        .filter((row) =>
          given.has(
            flightKey({ deliveryId: text(row["id"]), token: textOrNull(row["token"]) ?? "" }),
          ),
        )
        .map(toDelivery)
        .map((delivery) =>
          known.has(delivery.subscriptionId)
            ? landed(delivery, { status: "waiting", dueAt }, dueAt)
            : canceled(delivery, DELETED, dueAt),
        );
      yield* deliveries.write(found, released);
      const called = yield* queues.leave(found, released);
      yield* lanes.expect([...duesOf(released), ...called]);
    },
  };
}

/** Those whose delivery has no other: of several, the first one counts. */
function single(settlements: readonly Settlement[]): readonly Settlement[] {
  const byId = Map.groupBy(settlements, ({ deliveryId }) => deliveryId);
  return byId.size === settlements.length
    ? settlements
    : [...byId.values()].flatMap((all) => (all.length === 1 ? all : []));
}

/** What follows from a plain settlement; null if that cannot be said: it is asked again, and fails alone. */
function changeOf(settlement: Settlement, apply: Apply): SettleChange | null {
  const { delivery } = settlement;
  try {
    return apply(settlement, { delivery, subscription: null, gates: [], order: "none" });
  } catch {
    return null;
  }
}

/** What settlements that are not plain can change beside their deliveries. */
interface Surroundings {
  readonly lanes: ReadonlyMap<string, LockedLane>;
  /** The latest states: what one settlement changes, the next one sees. */
  readonly gates: Map<string, GateState>;
  readonly subscriptions: Map<string, SubscriptionRecord>;
}

const gatesOf = ({ lanes, gates }: Surroundings, subscriptionId: string): readonly GateState[] =>
  (lanes.get(subscriptionId)?.gateIds ?? []).flatMap((id) => gates.get(id) ?? []);

const stateOf = (
  { plain, subscriptionId }: Settlement,
  { delivery, isBound }: { readonly delivery: Delivery; readonly isBound: boolean },
  around: Surroundings,
): Parameters<Apply>[1] => ({
  delivery,
  subscription: plain ? null : (around.subscriptions.get(subscriptionId) ?? null),
  gates: plain ? [] : gatesOf(around, subscriptionId),
  order: isBound ? (around.lanes.get(subscriptionId)?.order ?? "none") : "none",
});

const flightKey = ({ deliveryId, token }: Pick<Flight, "deliveryId" | "token">): string =>
  `${deliveryId} ${token}`;

const picked = <Value>(values: ReadonlyMap<string, Value>, ids: Iterable<string>): Value[] =>
  [...ids].flatMap((id) => values.get(id) ?? []);
