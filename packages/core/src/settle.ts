import type { Clock } from "./clock.ts";
import type { Landing } from "./deliver.ts";
import type { Attempt, Claim, Delivery, Next } from "./delivery.ts";
import { lapse } from "./delivery.ts";
import { pause } from "./gate.ts";
import { groupCommit } from "./group-commit.ts";
import type { Handler } from "./handler.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { persist } from "./persist.ts";
import { describe } from "./redact.ts";
import { type Decision, decide, type RetryPolicy } from "./retry.ts";
import type {
  SettleChange,
  Settlement,
  SettleState,
  Storage,
  SubscriptionFindings,
} from "./storage.ts";
import type { System } from "./system.ts";

/** A flight that a handler was called for. */
type Attempted = Extract<Landing, { type: "attempted" }>;

/**
 * Records how a flight ended, with all that follows. Answers when the delivery is due again
 * (epoch milliseconds), or null if it has ended. Never rejects: a flight whose settle fails for
 * good lapses.
 */
export type Settle = (claim: Claim, landing: Attempted) => Promise<number | null>;

const LONGEST_GROUP = 500;
/** About 25 seconds of retries: less than the shortest sensible lease. */
const TRIES = 10;

interface Item {
  readonly claim: Claim;
  readonly landing: Attempted;
  readonly settlement: Settlement;
  readonly random: number;
}

interface Ended {
  readonly change: SettleChange;
  readonly attempt: Attempt;
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
  retryOf(handler: Handler | undefined): RetryPolicy;
}): Settle {
  const { storage, handlers, clock, system, lifecycle, logger, giveUp, retryOf } = options;

  const write = groupCommit(async (items: readonly Item[]): Promise<readonly (Ended | null)[]> => {
    const now = clock.now();
    const byFlight = new Map(items.map((item) => [flightKey(item.settlement), item]));
    const changes = new Map<Item, SettleChange>();
    const results = await storage.settle(
      items.map(({ settlement }) => settlement),
      (settlement, state) => {
        const item = byFlight.get(flightKey(settlement)) as Item;
        const policy = retryOf(handlers.get(item.claim.subscription.type));
        const change = changeOf(item, state, policy, now);
        changes.set(item, change);
        return change;
      },
    );
    return items.map((item, index) => {
      if (results[index] === "late") return null;
      const change = changes.get(item) ?? changeAsClaimed(item, now);
      return { change, attempt: attemptOf(item, change) };
    });
  }, LONGEST_GROUP);

  /** What an earlier write, whose answer was lost, has made of it: nothing changes in flight. */
  function changeAsClaimed(item: Item, now: number): SettleChange {
    const { delivery, subscription } = item.claim;
    const policy = retryOf(handlers.get(subscription.type));
    return changeOf(item, { delivery, subscription, gates: [] }, policy, now);
  }

  return async (claim, landing) => {
    const { deliveryId, subscriptionId, token } = claim;
    const { outcome, startedAt, durationMs } = landing;
    const settlement: Settlement = {
      deliveryId,
      subscriptionId,
      token,
      plain: isPlain(claim, landing),
      attempt: {
        deliveryId,
        token,
        startedAt,
        durationMs,
        outcome: outcome.type,
        reason: outcome.type === "delivered" ? null : outcome.reason,
        remedy: outcome.remedy ?? null,
        details: outcome.details ?? null,
      },
    };
    const item: Item = { claim, landing, settlement, random: system.random() };
    try {
      const ended = await persist(() => write(item), {
        system,
        tries: TRIES,
        signal: giveUp,
        onFailure: (thrown) =>
          lifecycle.emit("dispatcher.error", { step: "settle", message: describe(thrown) }),
      });
      if (ended === null) return null;
      const delivery = after(claim.delivery, ended.change.next, startedAt + durationMs);
      report(delivery, ended);
      return delivery.dueAt;
    } catch (error) {
      logger.error(
        { delivery: deliveryId, error: describe(error) },
        "An attempt could not be recorded; the delivery lapses and is tried again.",
      );
      return null;
    }
  };

  function report(delivery: Delivery, { change, attempt }: Ended): void {
    const { token: _token, late: _late, ...shown } = attempt;
    const name =
      delivery.status === "pending"
        ? attempt.outcome === "throttled"
          ? "delivery.throttled"
          : "delivery.failed"
        : (`delivery.${delivery.status}` as const);
    lifecycle.emit(name, { delivery, attempt: shown });
    const reason = change.subscription?.disabledReason;
    if (reason !== undefined) {
      const { subscriptionId: id, organization } = delivery;
      lifecycle.emit("subscription.disabled", { id, organization, reason });
    }
  }
}

/** Nothing has anything to learn from this outcome, as far as the claim could see. */
function isPlain({ subscription }: Claim, { outcome, interrupted }: Attempted): boolean {
  return (
    outcome.type === "delivered" &&
    !interrupted &&
    outcome.warning === undefined &&
    outcome.state === undefined &&
    subscription.status === "ok"
  );
}

/** What follows from a settlement, under the storage's lock. Pure. */
function changeOf(item: Item, state: SettleState, policy: RetryPolicy, now: number): SettleChange {
  const { claim, landing, random } = item;
  const { outcome, interrupted } = landing;
  if (interrupted) return { next: lapse(state.delivery, now), counted: false };
  const decision = decide(outcome, state.delivery, policy, now, random);
  if (item.settlement.plain) return { next: decision.next, counted: decision.counted };

  const { next, counted } = decision;
  const current = state.subscription;
  if (current === null) return { next: canceledIfWaiting(next), counted };
  const findings =
    current.version === claim.subscription.version ? findingsOf(item, decision, now) : {};
  const paused = pausedGates(decision, claim, state);
  return {
    next,
    counted,
    ...(paused.length > 0 && { gates: paused }),
    ...(Object.keys(findings).length > 0 && { subscription: findings }),
  };
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

/** The gate that a throttle names, closed until then; a handler that names none closes none. */
function pausedGates(
  decision: Decision,
  claim: Claim,
  state: SettleState,
): SettleChange["gates"] & {} {
  if (decision.pause === null) return [];
  const { gate: name, until } = decision.pause;
  const named = claim.gates.find((gate) => gate.name === name);
  return state.gates.filter((gate) => gate.id === named?.id).map((gate) => pause(gate, until));
}

const canceledIfWaiting = (next: Next): Next =>
  next.status === "waiting"
    ? { ...next, status: "canceled", reason: "the webhook was deleted" }
    : next;

/** The delivery as it is once `next` has been written. */
function after(delivery: Delivery, next: Next, now: number): Delivery {
  const waiting = next.status === "waiting";
  return {
    ...delivery,
    status: waiting ? "pending" : next.status,
    inFlight: false,
    dueAt: waiting ? next.dueAt : null,
    attempts: next.attempts ?? delivery.attempts,
    throttles: next.throttles ?? delivery.throttles,
    lapses: next.lapses ?? delivery.lapses,
    reason: next.status === "delivered" ? null : (next.reason ?? delivery.reason),
    completedAt: waiting ? null : now,
  };
}

const attemptOf = ({ settlement }: Item, { counted }: SettleChange): Attempt => ({
  ...settlement.attempt,
  counted,
  late: false,
});

const flightKey = ({ deliveryId, token }: Settlement): string => `${deliveryId} ${token}`;
