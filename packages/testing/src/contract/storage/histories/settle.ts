import {
  type Apply,
  type GateState,
  isCalm,
  lapse,
  type OutcomeType,
  pause,
  type SettleChange,
  type Settlement,
  type SettleResult,
  type SettleState,
  type SubscriptionRecord,
} from "@posthorn/core";
import fc from "fast-check";
import { agreeOnAttempts } from "./account.ts";
import { flightOf, type WhichFlight, whichFlight } from "./flight.ts";
import { agree, aWitness, demand, isSame } from "./judge.ts";
import {
  type Flown,
  gateIdsOf,
  isOn,
  land,
  learn,
  learned,
  type Model,
  type Owed,
} from "./model.ts";
import { sightOf } from "./sight.ts";
import { heard, tell } from "./tell.ts";
import { seldom, type Verb, verb, type World } from "./world.ts";

const OUTCOMES: { readonly [Outcome in OutcomeType]: number } = {
  delivered: 2,
  failed: 3,
  throttled: 3,
  unknown: 3,
  rejected: 1,
  gone: 1,
};

const anOutcome: fc.Arbitrary<OutcomeType> = fc.oneof(
  ...Object.entries(OUTCOMES).map(([outcome, weight]) => ({
    weight,
    arbitrary: fc.constant(outcome as OutcomeType),
  })),
);

interface Settle {
  readonly outcome: OutcomeType;
  readonly flights: readonly {
    readonly flight: WhichFlight;
    /** If it is another one. */
    readonly outcome: OutcomeType | undefined;
    readonly isPlain: boolean;
  }[];
  /** The rule throws for the first of them. */
  readonly isBroken: true | undefined;
  /** How long ago the attempts began, and how long what is tried again waits. */
  readonly agoMs: number;
  readonly waitMs: number;
}

export const settle: Verb = verb<Settle>(
  10,
  {
    outcome: anOutcome,
    flights: fc.array(
      fc.record({
        flight: whichFlight,
        outcome: fc.option(anOutcome, { nil: undefined, freq: 2 }),
        isPlain: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    isBroken: seldom(fc.constant(true)),
    agoMs: fc.constantFrom(0, 7, 5_000),
    waitMs: fc.constantFrom(0, 1, 5_000),
  },
  async (world, { outcome: usual, flights, isBroken, agoMs, waitMs }) => {
    const { model } = world;
    const startedAt = model.now - agoMs;
    const settlements = flights.flatMap(({ flight: which, outcome = usual, isPlain }) => {
      const flight = flightOf(model, which);
      return flight === undefined ? [] : [settlementOf(flight, outcome, { isPlain, startedAt })];
    });
    const broken = isBroken ? settlements[0]?.deliveryId : undefined;
    await settleAll(world, settlements, { broken, waitMs });
  },
);

/** Every flight ends well, and calms the gates that it passed. */
export const deliver = (world: World, flights: readonly Flown[]): Promise<void> =>
  settleAll(
    world,
    flights.map((flight) =>
      settlementOf(flight, "delivered", { isPlain: false, startedAt: world.model.now }),
    ),
    { broken: undefined, waitMs: 0 },
  );

function settlementOf(
  { deliveryId, subscriptionId, token, delivery }: Flown,
  outcome: OutcomeType,
  { isPlain, startedAt }: { readonly isPlain: boolean; readonly startedAt: number },
): Settlement {
  const isDelivered = outcome === "delivered";
  return {
    deliveryId,
    subscriptionId,
    token,
    delivery,
    plain: isDelivered && isPlain,
    attempt: {
      deliveryId,
      token,
      startedAt,
      durationMs: 12,
      outcome,
      reason: isDelivered ? null : `${outcome}: it's "so" ?`,
      remedy: outcome === "gone" ? "Choose another channel." : null,
      details: isDelivered ? null : { status: 503, ids: ["ü", null, 1.5] },
      together: outcome === "rejected" ? 7 : 1,
    },
  };
}

interface Terms {
  /** The delivery whose rule throws. */
  readonly broken: string | undefined;
  readonly waitMs: number;
}

async function settleAll(
  { storage, model }: World,
  settlements: readonly Settlement[],
  { broken, waitMs }: Terms,
): Promise<void> {
  const witness = aWitness();
  const look = lookerOn(model);
  const changes = new Map<string, SettleChange>();
  const apply: Apply = (settlement, state) => {
    witness.watch(() => look.see(settlement, state));
    if (settlement.deliveryId === broken) throw new Error("the rule failed");
    const change = changeOf(model, settlement, state, waitMs);
    look.leave(state, change);
    changes.delete(settlement.deliveryId);
    changes.set(settlement.deliveryId, change);
    return change;
  };
  const answer = await storage.settle(settlements, apply).catch(String);
  witness.tell();

  let isSpoilt = false;
  const expected = settlements.map((settlement): SettleResult => {
    const owed = model.owed.get(settlement.deliveryId);
    if (owed === undefined || !isOn(model, settlement)) return settleLate(settlement, owed);
    isSpoilt ||= settlement.deliveryId === broken;
    if (settlement.deliveryId === broken) return "late";
    const change = changes.get(settlement.deliveryId);
    demand(change !== undefined, `The rule was not asked about ${settlement.deliveryId}.`);
    keep(owed, settlement, change);
    heard(model, change.event);
    return "settled";
  });
  keepGates(model, changes.values(), waitMs);
  agree("what settle answers", answer, isSpoilt ? "Error: the rule failed" : expected);
  for (const id of new Set(settlements.map(({ deliveryId }) => deliveryId))) {
    const owed = model.owed.get(id);
    if (owed !== undefined) await agreeOnAttempts(storage, owed);
  }
}

/** What follows. In one call no settlement's findings are about what another one's are. */
function changeOf(
  model: Model,
  { attempt: { outcome, reason }, plain }: Settlement,
  { delivery, subscription, gates }: SettleState,
  waitMs: number,
): SettleChange {
  const { now } = model;
  const attempts = delivery.attempts + 1;
  const why = reason ?? "";
  const again = { dueAt: now + waitMs, reason: why };
  const waiting = { status: subscription === null ? "canceled" : "waiting", ...again } as const;
  switch (outcome) {
    case "delivered":
      return {
        next: { status: "delivered", attempts },
        counted: true,
        ...(!plain && {
          gates: gates.filter((gate) => !isCalm(gate)).map(calmed),
          subscription: { statusCheckedAt: now },
        }),
      };
    case "failed":
      return {
        next: { ...waiting, attempts },
        counted: true,
        subscription: { status: "warning", statusDetail: why },
      };
    case "throttled":
      return {
        next: { ...waiting, throttles: delivery.throttles + 1 },
        counted: false,
        gates: gates.map((gate) => closed(gate, now + waitMs)),
      };
    case "rejected":
      return {
        next: { status: "dead", reason: why, attempts },
        counted: true,
        subscription: { state: { seen: [1, null, "é"] } },
      };
    case "gone":
      return {
        next: { status: "dead", reason: why, attempts },
        counted: true,
        subscription: { disabledReason: "the channel is gone" },
        ...tell(model, subscription),
      };
    case "unknown":
      // Twice as bad as a lapse: a suspect at once.
      return { next: lapse({ lapses: delivery.lapses + 1 }, now), counted: false };
  }
}

/** Paused, and each time with something else to remember. */
function closed(gate: GateState, dueAt: number): GateState {
  const { pausedUntil } = pause(gate, dueAt + 1_000);
  const epoch = gate.epoch + 1;
  const [throttles, breaker] = [
    [0, null],
    [3, { state: "watching", inARow: epoch, since: pausedUntil, seen: 12, failed: 3 }],
    [1, { state: "open", until: pausedUntil, times: epoch, width: 2, out: 0, outUntil: 0 }],
  ][epoch % 3] as [number, GateState["breaker"]];
  return { ...gate, pausedUntil, epoch, throttles, breaker };
}

const calmed = (gate: GateState): GateState => ({
  ...gate,
  epoch: gate.epoch + 1,
  throttles: 0,
  breaker: null,
});

/** The attempt of a flight that is not on is kept once, where there is something to keep it with. */
function settleLate({ token, attempt }: Settlement, owed: Owed | undefined): SettleResult {
  const earlier = owed?.attempts.find((known) => known.token === token);
  if (earlier?.late === false) return "repeated";
  if (earlier === undefined) owed?.attempts.push({ ...attempt, counted: false, late: true });
  return "late";
}

function keep(
  owed: Owed,
  { attempt }: Settlement,
  { next, counted, subscription }: SettleChange,
): void {
  owed.attempts.push({ ...attempt, counted, late: false });
  land(owed, next, attempt.startedAt + attempt.durationMs);
  if (subscription !== undefined && !owed.lane.deleted) learn(owed.lane, subscription);
}

/** Changes the gates in the order in which the rule was asked: none may be lost over another. */
function keepGates({ gates, now }: Model, changes: Iterable<SettleChange>, waitMs: number): void {
  for (const { next, gates: changed = [] } of changes) {
    for (const { id } of changed) {
      const gate = gates.get(id) as GateState;
      gates.set(id, next.status === "delivered" ? calmed(gate) : closed(gate, now + waitMs));
    }
  }
}

/** Judges what the rule sees: the truth, with what the call has changed of it so far. */
function lookerOn(model: Model): {
  see(settlement: Settlement, state: SettleState): void;
  leave(state: SettleState, change: SettleChange): void;
} {
  const sight = sightOf(model);
  const left: SubscriptionRecord[] = [];
  return {
    see: (settlement, { delivery, subscription, gates }) => {
      const owed = model.owed.get(settlement.deliveryId);
      if (settlement.plain && !isOn(model, settlement)) {
        agree("the delivery of a flight that is over", delivery, settlement.delivery);
        return;
      }
      demand(owed !== undefined && isOn(model, settlement), "The rule saw a flight that is over.");
      const { lane } = owed;
      agree("the delivery that the rule sees", delivery, owed.delivery);
      if (settlement.plain || lane.deleted) {
        agree("the subscription that the rule sees", subscription, null);
      } else if (!left.some((record) => isSame(record, subscription))) {
        agree("the subscription that the rule sees", subscription, lane.record);
      }
      if (!settlement.plain) sight.look(gates, lane.deleted ? undefined : gateIdsOf(lane));
    },
    leave: ({ subscription }, change) => {
      sight.leave(change.gates ?? []);
      if (subscription !== null) left.push(learned(subscription, change.subscription ?? {}));
    },
  };
}
