import { type Catalog, operationalEventTypes } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import {
  changeConfiguration,
  maskConfiguration,
  openConfiguration,
  openPrevious,
  type PlainConfiguration,
  type PreviousSecret,
  parseConfiguration,
  refuseUnsealable,
  sealConfiguration,
} from "./configuration.ts";
import type { Delivery } from "./delivery.ts";
import { type Issue, issuesError, PosthornError } from "./errors.ts";
import type { Json } from "./event.ts";
import { limitOf } from "./gate.ts";
import type { Handler, Verification } from "./handler.ts";
import { IDEMPOTENCY_KEY_RULE, isIdempotencyKey } from "./idempotency.ts";
import { notJson } from "./json.ts";
import type { LaneDefinition } from "./lane.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { DELIVERY_ORDERS } from "./order.ts";
import { organizationProblem } from "./organization.ts";
import { type Page, type PageOptions, pageRequest, toPage } from "./page.ts";
import { patternProblem } from "./pattern.ts";
import { describe } from "./redact.ts";
import { type Keyring, sealedWith } from "./secrets.ts";
import type { Reference, Storage } from "./storage.ts";
import type {
  RotatedSubscription,
  Subscription,
  SubscriptionChanges,
  SubscriptionInput,
  SubscriptionRecord,
  SubscriptionWithSecret,
} from "./subscription.ts";
import { closest, listed, quoted } from "./suggest.ts";
import type { System } from "./system.ts";

/** An organization's subscriptions. A foreign organization's do not exist for it. */
export interface Subscriptions<C extends Catalog, H extends Handler, Tx = never> {
  /**
   * Adds a subscription, after asking its handler to verify it. With `tx` nothing is asked: no
   * request is made inside a host's transaction, and its status stays `unverified`. A secret that
   * its handler generates is answered this once; creating the same again does not show it again.
   *
   * @throws PosthornError `invalid_subscription`, `unknown_event_type`, `unknown_handler_type`,
   * `invalid_configuration`, `handler_refused`, `missing_encryption_key`, `idempotency_conflict`.
   * Nothing is written then.
   */
  create(
    input: SubscriptionInput<C, H>,
    options?: WriteOptions<Tx> & {
      /**
       * Unique in the organization, 1 to 255 printable ASCII characters: creating the same again
       * answers the first subscription, creating another throws `idempotency_conflict`.
       */
      readonly idempotencyKey?: string | undefined;
    },
  ): Promise<SubscriptionWithSecret>;

  /** @throws PosthornError `not_found` */
  get(reference: Reference): Promise<Subscription>;

  /** Newest first. @throws PosthornError `invalid_page` */
  list(options: { readonly organization: string } & PageOptions): Promise<Page<Subscription>>;

  /**
   * Changes what is given; the result is checked as a whole. Switching it on again clears
   * `disabledReason`, and what was kept meanwhile is delivered.
   *
   * @throws PosthornError as `create`; also `not_found`, and `conflict` if it changes faster than
   * this update can be applied.
   */
  update(
    reference: Reference,
    changes: SubscriptionChanges<C, H>,
    options?: WriteOptions<Tx>,
  ): Promise<Subscription>;

  /**
   * Gives it a new secret in place of the one that its handler generated, and answers it this once.
   * The one before stays live for `overlapMs`: destinations may know either. At most three are live.
   *
   * @throws PosthornError `not_found`, `nothing_to_rotate`, `too_many_secrets`,
   * `invalid_subscription`, `conflict`
   */
  rotateSecret(
    reference: Reference,
    options?: WriteOptions<Tx> & {
      /** Default 24 hours; 0 to 7 days. */
      readonly overlapMs?: number | undefined;
    },
  ): Promise<RotatedSubscription>;

  /** Ends all secrets but the newest, now. @throws PosthornError `not_found`, `conflict` */
  revokePreviousSecrets(reference: Reference, options?: WriteOptions<Tx>): Promise<Subscription>;

  /** Ends it: what is pending is canceled, its history stays. @throws PosthornError `not_found` */
  delete(reference: Reference, options?: WriteOptions<Tx>): Promise<void>;

  /**
   * Delivers an event of the reserved type `webhook_test` to it, whatever its event types, and
   * answers the delivery, which is on its way. @throws PosthornError `not_found`
   */
  test(reference: Reference): Promise<Delivery>;
}

export interface WriteOptions<Tx> {
  /** The host's open transaction. */
  readonly tx?: Tx | undefined;
}

const LONGEST_NAME = 256;
const MOST_EVENT_TYPES = 100;
const VERIFY_WITHIN_MS = 10_000;
const UPDATE_TRIES = 5;
const OVERLAP_MS = 24 * 3_600_000;
const LONGEST_OVERLAP_MS = 7 * OVERLAP_MS;
const MOST_LIVE_SECRETS = 3;

export function createSubscriptions<C extends Catalog, H extends Handler, Tx>(options: {
  readonly catalog: C;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly storage: Storage<Tx>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly system: System;
  readonly lifecycle: LifecycleEmitter;
  readonly logger: Logger;
  onSent(): void;
}): Subscriptions<C, H, Tx> & { reseal(): Promise<{ readonly resealed: number }> } {
  const { catalog, handlers, storage, keyring, clock, system, lifecycle, logger } = options;
  const names = Object.keys(catalog);

  function handlerOf(type: unknown): Handler {
    const handler = typeof type === "string" ? handlers.get(type) : undefined;
    if (handler !== undefined) return handler;
    const known = [...handlers.keys()];
    const suggestion = typeof type === "string" ? closest(type, known) : null;
    const message = `Unknown type ${typeof type === "string" ? quoted(type) : typeof type === "number" ? type : typeof type}. ${suggestion === null ? "" : `Did you mean "${suggestion}"? `}Known: ${known.join(", ") || "none"}.`;
    throw new PosthornError("unknown_handler_type", message, {
      issues: [{ path: ["type"], message, code: "unknown_handler_type" }],
    });
  }

  async function load({ organization, id }: Reference, tx?: Tx): Promise<SubscriptionRecord> {
    const record = await storage.subscriptions.get({ organization, id }, tx);
    if (record === null) throw notFound("subscription", id);
    return record;
  }

  /** What is stored of a configuration that its handler accepts, and the lane it makes. */
  async function prepare(
    handler: Handler,
    plain: PlainConfiguration,
    subscription: Pick<Subscription, "id" | "organization" | "order" | "enabled">,
    previous: readonly PreviousSecret[] = [],
  ): Promise<{
    readonly parsed: unknown;
    readonly stored: Pick<SubscriptionRecord, "configuration" | "secrets">;
    readonly lane: LaneDefinition;
  }> {
    const { id: subscriptionId, organization } = subscription;
    const parsed = await parseConfiguration(handler, plain);
    refuseUnsealable(handler, plain);
    const place = { organization, subscriptionId };
    const stored = sealConfiguration(handler, plain, place, keyring, previous);
    const lane = laneOf(handler, parsed, subscription, stored.secrets);
    return { parsed, stored, lane };
  }

  function laneOf(
    handler: Handler,
    parsed: unknown,
    { organization, order, enabled }: Pick<Subscription, "organization" | "order" | "enabled">,
    secrets: SubscriptionRecord["secrets"],
  ): LaneDefinition {
    const gates = (handler.gates?.(parsed) ?? []).map((gate) => ({
      id: keyring.gateId(organization, handler.type, gate),
      name: gate.name,
      limit: limitOf(gate, handler.type),
    }));
    const [sealed] = Object.values(secrets);
    return {
      gates,
      order,
      parked: !enabled,
      keyId: sealed === undefined ? null : sealedWith(sealed),
      gateKeyId: gates.length === 0 ? null : keyring.sealingId,
    };
  }

  /** @throws PosthornError `handler_refused` */
  async function verify(
    handler: Handler,
    parsed: unknown,
    { organization, skip }: { readonly organization: string; readonly skip: boolean },
  ): Promise<Pick<Subscription, "status" | "statusDetail" | "statusCheckedAt">> {
    const unverified = (
      statusDetail: string | null,
    ): Pick<Subscription, "status" | "statusDetail" | "statusCheckedAt"> => ({
      status: "unverified",
      statusDetail,
      statusCheckedAt: null,
    });
    if (handler.verify === undefined || skip) return unverified(null);
    const verification = await askToVerify(handler, parsed, organization);
    switch (verification?.status) {
      case "refused":
        throw issuesError(
          "handler_refused",
          `Type "${handler.type}" refused the configuration`,
          verification.issues.map(({ key, message }) => ({
            path: ["configuration", key],
            message,
            code: "invalid",
          })),
        );
      case "ok":
        return { status: "ok", statusDetail: null, statusCheckedAt: clock.now() };
      case "warning":
        return {
          status: "warning",
          statusDetail: verification.detail,
          statusCheckedAt: clock.now(),
        };
      default:
        return unverified(verification?.detail ?? null);
    }
  }

  /** Null if the handler failed or took too long: trouble on the way never blocks saving. */
  async function askToVerify(
    handler: Handler,
    parsed: unknown,
    organization: string,
  ): Promise<Verification | null> {
    const deadline = new AbortController();
    const answered = new AbortController();
    const verification = (async () =>
      handler.verify?.(parsed, { organization, signal: deadline.signal, logger }) ?? null)().catch(
      (error: unknown) => {
        logger.warn({ type: handler.type, error: describe(error) }, "A handler's verify failed.");
        return null;
      },
    );
    const timeout = system.sleep(VERIFY_WITHIN_MS, answered.signal).then(() => {
      deadline.abort();
      return null;
    });
    const first = await Promise.race([verification, timeout]);
    answered.abort();
    return first;
  }

  return {
    create: async (input, { tx, idempotencyKey } = {}) => {
      const { organization, name, eventTypes, type, configuration } = input;
      const { order = "none", enabled = true } = input;
      const handler = handlerOf(type);
      refuse([
        ...organizationIssues(organization),
        ...nameIssues(name),
        ...eventTypesIssues(eventTypes, names),
        ...orderIssues(order),
        ...enabledIssues(enabled),
        ...configurationIssues(configuration),
        ...idempotencyKeyIssues(idempotencyKey),
      ]);
      const plain = withoutUndefined(configuration as PlainConfiguration);
      const id = system.id();
      const draft = { id, organization, order, enabled };
      const { generates } = handler;
      const made =
        generates === undefined || Object.hasOwn(plain, generates.key)
          ? null
          : generates.create(plain, system.bytes);
      const whole = made === null ? plain : { ...plain, [String(generates?.key)]: made };
      const { parsed, stored, lane } = await prepare(handler, whole, draft);
      const fingerprints = keyring.fingerprints([
        name,
        [...eventTypes],
        type,
        inOrder(plain),
        order,
        enabled,
      ]);
      const now = clock.now();
      const record: SubscriptionRecord = {
        id,
        organization,
        name,
        eventTypes: [...eventTypes],
        type,
        ...stored,
        order,
        enabled,
        disabledReason: null,
        ...(await verify(handler, parsed, { organization, skip: tx !== undefined })),
        state: null,
        failing: null,
        version: 1,
        idempotencyKey: idempotencyKey ?? null,
        fingerprint: idempotencyKey === undefined ? null : (fingerprints[0] ?? null),
        createdAt: now,
        updatedAt: now,
      };
      const earlier = await storage.subscriptions.create(record, lane, tx);
      if (earlier !== null) {
        if (fingerprints.includes(earlier.fingerprint ?? "")) return shown(earlier);
        throw new PosthornError(
          "idempotency_conflict",
          `The idempotency key ${JSON.stringify(idempotencyKey)} belongs to subscription ${earlier.id}, which was created from other input. Use a new key for a new subscription.`,
        );
      }
      const subscription = shown(record);
      lifecycle.emit("subscription.created", { subscription });
      return made === null
        ? subscription
        : { ...subscription, generatedSecret: shownSecret(generates, made) };
    },

    get: async (reference) => shown(await load(reference)),

    list: async ({ organization, ...page }) =>
      toPage(await storage.subscriptions.list(pageRequest(organization, page)), shown),

    update: async (reference, changes, { tx } = {}) => {
      for (let tries = 0; tries < UPDATE_TRIES; tries += 1) {
        const current = await load(reference, tx);
        const handler = handlerOf(current.type);
        const { name = current.name, enabled = current.enabled } = changes;
        const { eventTypes = current.eventTypes, order = current.order } = changes;
        refuse([
          ...nameIssues(name),
          ...(changes.eventTypes === undefined ? [] : eventTypesIssues(eventTypes, names)),
          ...orderIssues(order),
          ...enabledIssues(enabled),
          ...(changes.configuration === undefined
            ? []
            : configurationIssues(changes.configuration)),
        ]);
        const opened = openConfiguration(current, keyring);
        const plain =
          changes.configuration === undefined
            ? opened
            : changeConfiguration(
                handler,
                opened,
                changes.configuration as PlainConfiguration,
                changes.replaceConfiguration ?? false,
              );
        const reconfigured = JSON.stringify(plain) !== JSON.stringify(opened);
        const next = { id: current.id, organization: current.organization, order, enabled };
        const previous = openPrevious(current, keyring, clock.now());
        const { parsed, stored, lane } = await prepare(handler, plain, next, previous);
        const reEnabled = enabled && !current.enabled;
        const isAsBefore = !reconfigured && enabled === current.enabled;
        const record: SubscriptionRecord = {
          ...current,
          name,
          eventTypes: [...eventTypes],
          order,
          enabled,
          disabledReason: enabled ? null : current.disabledReason,
          ...(reconfigured
            ? {
                ...stored,
                state: null,
                ...(await verify(handler, parsed, {
                  organization: current.organization,
                  skip: tx !== undefined,
                })),
              }
            : reEnabled
              ? { status: "unverified", statusDetail: null, statusCheckedAt: null }
              : {}),
          failing: isAsBefore ? current.failing : null,
          version: current.version + 1,
          updatedAt: clock.now(),
        };
        const kept = reconfigured ? lane : laneOf(handler, parsed, next, current.secrets);
        if (await storage.subscriptions.update(record, kept, tx)) {
          const subscription = shown(record);
          lifecycle.emit("subscription.updated", { subscription });
          if (reEnabled) options.onSent();
          return subscription;
        }
      }
      throw contended(reference);
    },

    rotateSecret: async (reference, { tx, overlapMs = OVERLAP_MS } = {}) => {
      refuse(overlapIssues(overlapMs));
      // In the host's transaction, to wait for a second connection could be to wait for ever.
      if (tx === undefined) await clock.refresh();
      const { subscription, secret, liveUntil } = await rekey(reference, tx, (current, handler) => {
        const { generates } = handler;
        if (generates === undefined) {
          throw new PosthornError(
            "nothing_to_rotate",
            `Subscription ${reference.id} is of type "${handler.type}", which generates no secret. Update its configuration instead.`,
          );
        }
        const now = clock.now();
        const live = openPrevious(current, keyring, now);
        if (live.length >= MOST_LIVE_SECRETS - 1) {
          throw new PosthornError(
            "too_many_secrets",
            `Subscription ${reference.id} has ${MOST_LIVE_SECRETS} live secrets, the most there may be. Revoke the previous ones, or wait until one has ended.`,
          );
        }
        const plain = openConfiguration(current, keyring);
        const liveUntil = unused(now + overlapMs, live);
        const replaced = { secret: String(plain[generates.key]), liveUntil };
        const made = generates.create(plain, system.bytes);
        return {
          plain: { ...plain, [generates.key]: made },
          previous: overlapMs === 0 ? live : [replaced, ...live],
          answer: { secret: shownSecret(generates, made), liveUntil },
        };
      });
      return { ...subscription, generatedSecret: secret, previousLiveUntil: liveUntil };
    },

    revokePreviousSecrets: async (reference, { tx } = {}) => {
      const { subscription } = await rekey(reference, tx, (current) => ({
        plain: openConfiguration(current, keyring),
        previous: [],
        answer: {},
      }));
      return subscription;
    },

    delete: async ({ organization, id }, { tx } = {}) => {
      const deleted = await storage.subscriptions.delete({ organization, id }, clock.now(), tx);
      if (!deleted) throw notFound("subscription", id);
      lifecycle.emit("subscription.deleted", { organization, id });
    },

    test: async (reference) => {
      const { id: subscriptionId, organization, type, name } = await load(reference);
      const now = await clock.told();
      const eventId = system.id();
      const delivery = {
        id: system.id(),
        organization,
        eventId,
        eventType: "webhook_test",
        subscriptionId,
        handlerType: type,
        createdAt: now,
      };
      const event = {
        id: eventId,
        type: "webhook_test",
        organization,
        occurredAt: now,
        publishedAt: now,
        actor: null,
        trace: null,
        payload: JSON.stringify({ webhook_id: subscriptionId, webhook_name: name }),
        orderingKey: null,
      };
      if (!(await storage.send(event, delivery))) throw notFound("subscription", subscriptionId);
      options.onSent();
      const sent = await storage.history.delivery({ organization, id: delivery.id });
      if (sent === null) throw notFound("delivery", delivery.id);
      return sent;
    },

    reseal: async () => {
      const keyId = keyring.sealingId;
      if (keyId === null) return { resealed: 0 };
      let resealed = 0;
      let after: string | null = null;
      for (;;) {
        const batch: readonly SubscriptionRecord[] = await storage.subscriptions.sealedOtherwise({
          keyId,
          after,
          limit: 100,
        });
        for (const record of batch) resealed += (await resealOne(record)) ? 1 : 0;
        const last = batch.at(-1);
        if (last === undefined) return { resealed };
        after = last.id;
      }
    },
  };

  /** Stores other secrets for a subscription, which stays as it is otherwise. */
  async function rekey<Answer extends object>(
    reference: Reference,
    tx: Tx | undefined,
    secretsOf: (
      current: SubscriptionRecord,
      handler: Handler,
    ) => {
      readonly plain: PlainConfiguration;
      readonly previous: readonly PreviousSecret[];
      readonly answer: Answer;
    },
  ): Promise<Answer & { readonly subscription: Subscription }> {
    for (let tries = 0; tries < UPDATE_TRIES; tries += 1) {
      const current = await load(reference, tx);
      const handler = handlerOf(current.type);
      const { plain, previous, answer } = secretsOf(current, handler);
      const { stored, lane } = await prepare(handler, plain, current, previous);
      const { version } = current;
      const record = { ...current, ...stored, version: version + 1, updatedAt: clock.now() };
      if (await storage.subscriptions.update(record, lane, tx)) {
        const subscription = shown(record);
        lifecycle.emit("subscription.updated", { subscription });
        return { ...answer, subscription };
      }
    }
    throw contended(reference);
  }

  /** Seals a subscription's secrets anew; false if it was changed meanwhile, and so sealed anyway. */
  async function resealOne(record: SubscriptionRecord): Promise<boolean> {
    const handler = handlerOf(record.type);
    const previous = openPrevious(record, keyring, clock.now());
    const plain = openConfiguration(record, keyring);
    const { stored, lane } = await prepare(handler, plain, record, previous);
    return storage.subscriptions.update(
      { ...record, ...stored, version: record.version + 1 },
      lane,
    );
  }
}

/** A record as the outside may see it. */
function shown(record: SubscriptionRecord): Subscription {
  return {
    id: record.id,
    organization: record.organization,
    name: record.name,
    eventTypes: record.eventTypes,
    type: record.type,
    configuration: maskConfiguration(record),
    order: record.order,
    enabled: record.enabled,
    disabledReason: record.disabledReason,
    status: record.status,
    statusDetail: record.statusDetail,
    statusCheckedAt: record.statusCheckedAt,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  };
}

const shownSecret = (generates: Handler["generates"], secret: string): string =>
  generates?.shown?.(secret) ?? secret;

/** Each previous secret has an instant of its own, by which it is stored. */
const unused = (liveUntil: number, live: readonly PreviousSecret[]): number =>
  live.some((previous) => previous.liveUntil === liveUntil)
    ? unused(liveUntil + 1, live)
    : liveUntil;

const contended = ({ id }: Reference): PosthornError =>
  new PosthornError("conflict", `Subscription ${id} is being changed by others. Try again.`);

export const notFound = (
  what: "subscription" | "event" | "delivery" | "replay",
  id: string,
): PosthornError =>
  new PosthornError(
    "not_found",
    `There is no ${what} ${JSON.stringify(id)} in this organization. Check the id and the organization.`,
  );

function refuse(issues: readonly Issue[]): void {
  if (issues.length === 0) return;
  const unknown = issues.every(({ code }) => code === "unknown_event_type");
  throw issuesError(
    unknown ? "unknown_event_type" : "invalid_subscription",
    "Invalid subscription",
    issues,
  );
}

const issue = (path: Issue["path"], message: string, code: Issue["code"] = "invalid"): Issue => ({
  path,
  message,
  code,
});

function organizationIssues(organization: unknown): readonly Issue[] {
  const problem = organizationProblem(organization);
  return problem === null ? [] : [issue(["organization"], problem)];
}

function nameIssues(name: unknown): readonly Issue[] {
  const at = (message: string): readonly Issue[] => [issue(["name"], message)];
  if (typeof name !== "string") return at("must be a string");
  if (name.trim() === "") return [issue(["name"], "must not be empty", "empty")];
  if (name.length > LONGEST_NAME) return at(`must have at most ${LONGEST_NAME} characters`);
  if (!name.isWellFormed() || /\p{Cc}/u.test(name)) {
    return at("must not contain control characters or lone surrogates");
  }
  return [];
}

function eventTypesIssues(given: unknown, names: readonly string[]): readonly Issue[] {
  const path = ["eventTypes"];
  if (!Array.isArray(given)) return [issue(path, "must be an array of event types")];
  if (given.length === 0) {
    return [issue(path, `must name at least one event type; known: ${listed(names)}, *`, "empty")];
  }
  if (given.length > MOST_EVENT_TYPES) {
    return [issue(path, `must have at most ${MOST_EVENT_TYPES} entries`, "too_large")];
  }
  return given.flatMap((pattern: unknown, index): readonly Issue[] => {
    const at = [...path, index];
    if (typeof pattern !== "string") return [issue(at, "must be a string")];
    if (given.indexOf(pattern) < index) {
      return [issue(at, `${quoted(pattern)} is given twice`, "duplicate")];
    }
    const problem = patternProblem(pattern, names, { alone: operationalEventTypes });
    return problem === null ? [] : [issue(at, problem, "unknown_event_type")];
  });
}

const enabledIssues = (enabled: unknown): readonly Issue[] =>
  typeof enabled === "boolean" ? [] : [issue(["enabled"], "must be true or false")];

const overlapIssues = (overlapMs: unknown): readonly Issue[] =>
  Number.isInteger(overlapMs) && Number(overlapMs) >= 0 && Number(overlapMs) <= LONGEST_OVERLAP_MS
    ? []
    : [issue(["overlapMs"], `must be a whole number from 0 to ${LONGEST_OVERLAP_MS}`)];

const orderIssues = (order: unknown): readonly Issue[] =>
  DELIVERY_ORDERS.some((known) => known === order)
    ? []
    : [issue(["order"], `must be one of ${DELIVERY_ORDERS.join(", ")}`)];

/** The same for equal configurations, whatever the order of their keys. */
const inOrder = (configuration: PlainConfiguration): Json =>
  Object.entries(configuration).toSorted(([a], [b]) => (a < b ? -1 : 1));

const withoutUndefined = (configuration: PlainConfiguration): PlainConfiguration =>
  Object.fromEntries(Object.entries(configuration).filter(([, value]) => value !== undefined));

const idempotencyKeyIssues = (key: string | undefined): readonly Issue[] =>
  key === undefined || isIdempotencyKey(key)
    ? []
    : [issue(["idempotencyKey"], IDEMPOTENCY_KEY_RULE)];

function configurationIssues(configuration: unknown): readonly Issue[] {
  if (typeof configuration !== "object" || configuration === null || Array.isArray(configuration)) {
    return [issue(["configuration"], "must be an object")];
  }
  const found = notJson(configuration, ["configuration"]);
  return found === null ? [] : [found];
}
