import {
  isSerial,
  type LaneDefinition,
  learned,
  type Reference,
  type SubscriptionFindings,
  type SubscriptionRecord,
} from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { findingsIn } from "./findings.ts";
import { gatesIn } from "./gates.ts";
import { type LockedLane, lanesIn } from "./lanes.ts";
import { queuesIn } from "./queues.ts";
import { LANE_COLUMNS, SUBSCRIPTION_COLUMNS, subscriptionRow, toSubscription } from "./records.ts";
import { change, rowsOf, type Script } from "./script.ts";

export interface SubscriptionRows {
  create(record: SubscriptionRecord, lane: LaneDefinition): Script<SubscriptionRecord | null>;
  get(reference: Reference): Script<SubscriptionRecord | null>;
  update(record: SubscriptionRecord, lane: LaneDefinition): Script<boolean>;
  delete(reference: Reference): Script<boolean>;
  report(
    reference: Reference & { readonly version: number },
    findings: SubscriptionFindings,
  ): Script<void>;
  sealedOtherwise(request: {
    readonly keyId: string;
    readonly after: string | null;
    readonly limit: number;
  }): Script<readonly SubscriptionRecord[]>;
}

export function subscriptionsIn(dialect: Dialect): SubscriptionRows {
  const { table, forShare } = dialect;
  const lanes = lanesIn(dialect);
  const gates = gatesIn(dialect);
  const findings = findingsIn(dialect);
  const queues = queuesIn(dialect);

  const get = `select * from ${table("subscriptions")} where id = ? and organization = ?`;
  const sameKey = `select * from ${table("subscriptions")} where organization = ? and idempotency_key = ?`;
  const add = dialect.insert({ table: "subscriptions", rows: SUBSCRIPTION_COLUMNS });
  const addLane = dialect.insert({ table: "lanes", rows: LANE_COLUMNS });
  const { id: _id, ...changing } = SUBSCRIPTION_COLUMNS;
  const replace = dialect.update({
    table: "subscriptions",
    rows: SUBSCRIPTION_COLUMNS,
    set: Object.fromEntries(Object.keys(changing).map((column) => [column, `r.${column}`])),
    where: "t.id = r.id",
  });
  const defineLane = dialect.update({
    table: "lanes",
    rows: {
      subscription_id: "key",
      key_id: "key",
      gate_key_id: "key",
      gate_ids: "text",
      delivery_order: "text",
      parked: "int",
      was_parked: "int",
    },
    set: {
      key_id: "r.key_id",
      gate_key_id: "r.gate_key_id",
      gate_ids: "r.gate_ids",
      delivery_order: "r.delivery_order",
      parked: "r.parked",
      // At once, if something may wait: a claim finds out when. A host's transaction that looked
      // would see what was, or lock what is, for as long as it is open.
      next_due_at:
        "case when r.parked = 1 or (r.was_parked = 0 and t.next_due_at is null) then null else 0 end",
    },
    where: "t.subscription_id = r.subscription_id",
  });
  const remove = `delete from ${table("subscriptions")} where id = ?`;
  const bury = `update ${table("lanes")} set deleted = 1, parked = 1, next_due_at = null where subscription_id = ?`;
  const sealed = `select s.* from ${table("lanes")} l join ${table("subscriptions")} s on s.id = l.subscription_id where l.subscription_id > ? and ((l.key_id <> '' and l.key_id <> ?) or (l.gate_ids <> '[]' and l.gate_key_id <> ?)) order by l.subscription_id limit ?`;

  function* find(
    { organization, id }: Reference,
    key: string | null = null,
    locking = "",
  ): Script<SubscriptionRecord | null> {
    const keyed = key === null ? [] : yield* rowsOf(`${sameKey}${locking}`, organization, key);
    const [found] = keyed.length > 0 ? keyed : yield* rowsOf(`${get}${locking}`, id, organization);
    return found === undefined ? null : toSubscription(found);
  }

  const laneRow = (record: SubscriptionRecord, lane: LaneDefinition) => ({
    subscription_id: record.id,
    key_id: lane.keyId ?? "",
    gate_key_id: lane.gateKeyId ?? "",
    gate_ids: JSON.stringify(lane.gates.map(({ id }) => id)),
    delivery_order: lane.order,
    parked: Number(lane.parked),
  });

  /** The subscription with its lane locked, so that neither changes meanwhile. */
  function* locked(reference: Reference): Script<Locked | null> {
    const lane = (yield* lanes.lock([reference.id])).get(reference.id);
    const record = yield* find(reference, null, forShare);
    return record === null || lane === undefined ? null : { record, lane };
  }

  return {
    create: function* (record, lane) {
      const { idempotencyKey: key } = record;
      const earlier = yield* find(record, key);
      if (earlier !== null) return earlier;
      yield* change(add, sent([subscriptionRow(record)]));
      const winner = (yield* find(record, key)) ?? (yield* find(record, key, forShare));
      if (winner === null) {
        throw new Error(
          `Subscription ${record.id} could not be stored: its id, or one with its idempotency key that is being deleted, is in the way. Create it again.`,
        );
      }
      if (winner.id !== record.id) return winner;
      const fresh = {
        ...laneRow(record, lane),
        organization: record.organization,
        handler_type: record.type,
        deleted: 0,
        next_due_at: null,
      };
      yield* change(addLane, sent([fresh]));
      yield* gates.define(lane.gates);
      return null;
    },

    get: (reference) => find(reference),

    update: function* (record, lane) {
      const stored = yield* locked(record);
      if (stored?.record.version !== record.version - 1) return false;
      yield* gates.define(lane.gates);
      const isBound = isSerial(lane.order);
      const wasBound = isSerial(stored.lane.order);
      if (isBound && !wasBound) yield* queues.introduce(record.id);
      const freed = !isBound && wasBound ? yield* queues.giveUp(record.id, record.updatedAt) : [];
      yield* change(replace, sent([subscriptionRow(record)]));
      const was_parked = Number(stored.lane.parked);
      yield* change(defineLane, sent([{ ...laneRow(record, lane), was_parked }]));
      yield* lanes.expect(freed);
      return true;
    },

    delete: function* (reference) {
      const stored = yield* locked(reference);
      if (stored === null) return false;
      yield* change(bury, reference.id);
      yield* change(remove, reference.id);
      return true;
    },

    report: function* ({ version, ...reference }, found) {
      const stored = yield* locked(reference);
      if (stored?.record.version !== version) return;
      yield* findings.write([learned(stored.record, found)]);
      if (found.disabledReason !== undefined) yield* findings.park([reference.id]);
    },

    sealedOtherwise: function* ({ keyId, after, limit }) {
      return (yield* rowsOf(sealed, after ?? "", keyId, keyId, limit)).map(toSubscription);
    },
  };
}

interface Locked {
  readonly record: SubscriptionRecord;
  readonly lane: LockedLane;
}
