import type { Catalog, OperationalEventType } from "./catalog.ts";
import type { Json } from "./event.ts";
import type { Failing } from "./failing.ts";
import type { Handler } from "./handler.ts";
import type { DeliveryOrder } from "./order.ts";
import type { EventPattern } from "./pattern.ts";
import type { SubscriptionFindings } from "./storage.ts";

/** What is known of a subscription's destination. */
export type SubscriptionStatus = "unverified" | "ok" | "warning" | "error";

/** An organization's wish: which event types to deliver, how and where. On the wire: a webhook. */
export interface Subscription {
  /** UUIDv7. */
  readonly id: string;
  readonly organization: string;
  readonly name: string;
  /** Names and patterns, as they were given; patterns match event types that are added later. */
  readonly eventTypes: readonly string[];
  /** Which handler delivers it. */
  readonly type: string;
  /** As it was given, with every secret replaced by the mask. */
  readonly configuration: { readonly [key: string]: Json };
  /** Whether its deliveries wait for each other, and what happens when one is dead. */
  readonly order: DeliveryOrder;
  /** The customer's switch. While it is off, deliveries are kept, not sent. */
  readonly enabled: boolean;
  /** Why Posthorn switched it off; null otherwise. */
  readonly disabledReason: string | null;
  readonly status: SubscriptionStatus;
  readonly statusDetail: string | null;
  /** When the status was last found out (epoch milliseconds). */
  readonly statusCheckedAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A subscription for which a secret was just made. */
export interface SubscriptionWithSecret extends Subscription {
  /** The new secret, or what its owner needs of it: shown now, and never again. */
  readonly generatedSecret?: string | undefined;
}

/** A subscription whose secret was rotated. */
export interface RotatedSubscription extends Subscription {
  readonly generatedSecret: string;
  /** Until when the secret before this one is live, too (epoch milliseconds). */
  readonly previousLiveUntil: number;
}

/** A subscription as storage keeps it: secrets sealed, apart from the configuration. */
export interface SubscriptionRecord extends Subscription {
  /** The configuration without its secrets. */
  readonly configuration: { readonly [key: string]: Json };
  /** Sealed secrets by configuration key. */
  readonly secrets: { readonly [key: string]: string };
  /** What the handler remembers for this configuration: a pinned channel id, say. */
  readonly state: Json;
  /** Null unless its latest attempts have failed. */
  readonly failing: Failing | null;
  /**
   * Raised by every change of what the customer configured, and by switching it off: an update that
   * has not seen that would switch it on again.
   */
  readonly version: number;
  /** Unique in the organization: a second create with it answers the first subscription. */
  readonly idempotencyKey: string | null;
  /** A keyed hash of what it was created from, to tell a repeat from a conflict. */
  readonly fingerprint: string | null;
}

/** The subscription with what was found out about it. */
export const learned = (
  record: SubscriptionRecord,
  findings: SubscriptionFindings,
): SubscriptionRecord => ({
  ...record,
  ...findings,
  ...(findings.disabledReason !== undefined && {
    enabled: false,
    version: record.enabled ? record.version + 1 : record.version,
  }),
});

/** What a secret looks like from outside. Sent back in an update, it means: keep what is stored. */
export const MASK = "********";

/** What a subscription can ask for: events of the catalog, and by their names operational ones. */
export type SubscribedPattern<C extends Catalog> = EventPattern<C> | OperationalEventType;

/** A new subscription; a union over the handlers, so that `type` tells what `configuration` is. */
export type SubscriptionInput<C extends Catalog, H extends Handler> =
  // biome-ignore lint/suspicious/noExplicitAny: the handler's output type plays no part here.
  H extends Handler<infer Type, infer Input, any>
    ? {
        readonly organization: string;
        readonly name: string;
        readonly eventTypes: readonly SubscribedPattern<C>[];
        readonly type: Type;
        readonly configuration: Input;
        /** Default `none`: whatever can go, goes. */
        readonly order?: DeliveryOrder | undefined;
        readonly enabled?: boolean | undefined;
      }
    : never;

/** What may change of a subscription; what is absent stays. */
export type SubscriptionChanges<C extends Catalog, H extends Handler> = {
  readonly name?: string | undefined;
  readonly eventTypes?: readonly SubscribedPattern<C>[] | undefined;
  /** What waits at that moment goes on as it is; what comes after it keeps to the new order. */
  readonly order?: DeliveryOrder | undefined;
  readonly enabled?: boolean | undefined;
  /** Merged into the stored configuration key by key, unless `replaceConfiguration` is set. */
  readonly configuration?: Partial<ConfigurationInput<H>> | undefined;
  /** Replace the stored configuration as a whole; secrets that are absent or masked are kept. */
  readonly replaceConfiguration?: boolean | undefined;
};

// biome-ignore lint/suspicious/noExplicitAny: the handler's output type plays no part here.
type ConfigurationInput<H> = H extends Handler<string, infer Input, any> ? Input : never;
