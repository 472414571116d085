import type { Clock } from "./clock.ts";
import {
  openConfiguration,
  openPrevious,
  type PlainConfiguration,
  type PreviousSecret,
  parseConfiguration,
  secretTexts,
} from "./configuration.ts";
import { createDeadlines } from "./deadline.ts";
import type { Call, Claim } from "./delivery.ts";
import { isPosthornError } from "./errors.ts";
import { parseEvent } from "./event.ts";
import {
  type BatchContext,
  type DeliverItem,
  failed,
  type Handler,
  type Outcome,
  unknown,
} from "./handler.ts";
import type { Logger } from "./logger.ts";
import { toOutcome } from "./outcome.ts";
import { describe, safeText } from "./redact.ts";
import type { Keyring } from "./secrets.ts";
import type { SubscriptionRecord } from "./subscription.ts";
import type { System } from "./system.ts";

/** How the flights of a call ended, seen from the process that flew them. */
export type Landing =
  /** A handler was called. */
  | {
      readonly type: "attempted";
      readonly outcome: Outcome;
      readonly startedAt: number;
      readonly durationMs: number;
      /** The bus stopped before its destination answered: the attempt is not the destination's fault. */
      readonly interrupted: boolean;
    }
  /** No handler was called: what was to go goes back, unspent, and may be claimed from `dueAt` on. */
  | { readonly type: "not_started"; readonly dueAt: number; readonly why: string };

/** Starts what was claimed for one call and brings it to its end. Never rejects. */
export type Deliver = (call: Call, stopping: AbortSignal) => Promise<Landing>;

/** How long a handler may take to answer after its signal has aborted. */
export const ABORT_GRACE_MS = 500;
/** When to look again at a delivery that this process, as it is configured, cannot start. */
const UNABLE_FOR_MS = 30_000;
/** How many subscriptions' opened configurations are kept at hand. */
const OPENED_CONFIGURATIONS = 1_000;

export function createDeliver(options: {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly system: System;
  readonly logger: Logger;
  timeoutOf(handler: Handler): number;
}): Deliver {
  const { handlers, clock, system, logger, timeoutOf } = options;
  const open = configurations(options.keyring, clock);
  const setDeadline = createDeadlines(system);
  const tellAtStop = new WeakMap<AbortSignal, Set<() => void>>();

  return async (call, stopping) => {
    const [claim] = call;
    let isTold = true;
    try {
      await clock.refresh();
    } catch {
      isTold = false;
    }
    const handler = handlers.get(claim.subscription.type);
    const now = clock.now();
    const notStarted = (why: string, dueAt = now): Landing => ({ type: "not_started", dueAt, why });
    if (!isTold) return notStarted("the storage does not tell the time");
    if (handler === undefined) return notStarted("no handler", now + UNABLE_FOR_MS);
    if (call.length > 1 && handler.batch === undefined) return notStarted("no batch");
    const timeoutMs = timeoutOf(handler);
    if (stopping.aborted) return notStarted("the bus is stopping");
    if (claim.startBy !== null && now > claim.startBy) return notStarted("its turn has passed");
    if (claim.leaseUntil - now <= timeoutMs + ABORT_GRACE_MS) return notStarted("short lease");

    const startedMono = system.mono();
    const attempted = (outcome: Outcome, interrupted = false): Landing => ({
      type: "attempted",
      outcome,
      interrupted,
      startedAt: now,
      durationMs: Math.round(system.mono() - startedMono),
    });
    const opened = await open(handler, claim.subscription).catch((error: unknown) => ({ error }));
    if (!("error" in opened)) {
      const { configuration, secrets } = opened;
      const live = opened.previous.filter(({ liveUntil }) => liveUntil > now);
      const previousSecrets = live.map(({ secret }) => secret);
      const terms = { configuration, previousSecrets, timeoutMs, stopping };
      const answer = await ask(handler, call, terms);
      const outcome = outcomeOf(answer, secrets, timeoutMs);
      return attempted(outcome, answer.interrupted && !isAnswered(outcome));
    }
    const error = describe(opened.error);
    if (isLocked(opened.error)) {
      const fields = { subscription: claim.subscriptionId, error };
      logger.error(fields, "A subscription's secrets cannot be opened; its deliveries wait.");
      return notStarted("unreadable secrets", now + UNABLE_FOR_MS);
    }
    const remedy = "Save the webhook's configuration again.";
    return attempted(failed(safeText(error, []), { remedy }));
  };

  /** Calls the handler; its answer, its throw, or its silence once the deadline has passed. */
  async function ask(
    handler: Handler,
    call: Call,
    { configuration, previousSecrets, timeoutMs, stopping }: Terms,
  ): Promise<Answer> {
    const { id, organization, name, state } = call[0].subscription;
    const abort = new AbortController();
    const context = {
      configuration,
      subscription: { id, organization, name },
      previousSecrets,
      state,
      signal: abort.signal,
      timeoutMs,
      logger,
    };
    const interrupted = (): boolean => abort.signal.aborted && stopping.aborted;
    const { promise: landed, resolve: land } = Promise.withResolvers<Answer>();
    let forget = (): void => {};
    const interrupt = (): void => {
      if (abort.signal.aborted) return;
      forget();
      abort.abort();
      forget = setDeadline(ABORT_GRACE_MS, () =>
        land({ type: "silent", interrupted: interrupted() }),
      );
    };
    forget = setDeadline(timeoutMs, interrupt);
    atStop(stopping).add(interrupt);
    (async () => send(handler, call, context))().then(
      (value) => land({ type: "returned", value, interrupted: interrupted() }),
      (error: unknown) =>
        land({
          type: "threw",
          error,
          isAborted: abort.signal.aborted,
          interrupted: interrupted(),
        }),
    );
    if (stopping.aborted) interrupt();
    const first = await landed;
    forget();
    atStop(stopping).delete(interrupt);
    return first;
  }

  /** Who is to be told when it aborts: one listener tells them all. */
  function atStop(stopping: AbortSignal): Set<() => void> {
    let told = tellAtStop.get(stopping);
    if (told === undefined) {
      const all = new Set<() => void>();
      stopping.addEventListener("abort", () => {
        for (const tell of all) tell();
      });
      tellAtStop.set(stopping, all);
      told = all;
    }
    return told;
  }
}

/** What its destination has said counts, even if the bus was stopping by then. */
const isAnswered = ({ type }: Outcome): boolean => type === "delivered" || type === "throttled";

/** The process lacks a key: another, or a later one, may have it. */
const isLocked = (error: unknown): boolean =>
  isPosthornError(error, "missing_encryption_key") || isPosthornError(error, "unreadable_secret");

/** What goes alone is delivered by `deliver`, whether its handler has a `batch` or not. */
const send = (
  handler: Handler,
  call: Call,
  context: Omit<BatchContext, "items">,
): Promise<Outcome> | undefined =>
  call.length > 1
    ? handler.batch?.deliver({ ...context, items: call.map(itemOf) })
    : handler.deliver({ ...context, ...itemOf(call[0]) });

const itemOf = ({ deliveryId, delivery, event }: Claim): DeliverItem => ({
  event: { ...parseEvent(event), payload: event.payload },
  delivery: { id: deliveryId, attempt: delivery.attempts + 1 },
});

interface Terms {
  readonly configuration: unknown;
  readonly previousSecrets: readonly string[];
  readonly timeoutMs: number;
  readonly stopping: AbortSignal;
}

/** What came of calling a handler; `interrupted` if the bus had told it to stop by then. */
type Answer = { readonly interrupted: boolean } & (
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: unknown; readonly isAborted: boolean }
  | { readonly type: "silent" }
);

function outcomeOf(answer: Answer, secrets: readonly string[], timeoutMs: number): Outcome {
  switch (answer.type) {
    case "returned":
      return toOutcome(answer.value, secrets);
    case "threw": {
      const reason = safeText(describe(answer.error), secrets);
      // Aborted on its way, a request may have been received: nobody has looked.
      return answer.isAborted ? unknown(reason) : failed(reason);
    }
    case "silent":
      return unknown(
        answer.interrupted
          ? "The bus stopped before the handler answered."
          : `The handler did not answer within ${timeoutMs} ms.`,
      );
  }
}

interface Opened {
  readonly version: number;
  readonly configuration: unknown;
  readonly previous: readonly PreviousSecret[];
  /** All that must not be told. */
  readonly secrets: readonly string[];
}

/** A schema that throws is the handler's bug; what it says may hold a secret. */
async function parse(handler: Handler, plain: PlainConfiguration): Promise<unknown> {
  try {
    return await parseConfiguration(handler, plain);
  } catch (error) {
    if (isPosthornError(error, "invalid_configuration")) throw error;
    throw new Error(safeText(describe(error), secretTexts(handler, plain)));
  }
}

/** Opens configurations, and keeps the most recent ones open. */
function configurations(
  keyring: Keyring,
  clock: Clock,
): (handler: Handler, subscription: SubscriptionRecord) => Promise<Opened> {
  const kept = new Map<string, Opened>();
  return async (handler, subscription) => {
    const found = kept.get(subscription.id);
    if (found?.version === subscription.version) return found;
    const plain = openConfiguration(subscription, keyring);
    const configuration = await parse(handler, plain);
    const previous = openPrevious(subscription, keyring, clock.now());
    const texts = secretTexts(handler, plain, configuration);
    const secrets = [...texts, ...previous.map(({ secret }) => secret)];
    const { version } = subscription;
    const opened: Opened = { version, configuration, previous, secrets };
    kept.delete(subscription.id);
    kept.set(subscription.id, opened);
    if (kept.size > OPENED_CONFIGURATIONS) kept.delete([...kept.keys()][0] as string);
    return opened;
  };
}
