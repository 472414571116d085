import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Event, Json } from "./event.ts";
import type { Gate } from "./gate.ts";
import type { Logger } from "./logger.ts";
import type { Doubt, RetryPolicy } from "./retry.ts";

/**
 * How one kind of destination is configured and reached.
 *
 * A handler knows its vendor and nothing else: no storage, no retries, no lanes. It reports what
 * happened as an {@link Outcome}; what follows is decided by core. These laws are cases of the
 * published contract suite (`handlerContract`):
 *
 * - `type` is lower-case words joined by `_`; subscriptions name it for ever.
 * - `configuration` refuses unknown keys, and accepts again what it accepted once: the stored
 *   input is validated anew before deliveries.
 * - `deliver` ends soon after `signal` aborts. If it does not, its result is ignored.
 * - `deliver` may be called again for the same event (delivery is at least once), also while an
 *   earlier call, believed dead, is still running.
 * - An answer from the destination becomes an outcome. A throw means `failed`: use it for bugs. Once
 *   `signal` has aborted it means `unknown`, as no answer does.
 * - No secret of the configuration appears in an outcome, a gate's name or a log line.
 *   (Gate *keys* may hold secrets; core stores only a keyed hash of them.)
 */
export interface Handler<
  Type extends string = string,
  // biome-ignore lint/suspicious/noExplicitAny: the default stands for any handler's types.
  Input = any,
  // biome-ignore lint/suspicious/noExplicitAny: the default stands for any handler's types.
  Configuration = any,
> {
  readonly type: Type;
  /** One line for people who choose a handler. */
  readonly description?: string;
  readonly configuration: StandardSchemaV1<Input, Configuration>;
  /** How a customer comes by what the configuration asks for: shown by forms, pages and REST. */
  readonly setup?: HandlerSetup;
  /** Top-level string keys of the configuration: sealed at rest, masked on the way out. */
  readonly secrets?: readonly SecretKey<Input>[];
  /** One of the secrets that is made here, and not given: what signs, say. */
  readonly generates?: GeneratedSecret<Input>;
  /** When to try again. Default: the bus's `retry`. */
  readonly retry?: RetryPolicy;
  /** How long one call may take, in milliseconds. Default: the bus's `handlerTimeoutMs`. */
  readonly timeoutMs?: number;
  /**
   * What a configuration shares with others, the narrowest first: failures count against the first
   * gate, unless the outcome names another. Called when a subscription is saved.
   */
  gates?(configuration: Configuration): readonly Gate[];
  /** Called when a subscription is saved, outside any transaction. Answers within `signal`. */
  verify?(configuration: Configuration, context: VerifyContext): Promise<Verification>;
  deliver(context: DeliverContext<Configuration>): Promise<Outcome>;
  /** Several deliveries of one subscription as one call, where more wait than may go one by one. */
  readonly batch?: Batch<Configuration>;
}

/**
 * How a handler delivers several events at once. All that is said of `deliver` is true of it, too.
 *
 * - Its one outcome is each delivery's. One that is `rejected` ends none: each is tried once more,
 *   in a call of its own, and so is whatever else was tried before.
 * - What an outcome says of the destination counts once, however many deliveries the call has.
 */
export interface Batch<Configuration> {
  /** How many deliveries a call takes at most: 2 to 100. */
  readonly max: number;
  deliver(context: BatchContext<Configuration>): Promise<Outcome>;
}

/** What a customer does at the destination before there is anything to configure. */
export interface HandlerSetup {
  /** Steps, in their order, each a sentence or two of Markdown. */
  readonly instructions: readonly string[];
  /** Where the destination takes it from here: a link that does the first steps at once. */
  readonly installUrl?: string | undefined;
  /** What the steps say to paste there: the description of an app, say. */
  readonly manifest?: Json | undefined;
}

/**
 * A secret that is made when a subscription is created without it, and that can be rotated: the new
 * one is shown once, and the one before stays live for a while.
 */
export interface GeneratedSecret<Input> {
  /** One of `secrets`. */
  readonly key: SecretKey<Input>;
  /** A new one, which the configuration's schema accepts. `random` answers so many random bytes. */
  create(configuration: Input, random: (count: number) => Uint8Array): string;
  /** What its owner is shown. Default: the secret itself. */
  shown?(secret: string): string;
}

/** The top-level keys of an input whose value is a string. */
export type SecretKey<Input> = {
  [Key in keyof Input & string]-?: Extract<Input[Key], string> extends never ? never : Key;
}[keyof Input & string];

/** What a handler is given for one delivery. */
export interface DeliverContext<Configuration = unknown>
  extends CallContext<Configuration>,
    DeliverItem {}

/** What a handler is given for several deliveries at once. */
export interface BatchContext<Configuration = unknown> extends CallContext<Configuration> {
  /** At least one, and at most `max`, in the order in which the subscription gets them. */
  readonly items: readonly DeliverItem[];
}

/** One delivery, with what it delivers. */
export interface DeliverItem {
  readonly event: Event & {
    /** The data as the exact JSON text that was stored: sign and send these bytes. */
    readonly payload: string;
  };
  readonly delivery: {
    readonly id: string;
    /** Which attempt this is, from 1. */
    readonly attempt: number;
  };
}

interface CallContext<Configuration> {
  /** The schema's output, secrets included. */
  readonly configuration: Configuration;
  readonly subscription: {
    readonly id: string;
    readonly organization: string;
    readonly name: string;
  };
  /** Generated secrets that were rotated out and are still live, the newest first. */
  readonly previousSecrets?: readonly string[];
  /** What an earlier outcome remembered for this configuration; null at first. */
  readonly state: Json;
  /** Aborts at the deadline, or when the bus stops. */
  readonly signal: AbortSignal;
  /** Until the deadline, in milliseconds. */
  readonly timeoutMs: number;
  readonly logger: Logger;
}

export interface VerifyContext {
  /** Whose subscription it is. */
  readonly organization: string;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** What `verify` found out about a configuration. */
export type Verification =
  | { readonly status: "ok" }
  /** Saved, and shown to the customer. */
  | { readonly status: "warning" | "unverified"; readonly detail: string }
  /** Not saved: the destination itself says that it cannot work. Never for network trouble. */
  | {
      readonly status: "refused";
      readonly issues: readonly { readonly key: string; readonly message: string }[];
    };

interface Note {
  /** What to do about it, for the people who own the destination. */
  readonly remedy?: string | undefined;
  /** Worth remembering with the attempt: a status code, a request id. */
  readonly details?: Json | undefined;
  /** Kept for later deliveries of this configuration, written in the same settle. */
  readonly state?: Json | undefined;
}

/** What a handler reports: a fact about one attempt. */
export type Outcome =
  /** The destination has it. `warning` is shown on the subscription. */
  | ({ readonly type: "delivered"; readonly warning?: string | undefined } & Note)
  /** It did not arrive, and may if tried again. */
  | ({
      readonly type: "failed";
      readonly reason: string;
      readonly retryAfterMs?: number | undefined;
      /** The gate that is to blame. Default: the first one. */
      readonly gate?: string | undefined;
    } & Note)
  /** The destination asks to wait; the named gate is closed for everyone meanwhile. */
  | ({
      readonly type: "throttled";
      readonly reason: string;
      readonly retryAfterMs: number;
      readonly gate?: string | undefined;
    } & Note)
  /** The destination will never take this event. */
  | ({ readonly type: "rejected"; readonly reason: string } & Note)
  /** The destination will take nothing more from this subscription: it is switched off. */
  | ({
      readonly type: "gone";
      readonly reason: string;
      /**
       * The gate that is no use to anybody: a revoked token's. It closes for a minute, for longer
       * each time, so that what shares it asks in vain once, and not once per delivery.
       */
      readonly gate?: string | undefined;
    } & Note)
  /** It may have arrived: the connection broke after the request was sent. */
  | ({
      readonly type: "unknown";
      readonly reason: string;
      /** What the subscription's configuration says of such doubt. Default: the policy's `unknown`. */
      readonly doubt?: Doubt | undefined;
      /** The gate that is to blame. Default: the first one. */
      readonly gate?: string | undefined;
    } & Note);

export type OutcomeType = Outcome["type"];

type NoteOf<Type extends OutcomeType> = Omit<Extract<Outcome, { type: Type }>, "type" | "reason">;

export const delivered = (note: NoteOf<"delivered"> = {}): Outcome => ({
  type: "delivered",
  ...note,
});
export const failed = (reason: string, note: NoteOf<"failed"> = {}): Outcome => ({
  type: "failed",
  reason,
  ...note,
});
export const throttled = (
  note: NoteOf<"throttled"> & { readonly reason?: string | undefined },
): Outcome => ({ ...note, type: "throttled", reason: note.reason ?? "rate limited" });
export const rejected = (reason: string, note: NoteOf<"rejected"> = {}): Outcome => ({
  type: "rejected",
  reason,
  ...note,
});
export const gone = (reason: string, note: NoteOf<"gone"> = {}): Outcome => ({
  type: "gone",
  reason,
  ...note,
});
export const unknown = (reason: string, note: NoteOf<"unknown"> = {}): Outcome => ({
  type: "unknown",
  reason,
  ...note,
});

/** Declares a handler; its type, configuration and secrets are inferred. */
export function defineHandler<const Type extends string, Input, Configuration>(
  handler: Handler<Type, Input, Configuration>,
): Handler<Type, Input, Configuration> {
  return handler;
}
