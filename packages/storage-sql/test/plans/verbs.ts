import {
  admit,
  type Claim,
  type ClaimRequest,
  lapse,
  type NewEvent,
  type Plan,
  planDeliveries,
  type RouteRequest,
  type Settlement,
  type Storage,
  type SubscriptionRecord,
} from "@posthorn/core";
import {
  CROWDED_HANDLER,
  CROWDED_LANE,
  type Crowd,
  DAY,
  deliveryId,
  eventId,
  laneId,
  NOW,
  ORDERED_HANDLER,
  organizationOf,
} from "./crowd.ts";

/** Something to ask of a storage with a crowd in it; it can be asked again. */
export interface Verb {
  readonly name: string;
  /** How many rows it is about: what each of its statements looks at is bounded by this alone. */
  readonly asked: number;
  /** Once a minute, and not on the way of a delivery. */
  readonly isHousekeeping?: boolean;
  /** Tables that it may read from one end to the other. */
  readonly readsAll?: readonly string[];
  /** Makes ready, and answers what is to be observed. */
  prepare(storage: Storage<never>): Promise<() => Promise<unknown>>;
}

/** A claim of one process, and what it can do. */
const SLOTS = 50;
/** What is published, routed, settled or shown at once. */
const MANY = 100;
const MINUTE = 60_000;

export function verbs(crowd: Crowd): readonly Verb[] {
  const { waiting, ended, events, lanes } = crowd;
  const organization = organizationOf(CROWDED_LANE);
  const page = { organization, limit: 50 };
  const middle = deliveryId(ended + waiting / 2);
  const half = events / 2;

  const verb = (name: string, asked: number, play: (storage: Storage<never>) => Promise<unknown>) =>
    prepared(name, asked, async (storage) => () => play(storage));
  const housekeeping = (...given: Parameters<typeof verb>): Verb => ({
    ...verb(...given),
    isHousekeeping: true,
  });
  const deliveries = (
    name: string,
    filter: Omit<Parameters<Storage["history"]["deliveries"]>[0], "organization" | "limit">,
  ): Verb =>
    verb(`history.deliveries ${name}`, page.limit, (storage) =>
      storage.history.deliveries({ ...page, ...filter }),
    );
  const pagesOfEvents = (
    name: string,
    filter: Omit<Parameters<Storage["history"]["events"]>[0], "organization" | "limit">,
  ): Verb =>
    verb(`history.events ${name}`, page.limit, (storage) =>
      storage.history.events({ ...page, ...filter }),
    );

  return [
    verb("append", MANY, (storage) => storage.append(someEvents())),
    verb("append one", 1, (storage) => storage.append([anEvent()])),
    prepared("append again", MANY, async (storage) => {
      const published = someEvents();
      await storage.append(published);
      return () => storage.append(published);
    }),
    verb("append used keys", MANY, async (storage) => {
      const appended = await storage.append(
        Array.from({ length: MANY }, (_, index) =>
          anEvent({ organization, idempotencyKey: `key${3 * (Math.ceil(half / 3) + index + 1)}` }),
        ),
      );
      expectCount(appended.filter(({ repeated }) => repeated).length, MANY, "repeated events");
    }),

    verb("route", 2 * MANY, async (storage) => {
      const { events } = await storage.route(routing(), (input) => planDeliveries(input, newId));
      expectCount(events, MANY, "routed events");
    }),
    verb("route what starts at once", 2 * MANY, async (storage) => {
      const { claims } = await storage.route(routing({ slots: SLOTS }), starting);
      expectCount(claims.length, SLOTS, "claims");
    }),

    verb("claim", SLOTS, async (storage) => {
      expectCount((await claim(storage)).length, SLOTS, "claims");
    }),
    verb("claim from the crowd", MANY, async (storage) => {
      expectCount((await claim(storage, fromTheCrowd)).length, MANY, "claims");
    }),
    verb("claim what is not there", 1, async (storage) => {
      expectCount((await claim(storage, { handlerTypes: ["other"] })).length, 0, "claims");
    }),
    verb("claim alone", 20, async (storage) => {
      expectCount((await claim(storage, { alone: true })).length, 1, "claims");
    }),
    prepared("claim after lapses", MANY, async (storage) => {
      await claim(storage, { ...fromTheCrowd, leaseMs: 0 });
      return async () => {
        const { lapsed } = await storage.claim(terms(), { admit, lapse });
        expectCount(lapsed.length, MANY, "lapses");
      };
    }),

    prepared("settle plain", MANY, async (storage) => {
      const settlements = (await claim(storage, fromTheCrowd)).map(plain);
      return () => storage.settle(settlements, delivered);
    }),
    prepared("settle again", MANY, async (storage) => {
      const settlements = (await claim(storage, fromTheCrowd)).map(plain);
      await storage.settle(settlements, delivered);
      return () => storage.settle(settlements, delivered);
    }),
    prepared("settle failures", SLOTS, async (storage) => {
      const settlements = (await claim(storage)).map((each) => ({ ...plain(each), plain: false }));
      return () => storage.settle(settlements, failed);
    }),
    prepared("settle what many are queued behind", 1, async (storage) => {
      const first = await firstInOrder(storage);
      return () => storage.settle([{ ...plain(first), plain: false }], delivered);
    }),
    prepared("cancel what many are queued behind", 1, async (storage) => {
      const { deliveryId, delivery } = await firstInOrder(storage);
      const { organization } = delivery;
      return () => storage.cancel({ organization, deliveryId, reason: "so", now: NOW });
    }),
    prepared("redeliver to the end of a queue", 1, async (storage) => {
      const first = await firstInOrder(storage);
      const { organization } = first.delivery;
      await storage.settle([{ ...plain(first), plain: false }], delivered);
      const again = { organization, id: first.deliveryId, newId: newId(), now: NOW };
      return () => storage.redeliver(again);
    }),
    prepared("release", SLOTS, async (storage) => {
      const claims = await claim(storage);
      return () => storage.release(claims, NOW);
    }),

    verb("subscriptions.create", 1, (storage) =>
      storage.subscriptions.create(aSubscription(), LANE),
    ),
    verb("subscriptions.get", 1, (storage) =>
      storage.subscriptions.get({ organization, id: laneId(CROWDED_LANE) }),
    ),
    verb("subscriptions.list", page.limit, (storage) => storage.subscriptions.list(page)),
    prepared("subscriptions.update", 1, async (storage) => {
      const record = await storage.subscriptions.get({ organization, id: laneId(CROWDED_LANE) });
      if (record === null) throw new Error("the crowded lane has no subscription");
      return () => storage.subscriptions.update({ ...record, version: record.version + 1 }, LANE);
    }),
    verb("subscriptions.report", 1, (storage) =>
      storage.subscriptions.report(
        { organization: organizationOf(7), id: laneId(7), version: 1 },
        { status: "error" },
      ),
    ),
    prepared("subscriptions.delete", 1, async (storage) => {
      const record = aSubscription();
      await storage.subscriptions.create(record, LANE);
      return () => storage.subscriptions.delete(record, NOW);
    }),
    // All lanes may have to be looked at for the few that need another key.
    verb("subscriptions.sealedOtherwise", lanes, (storage) =>
      storage.subscriptions.sealedOtherwise({ keyId: "k1", after: null, limit: 50 }),
    ),

    verb("history.event", 1, (storage) =>
      storage.history.event({ organization, id: eventId(events) }),
    ),
    verb("history.delivery", 1, (storage) =>
      storage.history.delivery({ organization, id: middle }),
    ),
    verb("history.attempts", 1, (storage) =>
      storage.history.attempts({ organization, id: deliveryId(2) }),
    ),
    pagesOfEvents("newest", {}),
    pagesOfEvents("after", { after: eventId(events - 1_000) }),
    pagesOfEvents("before", { before: eventId(events - 1_000) }),
    pagesOfEvents("long ago", { after: eventId(half + 1_000) }),
    deliveries("newest", {}),
    deliveries("after", { after: middle }),
    deliveries("before", { before: middle }),
    deliveries("of the crowd", { subscriptionId: laneId(CROWDED_LANE) }),
    deliveries("of the crowd, after", { subscriptionId: laneId(CROWDED_LANE), after: middle }),
    deliveries("of the crowd, before", { subscriptionId: laneId(CROWDED_LANE), before: middle }),
    deliveries("of the crowd, dead", { subscriptionId: laneId(CROWDED_LANE), status: "dead" }),
    deliveries("of the crowd, canceled", {
      subscriptionId: laneId(CROWDED_LANE),
      status: "canceled",
    }),
    deliveries("of a quiet subscription", { subscriptionId: laneId(500) }),
    deliveries("of an event", { eventId: eventId(half + 5) }),

    verb("send", 1, (storage) => {
      const { idempotencyKey: _key, announced: _announced, ...event } = anEvent({ organization });
      return storage.send(event, {
        id: newId(),
        organization,
        eventId: event.id,
        eventType: event.type,
        subscriptionId: laneId(CROWDED_LANE),
        handlerType: CROWDED_HANDLER,
        createdAt: NOW,
      });
    }),
    verb("redeliver", 1, (storage) =>
      storage.redeliver({ organization, id: deliveryId(2), newId: newId(), now: NOW }),
    ),
    prepared("cancel", 1, async (storage) => {
      const [flight] = await claim(storage, { ...fromTheCrowd, slots: 1 });
      if (flight === undefined) throw new Error("nothing was claimed");
      const { deliveryId } = flight;
      return () => storage.cancel({ organization, deliveryId, reason: "so", now: NOW });
    }),

    // What is parked, it looks through.
    housekeeping("sweep", 12_000, (storage) =>
      storage.sweep({ now: NOW, expireBefore: NOW - 30 * DAY, max: MANY }),
    ),
    housekeeping("prune", MANY, async (storage) => {
      expectCount(await storage.prune({ before: NOW - 30 * DAY, max: MANY }), MANY, "forgotten");
    }),
    housekeeping("prune one organization", MANY, (storage) =>
      storage.prune({ before: NOW - 30 * DAY, max: MANY, organization: organizationOf(1) }),
    ),
    // It counts up to 10,000 of each kind, lane by lane.
    {
      ...housekeeping("backlog", 10_000 + lanes, (storage) => storage.backlog(NOW)),
      readsAll: ["lanes", "l"],
    },
  ];
}

const prepared = (name: string, asked: number, prepare: Verb["prepare"]): Verb => ({
  name,
  asked,
  prepare,
});

function expectCount(found: number, expected: number, what: string): void {
  if (found !== expected) throw new Error(`${found} ${what}, and not ${expected}`);
}

let made = 0;
/** A new id; it sorts after those of the crowd. */
function newId(): string {
  made += 1;
  return `x${1_000_000_000 + made}`;
}

const anEvent = (given: Partial<NewEvent> = {}): NewEvent => ({
  id: newId(),
  type: "thing_1",
  organization: organizationOf(made),
  occurredAt: NOW,
  publishedAt: NOW,
  actor: null,
  trace: null,
  payload: "{}",
  orderingKey: null,
  idempotencyKey: null,
  announced: true,
  ...given,
});

const someEvents = (): readonly NewEvent[] =>
  Array.from({ length: MANY }, () => anEvent({ idempotencyKey: newId() }));

const terms = (given: Partial<ClaimRequest> = {}): ClaimRequest => ({
  now: NOW,
  token: newId(),
  leaseMs: 10 * MINUTE,
  slots: SLOTS,
  perLane: SLOTS,
  handlerTypes: ["slack", "webhook"],
  keyIds: ["k1", "k2"],
  alone: false,
  ...given,
});

const fromTheCrowd: Partial<ClaimRequest> = {
  handlerTypes: [CROWDED_HANDLER],
  slots: MANY,
  perLane: MANY,
};

async function claim(
  storage: Storage<never>,
  request: Partial<ClaimRequest> = {},
): Promise<readonly Claim[]> {
  return (await storage.claim(terms(request), { admit, lapse })).claims;
}

/** The first of the long queue, in flight; what passes beside it was there before. */
async function firstInOrder(storage: Storage<never>): Promise<Claim> {
  const request = { handlerTypes: [ORDERED_HANDLER], now: NOW + MINUTE };
  const claims = await claim(storage, request);
  const [first] = claims.toSorted((a, b) => (a.deliveryId < b.deliveryId ? 1 : -1));
  if (first === undefined) throw new Error("nothing of the ordered lane was claimed");
  return first;
}

const routing = (given: Partial<RouteRequest> = {}): RouteRequest => ({
  ...terms({ slots: 0, ...given }),
  maxEvents: MANY,
  maxDeliveries: 5_000,
});

/** As if lanes were free. */
const starting: Plan = (input) => {
  const { deliveries, cursors } = planDeliveries(input, newId);
  const started = deliveries.map((each, index) =>
    index < input.request.slots ? { ...each, state: "start" as const } : each,
  );
  return { deliveries: started, cursors };
};

const plain = ({ deliveryId, subscriptionId, token, delivery }: Claim): Settlement => ({
  deliveryId,
  subscriptionId,
  token,
  delivery,
  plain: true,
  attempt: {
    deliveryId,
    token,
    startedAt: NOW,
    durationMs: 12,
    outcome: "delivered",
    reason: null,
    remedy: null,
    details: null,
    together: 1,
  },
});

const delivered: Parameters<Storage["settle"]>[1] = (_, { delivery }) => ({
  next: { status: "delivered", attempts: delivery.attempts + 1 },
  counted: true,
});

/** With all that a failure can change. */
const failed: Parameters<Storage["settle"]>[1] = (_, { delivery, gates }) => ({
  next: { status: "waiting", dueAt: NOW + DAY, reason: "so", attempts: delivery.attempts + 1 },
  counted: true,
  gates: gates.map((gate) => ({ ...gate, tat: gate.tat + 1 })),
  subscription: { status: "error", disabledReason: "so" },
});

const LANE: Parameters<Storage["subscriptions"]["create"]>[1] = {
  gates: [{ id: "gate", name: "channel", limit: null }],
  keyId: "k1",
  gateKeyId: "k1",
  order: "none",
  parked: false,
};

const aSubscription = (): SubscriptionRecord => ({
  id: newId(),
  organization: organizationOf(CROWDED_LANE),
  name: "A subscription",
  eventTypes: ["nothing"],
  type: "slack",
  configuration: {},
  secrets: {},
  order: "none",
  enabled: true,
  disabledReason: null,
  status: "ok",
  statusDetail: null,
  statusCheckedAt: null,
  state: null,
  failing: null,
  idempotencyKey: newId(),
  fingerprint: "fingerprint",
  version: 1,
  createdAt: NOW,
  updatedAt: NOW,
});
