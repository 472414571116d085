import type {
  Claimed,
  Entry,
  Flown,
  GateNamed,
  Landed,
  Lost,
  Routed,
  Sent,
  SettledFlight,
  Status,
  Stored,
  Struck,
  Subscribed,
} from "../log.ts";
import { isAnswered } from "./rule.ts";

/** What was stored of an event, and how far it has come. */
export interface KnownEvent {
  readonly id: string;
  readonly label: string;
  readonly about: string | null;
  readonly organization: string;
  readonly type: string;
  readonly queue: string;
  readonly idempotencyKey: string | null;
  readonly publishedAt: number;
  /** When a host first began to publish it. */
  readonly begunAt: number;
  readonly storedAt: number;
  routed: boolean;
  forgotten: boolean;
}

export interface KnownSubscription {
  readonly id: string;
  readonly organization: string;
  readonly handlerType: string;
  keyId: string | null;
  eventTypes: readonly string[];
  order: Subscribed["order"];
  /** Whether it has always kept to the order that it has now. */
  orderIsOld: boolean;
  enabled: boolean;
  deleted: boolean;
  /** When Posthorn switched it off; null if its owner did, or nobody. */
  switchedOffAt: number | null;
  version: number;
  readonly tags: Map<number, string>;
  gates: readonly GateNamed[];
  /** Failed attempts in a row, and since when. */
  failures: number;
  failingSince: number;
  /** How often it was switched on again, and when last. */
  switchedOn: number;
  switchedOnAt: number | null;
}

interface KnownFlight extends Flown {
  readonly token: string;
  readonly process: string;
  readonly at: number;
  /** Claimed with nothing beside it. */
  readonly alone: boolean;
  /** How many went in its call. */
  readonly together: number;
  /** It tells gates and subscription of its call: the first of it does. */
  readonly tells: boolean;
  over: "settled" | "released" | "lapsed" | "ended" | null;
  overAt: number | null;
}

export interface KnownSend extends Sent {
  readonly flight: KnownFlight | null;
  takenAt: number | null;
  landed: Landed | null;
}

export interface KnownDelivery {
  readonly id: string;
  readonly event: KnownEvent | undefined;
  readonly subscription: KnownSubscription | undefined;
  readonly redeliveryOf: string | null;
  readonly createdAt: number;
  status: Status;
  forgotten: boolean;
  flight: KnownFlight | null;
  /** When it is due, as far as is known; null in flight, once it has ended, and where order binds it. */
  dueAt: number | null;
  attempts: number;
  throttles: number;
  lapses: number;
  readonly flights: KnownFlight[];
  readonly sends: KnownSend[];
}

interface KnownGate {
  limit: GateNamed["limit"];
  /** Whoever is behind it asked that nothing comes before then. */
  closedUntil: number;
  /** Its breaker lets nothing through before then. */
  openUntil: number;
  /** How many may be out through it at once: few while its breaker is open. */
  width: number;
  epoch: number;
  /** Failures in a row since its epoch began. */
  failures: number;
  /** When it has room again if each call has passed it once, at the most: epoch microseconds. */
  tat: number;
  /** When a request was sent through it. */
  readonly sentAt: number[];
}

/** Microseconds between two that may pass. */
const spacingOf = (limit: KnownGate["limit"]): number =>
  limit === null ? 0 : Math.ceil((limit.perMs * 1_000) / limit.limit);

/** What was taken, call by call. */
export function callsOf(claims: readonly Flown[]): readonly (readonly [Flown, ...Flown[]])[] {
  const calls = Map.groupBy(claims, (flown) => flown.call ?? flown);
  return [...calls.values()].map(([first, ...others]) => [first as Flown, ...others]);
}

/** What is true, as the log tells it. Nothing of Posthorn's own reckoning is in it. */
export interface Ledger {
  readonly events: ReadonlyMap<string, KnownEvent>;
  readonly subscriptions: ReadonlyMap<string, KnownSubscription>;
  readonly deliveries: ReadonlyMap<string, KnownDelivery>;
  readonly gates: ReadonlyMap<string, KnownGate>;
  readonly sends: ReadonlyMap<number, KnownSend>;
  readonly strikes: readonly Struck[];
  readonly losses: readonly Lost[];
  readonly acts: readonly { readonly at: number; readonly what: string; readonly id: string }[];
  readonly acknowledged: ReadonlySet<string>;
  readonly inFlight: ReadonlySet<KnownFlight>;
  /** The latest instant that a process has taken for now: who is behind it sees less as due. */
  readonly latestNow: number;
  /** Events that are not routed, and deliveries that have not ended. */
  readonly open: number;
  enter(entry: Entry): void;
}

export function createLedger(): Ledger {
  const events = new Map<string, KnownEvent>();
  const subscriptions = new Map<string, KnownSubscription>();
  const deliveries = new Map<string, KnownDelivery>();
  const gates = new Map<string, KnownGate>();
  const sends = new Map<number, KnownSend>();
  const begun = new Map<string, number>();
  const strikes: Struck[] = [];
  const losses: Lost[] = [];
  const acts: { at: number; what: string; id: string }[] = [];
  const acknowledged = new Set<string>();
  const inFlight = new Set<KnownFlight>();
  let open = 0;
  let latestNow = 0;

  const gateOf = (id: string): KnownGate => {
    const known = gates.get(id) ?? {
      limit: null,
      closedUntil: 0,
      openUntil: 0,
      width: Number.POSITIVE_INFINITY,
      epoch: 0,
      failures: 0,
      tat: 0,
      sentAt: [],
    };
    gates.set(id, known);
    return known;
  };

  function land(delivery: KnownDelivery, over: NonNullable<KnownFlight["over"]>, at: number): void {
    if (delivery.flight === null) return;
    delivery.flight.over = over;
    delivery.flight.overAt = at;
    inFlight.delete(delivery.flight);
    delivery.flight = null;
  }

  function end(delivery: KnownDelivery, status: Status): void {
    if (delivery.status === "pending" && status !== "pending") open -= 1;
    delivery.status = status;
    delivery.dueAt = null;
  }

  function owe(
    given: { readonly id: string; readonly eventId: string; readonly subscriptionId: string },
    {
      createdAt,
      redeliveryOf,
    }: { readonly createdAt: number; readonly redeliveryOf: string | null },
  ): KnownDelivery {
    const subscription = subscriptions.get(given.subscriptionId);
    const delivery: KnownDelivery = {
      id: given.id,
      event: events.get(given.eventId),
      subscription,
      redeliveryOf,
      createdAt,
      status: "pending",
      forgotten: false,
      flight: null,
      dueAt: subscription?.order === "none" ? createdAt : null,
      attempts: 0,
      throttles: 0,
      lapses: 0,
      flights: [],
      sends: [],
    };
    deliveries.set(given.id, delivery);
    open += 1;
    return delivery;
  }

  function fly(entry: Claimed | Routed): void {
    latestNow = Math.max(latestNow, entry.now);
    const calls = callsOf(entry.claims);
    for (const { gates: passed } of calls.map(([first]) => first)) {
      for (const { id } of passed) {
        const gate = gateOf(id);
        gate.tat = Math.max(gate.tat, entry.now * 1_000) + spacingOf(gate.limit);
      }
    }
    for (const [flown, call] of calls.flatMap((call) => call.map((one) => [one, call] as const))) {
      const delivery = deliveries.get(flown.deliveryId);
      if (delivery === undefined) continue;
      const { token, process, at } = entry;
      const alone = entry.type === "claimed" && entry.alone;
      const flight: KnownFlight = {
        ...flown,
        token,
        process,
        at,
        alone,
        together: call.length,
        tells: flown === call[0],
        over: null,
        overAt: null,
      };
      delivery.flight = flight;
      delivery.dueAt = null;
      delivery.flights.push(flight);
      inFlight.add(flight);
    }
  }

  function switchOff(subscription: KnownSubscription | undefined, at: number): void {
    if (subscription === undefined) return;
    subscription.switchedOffAt = at;
    if (!subscription.enabled) return;
    const tag = subscription.tags.get(subscription.version) ?? "";
    subscription.enabled = false;
    subscription.version += 1;
    subscription.tags.set(subscription.version, tag);
  }

  function subscribe(entry: Subscribed): void {
    const { id, organization, handlerType, keyId, eventTypes, order, enabled, version } = entry;
    const known = subscriptions.get(id);
    const subscription: KnownSubscription = known ?? {
      id,
      organization,
      handlerType,
      keyId,
      eventTypes,
      order,
      orderIsOld: true,
      enabled,
      deleted: false,
      switchedOffAt: null,
      version,
      tags: new Map(),
      gates: [],
      failures: 0,
      failingSince: 0,
      switchedOn: 0,
      switchedOnAt: null,
    };
    if (subscription.order !== order) subscription.orderIsOld = false;
    if (enabled && !subscription.enabled) {
      subscription.switchedOn += 1;
      subscription.switchedOnAt = entry.at;
    }
    if (enabled || subscription.enabled) subscription.switchedOffAt = null;
    if (entry.failures === 0) subscription.failures = 0;
    Object.assign(subscription, { keyId, eventTypes, order, enabled, version, gates: entry.gates });
    subscription.failures = entry.failures;
    subscription.tags.set(version, entry.tag);
    subscriptions.set(id, subscription);
    for (const { id: gate, limit } of entry.gates) gateOf(gate).limit = limit;
  }

  function settle(at: number, report: SettledFlight): void {
    const { change, outcome, endedAt } = report;
    const delivery = deliveries.get(report.deliveryId);
    if (change === null || delivery === undefined) return;
    const { flight, subscription } = delivery;
    const send = delivery.sends.findLast((one) => one.flight === flight);
    if (change.counted) delivery.attempts += 1;
    delivery.throttles = change.throttles;
    delivery.lapses = change.lapses;
    land(delivery, "settled", at);
    end(delivery, change.status);
    if (change.status === "pending") {
      delivery.dueAt = subscription?.order === "none" ? change.dueAt : null;
    }

    const isInterrupted =
      change.lapses > (flight?.lapses ?? 0) ||
      (send?.landed?.interrupted === true && !isAnswered(outcome));
    const isFailure = (outcome === "failed" || outcome === "unknown") && !isInterrupted;
    if (
      subscription !== undefined &&
      !subscription.deleted &&
      flight?.version === subscription.version
    ) {
      if (!isInterrupted && !report.plain && flight.tells) {
        if (outcome === "delivered" || outcome === "gone") subscription.failures = 0;
        else if (isFailure && subscription.enabled) {
          if (subscription.failures === 0) subscription.failingSince = at;
          subscription.failures += 1;
        }
      }
    }
    if (subscription !== undefined && !subscription.deleted && change.disabled) {
      subscription.failures = 0;
      switchOff(subscription, at);
    }

    if (flight?.tells !== true) return;
    const blamed = flight.gates[0]?.id;
    for (const seen of change.gates) {
      const gate = gateOf(seen.id);
      const isNew = seen.after.epoch !== gate.epoch;
      if (isNew) gate.failures = 0;
      gate.epoch = seen.after.epoch;
      gate.openUntil = seen.after.openUntil ?? 0;
      if (seen.after.openUntil === null) gate.width = Number.POSITIVE_INFINITY;
      else if (isNew) gate.width = 1;
      else if (outcome === "delivered") gate.width *= 2;
      const isOwn = flight.gates.some(({ id, epoch }) => id === seen.id && epoch === gate.epoch);
      if (outcome === "delivered") gate.failures = 0;
      else if (isFailure && isOwn && seen.id === blamed) gate.failures += 1;
    }
    if (outcome === "delivered") for (const { id } of flight.gates) gateOf(id).failures = 0;
    const landed = send?.landed;
    const asked = flight.gates.find(({ name }) => name === landed?.gate);
    if (
      outcome === "throttled" &&
      landed &&
      asked &&
      change.gates.some(({ id }) => id === asked.id)
    ) {
      const gate = gateOf(asked.id);
      gate.closedUntil = Math.max(gate.closedUntil, endedAt + landed.askedMs);
    }
  }

  function store({ at, event }: Stored): void {
    const { id, label, about, organization, type, idempotencyKey, publishedAt } = event;
    events.set(id, {
      id,
      label,
      about,
      organization,
      type,
      queue: event.orderingKey ?? "",
      idempotencyKey,
      publishedAt,
      begunAt: begun.get(label) ?? at,
      storedAt: at,
      routed: false,
      forgotten: false,
    });
    open += 1;
  }

  function route(event: KnownEvent | undefined): void {
    if (event === undefined || event.routed) return;
    event.routed = true;
    open -= 1;
  }

  return {
    events,
    subscriptions,
    deliveries,
    gates,
    sends,
    strikes,
    losses,
    acts,
    acknowledged,
    inFlight,
    get latestNow() {
      return latestNow;
    },
    get open() {
      return open;
    },
    enter: (entry) => {
      switch (entry.type) {
        case "publishing":
          if (!begun.has(entry.label)) begun.set(entry.label, entry.at);
          return;
        case "acknowledged":
          acknowledged.add(entry.label);
          return;
        case "acting":
          acts.push({ at: entry.at, what: entry.what, id: entry.subscriptionId });
          return;
        case "stored":
          return store(entry);
        case "subscribed":
          return subscribe(entry);
        case "unsubscribed": {
          const subscription = subscriptions.get(entry.id);
          if (subscription !== undefined) subscription.deleted = true;
          return;
        }
        case "routed":
          for (const planned of entry.deliveries) {
            const delivery = owe(planned, { createdAt: entry.now, redeliveryOf: null });
            if (planned.state === "dead") end(delivery, "dead");
          }
          for (const { id, cursor } of entry.events) if (cursor === null) route(events.get(id));
          return fly(entry);
        case "claimed":
          for (const { id, status, lapses, disabled } of entry.lapsed) {
            const delivery = deliveries.get(id);
            if (delivery === undefined) continue;
            land(delivery, "lapsed", entry.at);
            delivery.lapses = lapses;
            end(delivery, status);
            if (status === "pending" && delivery.subscription?.order === "none") {
              delivery.dueAt = entry.now;
            }
            if (disabled) switchOff(delivery.subscription, entry.at);
          }
          return fly(entry);
        case "settled":
          for (const flight of entry.flights) settle(entry.at, flight);
          return;
        case "released":
          for (const { deliveryId, token } of entry.flights) {
            const delivery = deliveries.get(deliveryId);
            if (delivery?.flight?.token !== token) continue;
            land(delivery, "released", entry.at);
            delivery.dueAt = delivery.subscription?.order === "none" ? entry.dueAt : null;
          }
          return;
        case "made":
          for (const made of entry.deliveries) {
            owe(made, made);
            if (made.redeliveryOf === null) route(events.get(made.eventId));
          }
          return;
        case "found":
          for (const { id, status } of entry.deliveries) {
            const delivery = deliveries.get(id);
            if (delivery === undefined) continue;
            land(delivery, "ended", entry.at);
            end(delivery, status);
          }
          return;
        case "pruned":
          for (const id of entry.events) {
            const event = events.get(id);
            if (event !== undefined) event.forgotten = true;
          }
          for (const id of entry.deliveries) {
            const delivery = deliveries.get(id);
            if (delivery !== undefined) delivery.forgotten = true;
          }
          return;
        case "sent": {
          const delivery = deliveries.get(entry.deliveryId);
          const flight = delivery?.flights.findLast(({ process }) => process === entry.process);
          const send = { ...entry, flight: flight ?? null, takenAt: null, landed: null };
          sends.set(entry.send, send);
          delivery?.sends.push(send);
          if (entry.call !== entry.send) return;
          for (const { id } of flight?.gates ?? []) gateOf(id).sentAt.push(entry.at);
          return;
        }
        case "taken": {
          const send = sends.get(entry.send);
          if (send !== undefined) send.takenAt = entry.at;
          return;
        }
        case "landed": {
          const send = sends.get(entry.send);
          if (send !== undefined) send.landed = entry;
          return;
        }
        case "struck":
          strikes.push(entry);
          return;
        case "lost":
          losses.push(entry);
          return;
        case "stopped":
        case "recalled":
          return;
      }
    },
  };
}
