import {
  type Admission,
  type Attempt,
  admit,
  type BreakerState,
  type Claim,
  type ClaimRequest,
  type ClaimResult,
  type ClaimRules,
  type Delivery,
  freshGate,
  type GateDefinition,
  type GateState,
  type LaneDefinition,
  lapse,
  type NewDelivery,
  type NewEvent,
  type Open,
  type Plan,
  planDeliveries,
  queueOf,
  type RouteRequest,
  type RouteResult,
  type SettleChange,
  type Settlement,
  type SettleResult,
  type Storage,
  type StoredEvent,
  type SubscriptionRecord,
} from "@posthorn/core";
import { type ContractCase, cases, type Law } from "../case.ts";

/** What a storage's author provides for the suite. */
export interface StorageHarness {
  /** A fresh, empty storage. Each case opens one, and closes it. */
  open(): Promise<Storage<unknown>> | Storage<unknown>;
  /** Another handle on what the last opened storage holds, as a second process would have it. */
  reopen?(): Promise<Storage<unknown>> | Storage<unknown>;
  /** The host's transactions, on the database of the last opened storage. */
  readonly transaction?: HostTransaction;
  /** Can the host have a transaction open while others write? (SQLite: no.) */
  readonly concurrentWrites?: boolean;
}

export interface HostTransaction {
  begin(): Promise<unknown>;
  commit(tx: unknown): Promise<void>;
  rollback(tx: unknown): Promise<void>;
}

export type StorageCase = ContractCase<StorageHarness>;

/** A storage on which a case plays, with short words for what cases often do. */
export interface Stage {
  readonly storage: Storage<unknown>;
  /** What another process has: a second handle if the harness can give one, else the same. */
  readonly other: Storage<unknown>;
  readonly transaction: HostTransaction;
  publish(event?: Partial<NewEvent>): Promise<StoredEvent>;
  subscribe(
    record?: Partial<SubscriptionRecord>,
    lane?: Partial<LaneDefinition>,
  ): Promise<SubscriptionRecord>;
  /** A subscription with `count` deliveries that wait, due at `at`. */
  owe(given?: Owing): Promise<Owed>;
  /** Nothing starts at once, unless slots are given. */
  route(request?: Partial<RouteRequest>, plan?: Plan, handle?: Handle): Promise<RouteResult>;
  claim(
    request?: Partial<ClaimRequest>,
    rules?: Partial<ClaimRules>,
    handle?: Handle,
  ): Promise<ClaimResult>;
  /** The only claim of a delivery that waits alone. */
  claimOne(request?: Partial<ClaimRequest>): Promise<Claim>;
  settle(claim: Claim, change: Change, attempt?: Partial<Attempt>): Promise<SettleResult>;
  delivery(id: string, organization?: string): Promise<Delivery>;
  attempts(id: string): Promise<readonly Attempt[]>;
}

/** The storage on which to call; by default `storage`. */
type Handle = Storage<unknown>;

interface Owing {
  readonly count?: number;
  readonly at?: number;
  readonly record?: Partial<SubscriptionRecord>;
  readonly lane?: Partial<LaneDefinition>;
}

interface Owed {
  readonly subscription: SubscriptionRecord;
  readonly events: readonly StoredEvent[];
  /** Of the deliveries, oldest first. */
  readonly ids: readonly string[];
}

export type Change = SettleChange | ((delivery: Delivery) => SettleChange);

/** When the cases play. */
export const NOW = 1_800_000_000_000;
export const MINUTE = 60_000;
export const LEASE = 45_000;
export const ACME = "acme";

let made = 0;

/** A new id; later ones sort after earlier ones. */
export function newId(): string {
  made += 1;
  return `01a3185c-5000-7000-8000-${made.toString(16).padStart(12, "0")}`;
}

export const anEvent = (given: Partial<NewEvent> = {}): NewEvent => ({
  id: newId(),
  type: "thing_made",
  organization: ACME,
  occurredAt: NOW,
  publishedAt: NOW,
  actor: null,
  trace: null,
  payload: '{"n":1}',
  orderingKey: null,
  idempotencyKey: null,
  announced: true,
  ...given,
});

/** An event as storage gives it back. */
export function storedOf(event: NewEvent): StoredEvent {
  const { idempotencyKey: _key, announced: _announced, ...stored } = event;
  return stored;
}

export const aSubscription = (given: Partial<SubscriptionRecord> = {}): SubscriptionRecord => ({
  id: newId(),
  organization: ACME,
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
  state: null,
  failing: null,
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

/** One delivery per `perMs`, or no limit at all. */
export const aGate = (perMs: number | null = null, name = "host"): GateDefinition => ({
  id: `gate-${newId()}`,
  name,
  limit: perMs === null ? null : { limit: 1, perMs, burst: 1 },
});

export const aDelivery = (
  event: StoredEvent,
  record: Pick<SubscriptionRecord, "id" | "type">,
  createdAt: number = NOW,
): NewDelivery => ({
  id: newId(),
  organization: event.organization,
  eventId: event.id,
  eventType: event.type,
  subscriptionId: record.id,
  handlerType: record.type,
  createdAt,
});

export const delivered: Change = ({ attempts }) => ({
  next: { status: "delivered", attempts: attempts + 1 },
  counted: true,
});

export const again =
  (dueAt: number, reason = "refused"): Change =>
  ({ attempts }: Delivery): SettleChange => ({
    next: { status: "waiting", dueAt, reason, attempts: attempts + 1 },
    counted: true,
  });

export const dead: Change = ({ attempts }) => ({
  next: { status: "dead", reason: "refused for good", attempts: attempts + 1 },
  counted: true,
});

/** Lets everything through, and changes no gate. */
export const admitAll = (gates: readonly GateState[], now: number, wanted: number): Admission => ({
  count: wanted,
  gates,
  againAt: now,
  startBy: null,
});

export const planOf =
  (state: "wait" | "start"): Plan =>
  ({ request, events, candidates }) => ({
    deliveries: events.flatMap(({ event }) =>
      candidates(event.organization).map(({ subscription }) => ({
        ...aDelivery(event, subscription, request.now),
        queue: queueOf(event),
        state,
      })),
    ),
    cursors: new Map(),
  });

export const settlementOf = (claim: Claim, attempt: Partial<Attempt> = {}): Settlement => {
  const { deliveryId, subscriptionId, token, delivery } = claim;
  const { counted: _counted, late: _late, ...given } = attempt;
  return {
    deliveryId,
    subscriptionId,
    token,
    delivery,
    plain: false,
    attempt: {
      deliveryId,
      token,
      startedAt: NOW,
      durationMs: 12,
      outcome: "failed",
      reason: "refused",
      remedy: null,
      details: null,
      together: 1,
      ...given,
    },
  };
};

export const terms = (given: Partial<ClaimRequest> = {}): ClaimRequest => ({
  now: NOW,
  token: newId(),
  leaseMs: LEASE,
  slots: 100,
  perLane: 100,
  handlerTypes: ["http", "chat"],
  keyIds: ["key-1"],
  alone: false,
  ...given,
});

export const stateOf = (gate: GateDefinition, given: Partial<GateState> = {}): GateState => ({
  ...freshGate(gate),
  ...given,
});

export const anOpenBreaker = (until: number, given: Partial<Open> = {}): BreakerState => ({
  state: "open",
  until,
  times: 1,
  width: 1,
  out: 0,
  outUntil: 0,
  ...given,
});

/** Cases of one verb of the port. */
export const laws = (
  verb: string,
  sentences: { readonly [name: string]: Law<Stage> },
  needs: readonly Need[] = [],
): readonly StorageCase[] => cases(verb, needs, play, sentences);

/** What a case can need of the harness, or of the storage it opens. */
export type Need = "reopen" | "transaction" | "concurrentWrites" | "appendSync" | "clock";

async function play(
  harness: StorageHarness,
  needs: readonly string[],
  law: Law<Stage>,
): Promise<string | null> {
  const storage = await harness.open();
  const other = (await harness.reopen?.()) ?? storage;
  try {
    for (const need of needs) {
      if (need === "appendSync" || need === "clock") {
        if (storage[need] === undefined) return `the storage has no \`${need}\``;
      } else if (!harness[need as keyof StorageHarness]) return `the harness has no \`${need}\``;
    }
    await law(stageOf(storage, other, harness.transaction));
    return null;
  } finally {
    await storage.close();
    await other.close();
  }
}

function stageOf(
  storage: Storage<unknown>,
  other: Storage<unknown>,
  transaction: HostTransaction | undefined,
): Stage {
  const publish: Stage["publish"] = async (given) => {
    const [appended] = await storage.append([anEvent(given)]);
    if (appended === undefined) throw new Error("append answered nothing for an event");
    return appended.event;
  };
  const subscribe: Stage["subscribe"] = async (given, lane) => {
    const record = aSubscription(given);
    await storage.subscriptions.create(record, aLane(lane));
    return record;
  };
  const route: Stage["route"] = (
    request,
    plan = (input) => planDeliveries(input, newId),
    handle = storage,
  ) =>
    handle.route(
      { ...terms({ slots: 0 }), maxEvents: 1_000, maxDeliveries: 5_000, ...request },
      plan,
    );
  const claim: Stage["claim"] = (request, rules, handle = storage) =>
    handle.claim(terms(request), { admit, lapse, ...rules });

  return {
    storage,
    other,
    publish,
    subscribe,
    route,
    claim,
    get transaction() {
      if (transaction === undefined)
        throw new Error("the case does not say that it needs transactions");
      return transaction;
    },
    owe: async ({ count = 1, at = NOW, record, lane } = {}) => {
      const type = `thing_${made}`;
      const subscription = await subscribe({ eventTypes: [type], ...record }, lane);
      const { organization, id } = subscription;
      const given = Array.from({ length: count }, () => anEvent({ type, organization }));
      const appended = await storage.append(given);
      await route({ now: at });
      const { items } = await storage.history.deliveries({
        organization,
        subscriptionId: id,
        limit: count,
      });
      return {
        subscription,
        events: appended.map(({ event }) => event),
        ids: items.map((delivery) => delivery.id).reverse(),
      };
    },
    claimOne: async (request) => {
      const { claims } = await claim(request);
      const [only] = claims;
      if (only === undefined || claims.length !== 1) {
        throw new Error(`expected one claim, got ${claims.length}`);
      }
      return only;
    },
    settle: async (flight, change, attempt) => {
      const [result] = await storage.settle([settlementOf(flight, attempt)], (_, { delivery }) =>
        typeof change === "function" ? change(delivery) : change,
      );
      if (result === undefined) throw new Error("settle answered nothing for a settlement");
      return result;
    },
    delivery: async (id, organization = ACME) => {
      const found = await storage.history.delivery({ organization, id });
      if (found === null) throw new Error(`delivery ${id} is not in the history`);
      return found;
    },
    attempts: (id) => storage.history.attempts({ organization: ACME, id }),
  };
}
