import {
  admit,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type Delivery,
  type LaneDefinition,
  lapse,
  type NewEvent,
  planDeliveries,
  type RouteRequest,
  type RouteResult,
  type SettleChange,
  type Settlement,
  type SettleResult,
  type SubscriptionRecord,
} from "@posthorn/core";
import type { SqlStorage } from "../src/storage.ts";
import { anEventNamed } from "./events.ts";

/** What a dispatcher and its host do to a storage, in few words; all of organization "acme". */
export interface Work {
  subscribe(
    given?: Partial<SubscriptionRecord>,
    lane?: Partial<LaneDefinition>,
  ): Promise<SubscriptionRecord>;
  /** Saves a subscription that was read before. */
  save(record: SubscriptionRecord, lane?: Partial<LaneDefinition>, tx?: unknown): Promise<boolean>;
  publish(given?: Partial<NewEvent>, tx?: unknown): Promise<string>;
  /** Nothing starts at once, unless slots are given. */
  route(given?: Partial<RouteRequest>): Promise<RouteResult>;
  claim(given?: Partial<ClaimRequest>): Promise<ClaimResult>;
  settle(claims: readonly Claim[], change: SettleChange): Promise<readonly SettleResult[]>;
  /** Settles successes of which nobody has anything to learn. */
  succeed(claims: readonly Claim[]): Promise<readonly SettleResult[]>;
  deliveries(): Promise<readonly Delivery[]>;
}

export const NOW = 1_800_000_000_000;
export const LEASE = 45_000;

let made = 0;

/** A new id; later ones sort after earlier ones. */
export function newId(): string {
  made += 1;
  return `id-${made.toString().padStart(9, "0")}`;
}

export const aSubscription = (given: Partial<SubscriptionRecord> = {}): SubscriptionRecord => ({
  id: newId(),
  organization: "acme",
  name: "A subscription",
  eventTypes: ["*"],
  type: "http",
  configuration: {},
  secrets: {},
  order: "none",
  enabled: true,
  disabledReason: null,
  status: "unverified",
  statusDetail: null,
  statusCheckedAt: null,
  failing: null,
  state: null,
  idempotencyKey: null,
  fingerprint: null,
  version: 1,
  createdAt: NOW,
  updatedAt: NOW,
  ...given,
});

export const aLane = (given: Partial<LaneDefinition> = {}): LaneDefinition => ({
  gates: [],
  keyId: null,
  gateKeyId: null,
  order: "none",
  parked: false,
  ...given,
});

/** At most one delivery per millisecond. */
export const aGate = (): LaneDefinition["gates"][number] => ({
  id: newId(),
  name: "host",
  limit: { limit: 1, perMs: 1, burst: 50 },
});

export const settlementOf = (
  claim: Pick<Claim, "deliveryId" | "subscriptionId" | "token" | "delivery">,
  plain: boolean,
): Settlement => ({
  deliveryId: claim.deliveryId,
  subscriptionId: claim.subscriptionId,
  token: claim.token,
  delivery: claim.delivery,
  plain,
  attempt: {
    deliveryId: claim.deliveryId,
    token: claim.token,
    startedAt: NOW,
    durationMs: 12,
    outcome: plain ? "delivered" : "failed",
    reason: plain ? null : "refused",
    remedy: null,
    details: null,
    together: 1,
  },
});

export const again = (dueAt: number): SettleChange => ({
  next: { status: "waiting", dueAt, reason: "refused", attempts: 1 },
  counted: true,
});

const terms = (given: Partial<ClaimRequest>): ClaimRequest => ({
  now: NOW,
  token: newId(),
  leaseMs: LEASE,
  slots: 100,
  perLane: 100,
  handlerTypes: ["http"],
  keyIds: [],
  alone: false,
  ...given,
});

export const workOn = (storage: SqlStorage<never>): Work => ({
  subscribe: async (given, lane) => {
    const record = aSubscription(given);
    await storage.subscriptions.create(record, aLane(lane));
    return record;
  },
  save: (record, lane, tx) =>
    storage.subscriptions.update(
      { ...record, version: record.version + 1 },
      aLane(lane),
      tx as never,
    ),
  publish: async (given, tx) => {
    const event = anEventNamed(newId(), given);
    await storage.append([event], tx as never);
    return event.id;
  },
  route: (given) =>
    storage.route(
      { ...terms({ slots: 0 }), maxEvents: 500, maxDeliveries: 5_000, ...given },
      (input) => planDeliveries(input, newId),
    ),
  claim: (given = {}) => storage.claim(terms(given), { admit, lapse }),
  settle: (claims, change) =>
    storage.settle(
      claims.map((claim) => settlementOf(claim, false)),
      () => change,
    ),
  succeed: (claims) =>
    storage.settle(
      claims.map((claim) => settlementOf(claim, true)),
      () => ({ next: { status: "delivered", attempts: 1 }, counted: true }),
    ),
  deliveries: async () =>
    (await storage.history.deliveries({ organization: "acme", limit: 1_000 })).items.toReversed(),
});
