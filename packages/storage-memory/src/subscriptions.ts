import {
  freshGate,
  isSerial,
  type LaneDefinition,
  learned,
  type SubscriptionFindings,
  type SubscriptionRecord,
  type SubscriptionStore,
} from "@posthorn/core";
import { dueQueue } from "./due-queue.ts";
import { frozen } from "./frozen.ts";
import { pageOf } from "./page.ts";
import { giveUp, introduce, queuedIn } from "./queue.ts";
import { findLane, keepGates, type Lane, type Owed, ready, type State } from "./state.ts";
import { end, schedule, wait } from "./traffic.ts";

export const DELETED = "the webhook was deleted";

export function subscriptionsIn(state: State): SubscriptionStore {
  const { lanes, rosters } = state;
  const rosterOf = (organization: string): readonly Lane[] => rosters.get(organization) ?? [];

  return {
    create: async (record, definition, tx) => {
      ready(state, tx);
      const { id, organization, idempotencyKey: key } = record;
      const roster = rosterOf(organization);
      const earlier = roster.find(
        (lane) => lane.record.id === id || (key !== null && lane.record.idempotencyKey === key),
      );
      if (earlier !== undefined) return earlier.record;
      const lane: Lane = {
        record,
        keyId: null,
        gateKeyId: null,
        order: "none",
        parked: false,
        deleted: false,
        gateIds: [],
        waiting: dueQueue(),
        firsts: dueQueue(),
        queues: new Map(),
      };
      define(state, lane, record, definition);
      lanes.set(id, lane);
      rosters.set(organization, [...roster, lane].sort(byId));
      return null;
    },

    get: async (reference, tx) => {
      ready(state, tx);
      return findLane(state, reference)?.record ?? null;
    },

    list: async (request) => {
      ready(state);
      const records = rosterOf(request.organization).map(({ record }) => record);
      return pageOf(records, request);
    },

    update: async (record, definition, tx) => {
      ready(state, tx);
      const lane = findLane(state, record);
      if (lane?.record.version !== record.version - 1) return false;
      define(state, lane, record, definition);
      return true;
    },

    delete: async (reference, now, tx) => {
      ready(state, tx);
      const lane = findLane(state, reference);
      if (lane === null) return false;
      const { organization } = reference;
      rosters.set(
        organization,
        rosterOf(organization).filter((other) => other !== lane),
      );
      lane.deleted = true;
      lane.parked = true;
      for (const owed of pendingIn(lane)) {
        end(state, owed, { status: "canceled", reason: DELETED, now });
      }
      return true;
    },

    report: async ({ version, ...reference }, findings) => {
      ready(state);
      const lane = findLane(state, reference);
      if (lane?.record.version === version) learn(state, lane, findings);
    },

    sealedOtherwise: async ({ keyId, after, limit }) => {
      ready(state);
      return [...lanes.values()]
        .filter((lane) => !lane.deleted && needsAnother(lane, keyId))
        .filter(({ record }) => after === null || record.id > after)
        .sort(byId)
        .slice(0, limit)
        .map(({ record }) => record);
    },
  };
}

/** What Posthorn found out about a subscription. */
export function learn(state: State, lane: Lane, findings: SubscriptionFindings): void {
  lane.record = frozen(learned(lane.record, findings));
  lane.parked ||= findings.disabledReason !== undefined;
  schedule(state, lane, lane.asked?.at ?? 0);
}

function define(
  state: State,
  lane: Lane,
  record: SubscriptionRecord,
  { gates, keyId, gateKeyId, order, parked }: LaneDefinition,
): void {
  keepGates(
    state,
    gates.map((gate) => ({ ...freshGate(gate), ...state.gates.get(gate.id), ...gate })),
  );
  lane.record = frozen(record);
  lane.keyId = keyId;
  lane.gateKeyId = gateKeyId;
  lane.parked = parked;
  lane.gateIds = gates.map(({ id }) => id);
  const wasSerial = isSerial(lane.order);
  lane.order = order;
  if (isSerial(order) && !wasSerial) introduce(lane);
  if (!isSerial(order)) for (const owed of giveUp(lane)) wait(state, owed, record.updatedAt);
  schedule(state, lane, 0);
}

/** What waits in a lane or is queued. Ended in this order, none comes due because another ends. */
export const pendingIn = (lane: Lane): readonly Owed[] => [
  ...queuedIn(lane),
  ...[...lane.waiting].map(({ item }) => item),
];

const needsAnother = (lane: Lane, keyId: string): boolean =>
  (lane.keyId !== null && lane.keyId !== keyId) ||
  (lane.gateIds.length > 0 && lane.gateKeyId !== keyId);

const byId = (a: Lane, b: Lane): number => (a.record.id < b.record.id ? -1 : 1);
