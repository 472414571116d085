import mittModule from "mitt";
import type { Attempt, Delivery } from "./delivery.ts";
import type { Logger } from "./logger.ts";
import type { Replay } from "./replay.ts";
import type { Subscription } from "./subscription.ts";

/** What the bus itself does, as this process sees it. No secret and no event data is in it. */
export interface LifecycleEvents {
  /** An event was stored by this process (in the host's transaction: not committed yet). */
  "event.published": {
    readonly id: string;
    readonly type: string;
    readonly organization: string;
  };
  /** An attempt succeeded; the delivery has ended. */
  "delivery.delivered": DeliveryReport;
  /** An attempt failed; the delivery is due again at `delivery.dueAt`. */
  "delivery.failed": DeliveryReport;
  /** The destination asked to wait; the delivery is due again at `delivery.dueAt`. */
  "delivery.throttled": DeliveryReport;
  /** The delivery has ended without success. */
  "delivery.dead": DeliveryReport;
  /** The delivery was canceled: by an operator, or with its subscription. */
  "delivery.canceled": DeliveryReport;
  /** A flight ended without an outcome: its process crashed, paused or lost the storage. */
  "delivery.lapsed": DeliveryReport;
  "subscription.created": SubscriptionReport;
  "subscription.updated": SubscriptionReport;
  "subscription.deleted": { readonly id: string; readonly organization: string };
  /** So many attempts have failed since, and none succeeded: half of what switches it off. Told once. */
  "subscription.failing": {
    readonly id: string;
    readonly organization: string;
    readonly attempts: number;
    /** Epoch milliseconds. */
    readonly since: number;
  };
  /** Posthorn switched it off, for the reason given. */
  "subscription.disabled": {
    readonly id: string;
    readonly organization: string;
    readonly reason: string;
  };
  /** Too much behind a gate failed: nothing passes until `until`, and then a probe. */
  "gate.opened": GateReport & {
    /** Epoch milliseconds. */
    readonly until: number;
  };
  /** What is behind a gate works again. */
  "gate.closed": GateReport;
  /** A replay has made all its deliveries, or its subscription is gone. */
  "replay.ended": Replay;
  /** A step failed for reasons of infrastructure, and is tried again. */
  "dispatcher.error": {
    readonly step: "turn" | "route" | "settle" | "release";
    readonly message: string;
  };
}

export interface DeliveryReport {
  readonly delivery: Delivery;
  /** Null where no handler was called. */
  readonly attempt: Omit<Attempt, "token" | "late"> | null;
}

/** A gate, without its key, which may be a secret. */
export interface GateReport {
  /** Its name, as the handler gives it. */
  readonly gate: string;
  readonly organization: string;
  readonly handlerType: string;
}

export interface SubscriptionReport {
  readonly subscription: Subscription;
}

// mitt's types are those of a CommonJS module, its code is an ES module.
const mitt = mittModule as unknown as typeof mittModule.default;

type Mitt = { [Name in keyof LifecycleEvents]: LifecycleEvents[Name] };

type Heard = {
  [Name in keyof LifecycleEvents]: [name: Name, report: LifecycleEvents[Name]];
}[keyof LifecycleEvents];

/** Hears the bus. Listeners that throw or reject disturb no one. */
export interface Lifecycle {
  on<Name extends keyof LifecycleEvents>(
    name: Name,
    listener: (report: LifecycleEvents[Name]) => void,
  ): () => void;
  /** Every one of them; `name` tells what `report` is. */
  on(name: "*", listener: (...heard: Heard) => void): () => void;
  on(name: "*", listener: (name: keyof LifecycleEvents) => void): () => void;
}

export interface LifecycleEmitter extends Lifecycle {
  emit<Name extends keyof LifecycleEvents>(name: Name, report: LifecycleEvents[Name]): void;
}

export function createLifecycle(logger: Logger): LifecycleEmitter {
  const emitter = mitt<Mitt>();
  const on = (name: string, listener: (...heard: never[]) => unknown): (() => void) => {
    const heard = (...args: unknown[]): void =>
      callListener(() => (listener as (...args: unknown[]) => unknown)(...args), name, logger);
    emitter.on(name as keyof Mitt, heard);
    return () => emitter.off(name as keyof Mitt, heard);
  };
  return { on, emit: (name, report) => emitter.emit(name, report as Mitt[typeof name]) };
}

/** Calls a listener of the host so that its failure, now or later, is only logged. */
export function callListener(call: () => unknown, name: string, logger: Logger): void {
  const failed = (error: unknown): void =>
    logger.warn({ listener: name, error }, `A listener of "${name}" failed.`);
  try {
    const result = call();
    if (result instanceof Promise) result.catch(failed);
  } catch (error) {
    failed(error);
  }
}
