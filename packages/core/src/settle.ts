import type { Clock } from "./clock.ts";
import type { Landing } from "./deliver.ts";
import type { Attempt, Call, Claim, Delivery, Next } from "./delivery.ts";
import { landed } from "./delivery.ts";
import { type AutoDisable, type Failing, failedAgain, failedFor } from "./failing.ts";
import { groupCommit } from "./group-commit.ts";
import type { Handler, Outcome } from "./handler.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { type Mishap, operationalEvent } from "./operational-event.ts";
import { inOrder, isSerial } from "./order.ts";
import { persist } from "./persist.ts";
import { describe } from "./redact.ts";
import { afterLapse, type Decision, decide, isAbandoned, type RetryPolicy } from "./retry.ts";
import type {
  SettleChange,
  Settlement,
  SettleState,
  Storage,
  SubscriptionFindings,
} from "./storage.ts";
import type { SubscriptionRecord } from "./subscription.ts";
import type { System } from "./system.ts";
import { createTrouble, type Trouble } from "./trouble.ts";
import { blamed, type GateMove, gatesAfter } from "./verdict.ts";

/** Flights that a handler was called for. */
type Attempted = Extract<Landing, { type: "attempted" }>;

/**
 * Records how the flights of a call ended, with all that follows. Answers when the first of its
 * deliveries is due again (epoch milliseconds), or null if all have ended. Never rejects: flights
 * whose settle fails for good lapse.
 */
export type Settle = (call: Call, landing: Attempted) => Promise<number | null>;

const LONGEST_GROUP = 500;
/** About 25 seconds of retries: less than the shortest sensible lease. */
const TRIES = 10;

interface Item {
  readonly claim: Claim;
  readonly landing: Attempted;
  readonly settlement: Settlement;
  readonly random: number;
  /** It tells gates and subscription of its call: the first does, the others change only themselves. */
  readonly tells: boolean;
}

interface Ended extends Consequences {
  readonly attempt: Attempt;
}

interface Consequences {
  readonly change: SettleChange;
  /** Gates that opened or closed. */
  readonly moves: readonly GateMove[];
  /** The subscription has failed for half as long and as often as switches it off. */
  readonly warning: Failing | null;
}

export function createSettle(options: {
  readonly storage: Pick<Storage, "settle">;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly clock: Clock;
  readonly system: System;
  readonly lifecycle: LifecycleEmitter;
  readonly logger: Logger;
  /** Aborts when there is no time left to try again. */
  readonly giveUp: AbortSignal;
  readonly autoDisable: AutoDisable | false;
  retryOf(handler: Handler | undefined): RetryPolicy;
  /** An event was appended, which is to be routed. */
  onAppended(): void;
}): Settle {
  const { storage, handlers, clock, system, lifecycle, logger, giveUp, retryOf } = options;
  const { autoDisable, onAppended } = options;

  const trouble = createTrouble();

  const write = groupCommit(
    async (calls: readonly (readonly Item[])[]) => {
      await toldTheTime();
      const now = clock.now();
      const items = calls.flat();
      const byFlight = new Map(items.map((item) => [flightKey(item.settlement), item]));
      const known = new Map<Item, Consequences>();
      const results = await storage.settle(
        items.map(({ settlement }) => settlement),
        (settlement, state) => {
          const item = byFlight.get(flightKey(settlement)) as Item;
          const consequences = consequencesOf(item, state, rulesOf(item), now);
          known.set(item, consequences);
          return consequences.change;
        },
      );
      const late = new Set(items.filter((_, index) => results[index] === "late"));
      const endOf = (item: Item): Ended | null => {
        if (late.has(item)) return null;
        const consequences = known.get(item) ?? asClaimed(item, now);
        return { ...consequences, attempt: attemptOf(item, consequences.change) };
      };
      return calls.map((call) => call.map(endOf));
    },
    { maxGroup: LONGEST_GROUP },
  );

  /** Without the time it is tried again, as long as there is time for it: then it goes by what was the time. */
  async function toldTheTime(): Promise<void> {
    try {
      await clock.refresh();
    } catch (error) {
      if (!giveUp.aborted) throw error;
    }
  }

  /** What an earlier write, whose answer was lost, has made of it: nothing changes in flight. */
  function asClaimed(item: Item, now: number): Consequences {
    const { delivery, subscription } = item.claim;
    const { order } = subscription;
    const state = { delivery, subscription, gates: [], order };
    return consequencesOf(item, state, rulesOf(item), now);
  }

  function rulesOf({ claim }: Item): Rules {
    const policy = retryOf(handlers.get(claim.subscription.type));
    return { policy, autoDisable, newId: system.id };
  }

  function itemOf(claim: Claim, landing: Attempted, call: Call): Item {
    const { deliveryId, subscriptionId, token } = claim;
    const { outcome, startedAt, durationMs } = landing;
    const tells = claim === call[0];
    const settlement: Settlement = {
      deliveryId,
      subscriptionId,
      token,
      delivery: claim.delivery,
      plain: isPlain(claim, landing, tells ? trouble : null),
      attempt: {
        deliveryId,
        token,
        startedAt,
        durationMs,
        outcome: outcome.type,
        reason: outcome.type === "delivered" ? null : outcome.reason,
        remedy: outcome.remedy ?? null,
        details: outcome.details ?? null,
        together: call.length,
      },
    };
    const random = system.random();
    return { claim, landing, settlement, random, tells };
  }

  return async (call, landing) => {
    const toBlame = blamed(call[0], landing);
    if (toBlame !== null) trouble.note(toBlame, clock.now());
    const items = call.map((claim) => itemOf(claim, landing, call));
    try {
      const ends = await persist(() => write(items), {
        system,
        tries: TRIES,
        signal: giveUp,
        onFailure: (thrown) =>
          lifecycle.emit("dispatcher.error", { step: "settle", message: describe(thrown) }),
      });
      const landedAt = landing.startedAt + landing.durationMs;
      const dues = items.map(({ claim }, index) => {
        const ended = ends[index] ?? null;
        if (ended === null) return Number.POSITIVE_INFINITY;
        const delivery = landed(claim.delivery, ended.change.next, landedAt);
        report(delivery, ended);
        if (ended.change.event !== undefined) onAppended();
        return delivery.dueAt ?? Number.POSITIVE_INFINITY;
      });
      const dueAt = Math.min(...dues);
      return dueAt === Number.POSITIVE_INFINITY ? null : dueAt;
    } catch (error) {
      for (const { deliveryId: delivery } of call) {
        logger.error(
          { delivery, error: describe(error) },
          "An attempt could not be recorded; the delivery lapses and is tried again.",
        );
      }
      return null;
    }
  };

  function report(delivery: Delivery, { change, attempt, moves, warning }: Ended): void {
    const { token: _token, late: _late, ...shown } = attempt;
    const name =
      delivery.status === "pending"
        ? attempt.outcome === "throttled"
          ? "delivery.throttled"
          : "delivery.failed"
        : (`delivery.${delivery.status}` as const);
    lifecycle.emit(name, { delivery, attempt: shown });
    const { subscriptionId: id, organization, handlerType } = delivery;
    for (const { gate, openUntil } of moves) {
      const report = { gate, organization, handlerType };
      if (openUntil === null) lifecycle.emit("gate.closed", report);
      else lifecycle.emit("gate.opened", { ...report, until: openUntil });
    }
    if (warning !== null) {
      const { attempts, since } = warning;
      lifecycle.emit("subscription.failing", { id, organization, attempts, since });
    }
    const reason = change.subscription?.disabledReason;
    if (reason !== undefined) {
      lifecycle.emit("subscription.disabled", { id, organization, reason });
    }
  }
}

/**
 * Nothing has anything to learn from this outcome, as far as the claim and this process can see, and
 * no other delivery waits for it. Without `trouble`, it has nothing to tell in any case.
 */
function isPlain(
  { subscription, gates }: Claim,
  { outcome, interrupted, startedAt }: Attempted,
  trouble: Trouble | null,
): boolean {
  if (outcome.type !== "delivered" || interrupted || isSerial(subscription.order)) return false;
  return (
    trouble === null ||
    (outcome.warning === undefined &&
      outcome.state === undefined &&
      subscription.status === "ok" &&
      subscription.failing === null &&
      gates.every(({ calm }) => calm) &&
      !trouble.since(gates, startedAt))
  );
}

interface Rules {
  readonly policy: RetryPolicy;
  readonly autoDisable: AutoDisable | false;
  newId(): string;
}

/** What follows from a settlement, under the storage's lock. Pure, but for new ids. */
function consequencesOf(
  item: Item,
  state: SettleState,
  { policy, autoDisable, newId }: Rules,
  now: number,
): Consequences {
  const { claim, landing, random, tells, settlement } = item;
  const { together } = settlement.attempt;
  const { outcome, interrupted } = landing;
  const { delivery, order, subscription: current } = state;
  const decision = interrupted ? null : decide(outcome, delivery, policy, now, random, together);
  const { states, moves } = gatesAfter(claim, landing, decision?.pause ?? null, {
    gates: tells ? state.gates : [],
    now,
    random,
  });
  const gates = states.length > 0 && { gates: states };
  const counted = decision?.counted ?? false;
  const decided = decision?.next ?? afterLapse(delivery, stopped(outcome, policy), now);
  if (settlement.plain) {
    return { change: { next: decided, counted }, moves, warning: null };
  }
  if (current === null) {
    const change = { next: canceledIfWaiting(decided), counted, ...gates };
    return { change, moves, warning: null };
  }

  const { disabledReason, ...next } = inOrder(decided, order, delivery, now);
  // What its owner has changed since may help whatever failed, but not what may have arrived.
  const isChanged = current.version !== claim.subscription.version;
  if (isChanged && (!isAbandoned(outcome, policy) || current.disabledReason !== null)) {
    return { change: { next, counted, ...gates }, moves, warning: null };
  }
  const told = tells && !isChanged ? decision : null;
  const failures = told === null ? null : failuresAfter(outcome, current, autoDisable, now);
  const findings: SubscriptionFindings = {
    ...failures?.findings,
    ...(disabledReason !== undefined &&
      (tells || current.enabled) && { disabledReason, failing: null }),
    ...(told !== null && findingsOf(item, told, now)),
  };
  const warning = failures?.warning ?? null;
  const subscription = Object.keys(findings).length > 0 && { subscription: findings };
  const befell = mishapOf(current, findings, failures);
  const event = befell && { event: operationalEvent(current, befell, { id: newId(), now }) };
  return { change: { next, counted, ...gates, ...subscription, ...event }, moves, warning };
}

/** A handler that was told to stop, and says what it knows, leaves no doubt for a policy to settle. */
const stopped = (outcome: Outcome, policy: RetryPolicy): RetryPolicy => ({
  ...policy,
  unknown: isAbandoned(outcome, policy) ? "abandon" : "retry",
});

/** What others are told of: it was switched off, or else it has failed for half as long. */
function mishapOf(
  { enabled, failing: before }: SubscriptionRecord,
  { disabledReason, statusDetail }: SubscriptionFindings,
  failures: Failures | null,
): Mishap | null {
  if (!enabled) return null;
  const failing = failures?.counted ?? before;
  if (disabledReason !== undefined) {
    return { type: "webhook_disabled", reason: disabledReason, failing };
  }
  if (failures?.warning == null) return null;
  return { type: "webhook_failing", reason: statusDetail ?? "", failing };
}

interface Failures {
  readonly findings: SubscriptionFindings;
  /** This one included; null if it is none. */
  readonly counted: Failing | null;
  readonly warning: Failing | null;
}

/** Whether anything arrives. What says nothing about that (`throttled`, `rejected`) changes nothing. */
function failuresAfter(
  { type }: Outcome,
  { enabled, failing }: SubscriptionRecord,
  autoDisable: AutoDisable | false,
  now: number,
): Failures {
  const isFailure = type === "failed" || type === "unknown";
  if (!isFailure || !enabled) {
    const isOver = failing !== null && (type === "delivered" || type === "gone");
    return { findings: isOver ? { failing: null } : {}, counted: null, warning: null };
  }
  const after = failedAgain(failing, autoDisable, now);
  const counted = after.failing;
  if (after.consequence === "disable") {
    const disabledReason = failedFor(counted);
    return { findings: { failing: null, disabledReason }, counted, warning: null };
  }
  const warning = after.consequence === "warn" ? counted : null;
  return { findings: { failing: counted }, counted, warning };
}

function findingsOf(
  { landing: { outcome } }: Item,
  { standing, disable }: Decision,
  now: number,
): SubscriptionFindings {
  return {
    ...(standing !== null && {
      status: standing.status,
      statusDetail: standing.detail,
      statusCheckedAt: now,
    }),
    ...(disable !== null && { disabledReason: disable }),
    ...(outcome.state !== undefined && { state: outcome.state }),
  };
}

const canceledIfWaiting = (next: Next): Next =>
  next.status === "waiting"
    ? { ...next, status: "canceled", reason: "the webhook was deleted" }
    : next;

const attemptOf = ({ settlement }: Item, { counted }: SettleChange): Attempt => ({
  ...settlement.attempt,
  counted,
  late: false,
});

const flightKey = ({ deliveryId, token }: Settlement): string => `${deliveryId} ${token}`;
