import type { Catalog } from "./catalog.ts";
import { storageClock } from "./clock.ts";
import { createDeliver } from "./deliver.ts";
import type { Attempt, Delivery, DeliveryStatus } from "./delivery.ts";
import { createDispatcher, type Drained } from "./dispatcher.ts";
import { PosthornError } from "./errors.ts";
import { type Event, parseEvent } from "./event.ts";
import type { Handler } from "./handler.ts";
import { checkHealth, type Health } from "./health.ts";
import { createLapses } from "./lapses.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { createListeners, type Listen } from "./listen.ts";
import { isolated, silentLogger } from "./logger.ts";
import { type EventBusOptions, resolveOptions } from "./options.ts";
import { organizationProblem } from "./organization.ts";
import { type Page, type PageOptions, pageRequest, toPage } from "./page.ts";
import { patternProblem } from "./pattern.ts";
import { createPublisher, type Publisher } from "./publish.ts";
import { createReplays, type Replays } from "./replays.ts";
import { keyring } from "./secrets.ts";
import { createSettle } from "./settle.ts";
import type { Reference } from "./storage.ts";
import { createSubscriptions, notFound, type Subscriptions } from "./subscriptions.ts";
import { nodeSystem } from "./system.ts";
import { inProcessTransport } from "./transport.ts";

/** Publishes events, and delivers them to subscriptions. */
export interface EventBus<C extends Catalog, H extends Handler = Handler, Tx = never>
  extends Publisher<C, Tx> {
  readonly catalog: C;
  readonly handlers: readonly H[];
  readonly subscriptions: Subscriptions<C, H, Tx>;
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly replays: Replays;

  /**
   * Hears events of the catalog in this process, at most once each, when their commit is known.
   * This is not delivery: a listener misses what happens while its process is down, and an event
   * that was published in a host's transaction reaches it when it is routed. Listeners never delay
   * or fail a publish. Answers how to stop listening.
   *
   * @throws PosthornError `unknown_event_type` if the pattern matches nothing of the catalog
   */
  readonly on: Listen<C>;

  /** Hears what the bus itself does. */
  readonly lifecycle: Lifecycle;

  /**
   * Begins to deliver in this process. Starting twice is starting once.
   *
   * @throws PosthornError `bus_stopped` after `stop`
   */
  start(): void;

  /**
   * Delivers what is due now, and resolves when nothing is due and nothing is in flight here.
   * Retries that are due later, and deliveries that a rate limit holds back, are left. Needs no
   * `start`, and may be called while started, and concurrently: for tests, cron jobs, scripts.
   *
   * @returns when to drain again, if nothing is published meanwhile
   * @throws PosthornError `bus_stopped` after `stop`, and what the storage throws
   */
  drain(): Promise<Drained>;

  /**
   * Stops claiming at once, lets handlers end within `deadlineMs` (default 10,000), aborts the
   * rest, and gives back what was not started. Nothing is lost: what was interrupted is tried
   * again by whoever runs next. Stopping twice is stopping once.
   */
  stop(options?: { readonly deadlineMs?: number | undefined }): Promise<void>;

  /** Something may be due: looks now, in every process. For hosts that know their commits. */
  wake(): void;

  health(): Promise<Health>;

  /**
   * Seals every secret that another key sealed with the first of `encryptionKeys`, so that the
   * other can be dropped. Safe while running, and to repeat.
   *
   * @returns how many subscriptions were sealed anew
   * @throws PosthornError `missing_encryption_key` if a secret's key is not among `encryptionKeys`
   */
  reseal(): Promise<{ readonly resealed: number }>;
}

/** What was published. */
export interface Events {
  /** @throws PosthornError `not_found` */
  get(reference: Reference): Promise<Event>;
  /** Newest first. @throws PosthornError `invalid_page` */
  list(
    options: { readonly organization: string; readonly type?: string | undefined } & PageOptions,
  ): Promise<Page<Event>>;
  /**
   * Forgets an organization's events that were published before `before` (epoch milliseconds;
   * default now) and whose deliveries have all ended, with these deliveries and their attempts:
   * for requests to erase. What is pending stays; delete the organization's subscriptions before,
   * so that nothing is. Works in small steps; one that was interrupted can be repeated.
   *
   * @returns how many events were forgotten
   * @throws PosthornError `invalid_options` if the organization is not one
   */
  prune(options: {
    readonly organization: string;
    readonly before?: number | undefined;
  }): Promise<{ readonly pruned: number }>;
}

/** A delivery with everything that was tried. */
export interface DeliveryWithAttempts extends Delivery {
  /** Oldest first. */
  readonly attemptLog: readonly Omit<Attempt, "token">[];
}

/** What became of it. */
export interface Deliveries {
  /** @throws PosthornError `not_found` */
  get(reference: Reference): Promise<DeliveryWithAttempts>;
  /** Newest first. @throws PosthornError `invalid_page` */
  list(
    options: {
      readonly organization: string;
      readonly subscriptionId?: string | undefined;
      readonly eventId?: string | undefined;
      readonly status?: DeliveryStatus | undefined;
    } & PageOptions,
  ): Promise<Page<Delivery>>;
  /**
   * Delivers the same event to the same subscription again, as a new delivery.
   *
   * @throws PosthornError `not_found`, `delivery_pending` if it has not ended,
   * `subscription_deleted`
   */
  redeliver(reference: Reference): Promise<Delivery>;
  /**
   * Ends a pending delivery. One that is in flight may still arrive.
   *
   * @throws PosthornError `not_found`, `delivery_not_pending` if it has ended
   */
  cancel(reference: Reference): Promise<Delivery>;
  /**
   * Ends a subscription's pending deliveries: those created from `from` on and before `until`
   * (epoch milliseconds; default all until now). Those in flight may still arrive. Works in small
   * steps; one that was interrupted can be repeated.
   *
   * @returns how many were canceled
   * @throws PosthornError `not_found` if the organization has no such subscription
   */
  cancelAll(order: {
    readonly organization: string;
    readonly subscriptionId: string;
    readonly from?: number | undefined;
    readonly until?: number | undefined;
  }): Promise<{ readonly canceled: number }>;
}

const CANCELED = "Canceled by an operator.";
const STOP_WITHIN_MS = 10_000;
const PRUNED_AT_ONCE = 1_000;
const CANCELED_AT_ONCE = 500;

/**
 * Creates a bus. It does nothing by itself until `start` or `drain`.
 *
 * @throws PosthornError `invalid_options`, naming the option and what it may be
 */
export function createEventBus<C extends Catalog, const H extends Handler, Tx = never>(
  options: EventBusOptions<C, H, Tx>,
): EventBus<C, H, Tx> {
  const resolved = resolveOptions(options);
  const { catalog, storage } = options;
  const system = options.system ?? nodeSystem();
  const logger = isolated(options.logger ?? silentLogger);
  const transport = options.transport ?? inProcessTransport();
  const ring = keyring(options.encryptionKeys ?? [], system);
  const clock = storageClock(storage, system);
  const lifecycle = createLifecycle(logger);
  const listeners = createListeners(logger);
  const stopping = new AbortController();
  const giveUp = new AbortController();
  const { handlers, timeoutOf, retryOf } = resolved;
  const abilities = { handlerTypes: [...handlers.keys()], keyIds: ring.ids };

  const dispatcher = createDispatcher({
    storage,
    system,
    clock,
    lifecycle,
    logger,
    abilities,
    perCall: resolved.perCall,
    stopping,
    giveUp,
    concurrency: resolved.concurrency,
    perOrganization: resolved.perOrganization,
    leaseMs: resolved.leaseMs,
    pollMs: resolved.pollMs,
    housekeeping: resolved,
    deliver: createDeliver({ handlers, keyring: ring, clock, system, logger, timeoutOf }),
    settle: createSettle({
      storage,
      handlers,
      clock,
      system,
      lifecycle,
      logger,
      retryOf,
      autoDisable: resolved.autoDisable,
      giveUp: giveUp.signal,
      onAppended: () => wake(),
    }),
    lapses: createLapses({ handlers, lifecycle, retryOf, newId: system.id }),
    onRouted: (event) => {
      listeners.announce(event);
      transport.broadcast(event);
    },
  });

  const wake = (): void => {
    dispatcher.wake();
    transport.wake();
  };

  const publisher = createPublisher({
    catalog,
    storage,
    system,
    clock,
    onCommitted: (event) => {
      const { id, type, organization } = event;
      lifecycle.emit("event.published", { id, type, organization });
      listeners.announce(event);
      transport.broadcast(event);
      wake();
    },
    onPending: ({ id, type, organization }) => {
      lifecycle.emit("event.published", { id, type, organization });
      dispatcher.expectCommit();
    },
  });

  const { reseal, ...subscriptions } = createSubscriptions<C, H, Tx>({
    catalog,
    handlers,
    storage,
    keyring: ring,
    clock,
    system,
    lifecycle,
    logger,
    onSent: wake,
  });

  const replays = createReplays({
    storage,
    clock,
    system,
    onBegun: () => dispatcher.expectReplay(),
  });

  const unlisten = transport.listen({
    wake: () => dispatcher.wake(),
    event: (event) => listeners.announce(event),
  });

  async function delivery(reference: Reference): Promise<Delivery> {
    const found = await storage.history.delivery(reference);
    if (found === null) throw notFound("delivery", reference.id);
    return found;
  }

  return {
    ...publisher,
    catalog,
    handlers: options.handlers,
    subscriptions,
    lifecycle,
    on: (pattern, listener) => {
      const problem = patternProblem(String(pattern), Object.keys(catalog));
      if (problem !== null) throw new PosthornError("unknown_event_type", problem);
      return listeners.on(pattern, listener as (event: Event) => unknown);
    },

    events: {
      get: async (reference) => {
        const event = await storage.history.event(reference);
        if (event === null) throw notFound("event", reference.id);
        return parseEvent(event);
      },
      list: async ({ organization, type, ...page }) =>
        toPage(
          await storage.history.events({ ...pageRequest(organization, page), type }),
          parseEvent,
        ),
      prune: async ({ organization, before: given }) => {
        const problem = organizationProblem(organization);
        if (problem !== null) {
          throw new PosthornError(
            "invalid_options",
            `events.prune: organization ${problem}. Name the one whose events are to be forgotten.`,
          );
        }
        const before = given ?? (await clock.told());
        for (let pruned = 0; ; ) {
          const step = await storage.prune({ organization, before, max: PRUNED_AT_ONCE });
          pruned += step;
          if (step === 0) return { pruned };
        }
      },
    },

    deliveries: {
      get: async (reference) => {
        const [found, attempts] = await Promise.all([
          delivery(reference),
          storage.history.attempts(reference),
        ]);
        return { ...found, attemptLog: attempts.map(({ token: _token, ...shown }) => shown) };
      },
      list: async ({ organization, subscriptionId, eventId, status, ...page }) =>
        toPage(
          await storage.history.deliveries({
            ...pageRequest(organization, page),
            subscriptionId,
            eventId,
            status,
          }),
          (found) => found,
        ),
      redeliver: async ({ organization, id }) => {
        const newId = system.id();
        const now = await clock.told();
        const result = await storage.redeliver({ organization, id, newId, now });
        switch (result) {
          case "not_found":
            throw notFound("delivery", id);
          case "pending":
            throw new PosthornError(
              "delivery_pending",
              `Delivery ${id} has not ended yet: it will be tried anyway. Cancel it first to repeat it now.`,
            );
          case "subscription_deleted":
            throw new PosthornError(
              "subscription_deleted",
              `The subscription of delivery ${id} was deleted: there is nowhere to deliver to.`,
            );
          case "created":
            wake();
            return delivery({ organization, id: newId });
        }
      },
      cancel: async ({ organization, id }) => {
        const reason = CANCELED;
        const now = await clock.told();
        const result = await storage.cancel({ organization, deliveryId: id, reason, now });
        if (result === "not_found") throw notFound("delivery", id);
        const found = await delivery({ organization, id });
        if (result === "not_pending") {
          throw new PosthornError(
            "delivery_not_pending",
            `Delivery ${id} has already ended (${found.status}): there is nothing to cancel.`,
          );
        }
        lifecycle.emit("delivery.canceled", { delivery: found, attempt: null });
        return found;
      },
      cancelAll: async ({ organization, subscriptionId, from = 0, until }) => {
        await subscriptions.get({ organization, id: subscriptionId });
        const now = await clock.told();
        const order = { organization, subscriptionId, from, until: until ?? now + 1, now };
        for (let canceled = 0; ; ) {
          const reason = CANCELED;
          const step = await storage.cancelAll({ ...order, reason, max: CANCELED_AT_ONCE });
          canceled += step;
          if (step < CANCELED_AT_ONCE) return { canceled };
        }
      },
    },

    replays,

    start: () => dispatcher.start(),
    drain: () => dispatcher.drain(),
    stop: async ({ deadlineMs = STOP_WITHIN_MS } = {}) => {
      await dispatcher.stop(deadlineMs);
      unlisten();
    },
    wake,
    health: async () =>
      checkHealth(storage, abilities, await clock.told(), {
        dispatcher: dispatcher.state,
        inFlight: dispatcher.inFlight,
      }),
    reseal,
  };
}
