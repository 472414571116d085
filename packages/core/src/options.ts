import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Catalog, type EventType, requireNames } from "./catalog.ts";
import { ABORT_GRACE_MS } from "./deliver.ts";
import { PosthornError } from "./errors.ts";
import { type AutoDisable, standardAutoDisable } from "./failing.ts";
import type { Handler } from "./handler.ts";
import type { Logger } from "./logger.ts";
import { type RetryPolicy, standardRetry } from "./retry.ts";
import type { EncryptionKey } from "./secrets.ts";
import type { Storage } from "./storage.ts";
import { closest, listed, quoted } from "./suggest.ts";
import type { System } from "./system.ts";
import type { Transport } from "./transport.ts";

export interface EventBusOptions<C extends Catalog, H extends Handler, Tx = never> {
  readonly catalog: C;
  /** The durable truth. The bus does not close it: who opens it closes it. */
  readonly storage: Storage<Tx>;
  readonly handlers: readonly H[];
  /** Connects processes. Default: nothing beyond this bus. The bus does not close it. */
  readonly transport?: Transport | undefined;
  /** Seal subscriptions' secrets: the first seals, all open. Required to store any secret. */
  readonly encryptionKeys?: readonly EncryptionKey[] | undefined;
  /** Of pino's shape. Default: silent. */
  readonly logger?: Logger | undefined;
  /**
   * How many deliveries are under way in this process at most, 1 to 10,000; those that go in one
   * call count as one. Where they end fast, up to as many again are claimed ahead, and wait for their
   * turn in the process for some milliseconds. Default 50.
   */
  readonly concurrency?: number | undefined;
  /**
   * How many of these may be of one organization, 1 to `concurrency`. Default: four fifths of them,
   * so that one whose destinations answer slowly leaves room for others. Where there is one
   * organization only, give as many as `concurrency`.
   */
  readonly perOrganization?: number | undefined;
  /** How long one delivery may take, for handlers that do not say. Milliseconds, default 15,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /**
   * How long a delivery belongs to a process that went silent. Milliseconds, at least 5,500 longer
   * than every handler's timeout. Default 60,000, or twice the longest timeout if that is more.
   */
  readonly leaseMs?: number | undefined;
  /** How long the dispatcher sleeps at most. Milliseconds, 10 to 86,400,000. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** When to try again, for handlers that do not say. Default: {@link standardRetry}. */
  readonly retry?: RetryPolicy | undefined;
  /**
   * The host's own word on that, by the type of subscriptions, over what handlers say. What is left
   * out of a policy stays as the handler has it, or else the bus.
   */
  readonly retryByType?:
    | { readonly [Type in H["type"]]?: Partial<RetryPolicy> | undefined }
    | undefined;
  /**
   * How long events, with deliveries and attempts that have ended, are kept. Milliseconds,
   * default 30 days; at least as long as the longest `maxAgeMs` of a retry policy.
   */
  readonly retentionMs?: number | undefined;
  /**
   * When a subscription to which nothing arrives is switched off; false for never. Default:
   * {@link standardAutoDisable}, 100 failures in a row over at least 5 days.
   */
  readonly autoDisable?: AutoDisable | false | undefined;
  /** Time, chance and ids. For tests and simulations. Default: the real ones. */
  readonly system?: System | undefined;
}

/** The options with every default in place, checked. */
export interface ResolvedOptions {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly concurrency: number;
  readonly perOrganization: number;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly retentionMs: number;
  /** The longest that any delivery may wait. */
  readonly maxAgeMs: number;
  /** How many deliveries a call may take, by the types of handlers that have `batch`. */
  readonly perCall: ReadonlyMap<string, number>;
  readonly autoDisable: AutoDisable | false;
  timeoutOf(handler: Handler): number;
  retryOf(handler: Handler | undefined): RetryPolicy;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Half of the longest lease, so that every timeout has a lease that fits. */
const LONGEST_TIMEOUT_MS = DAY_MS / 2 - 10_000;
const LEASE_MARGIN_MS = 5_000;
/** A claim holds the events of all its calls in memory. */
const MOST_IN_A_CALL = 100;
const optionNames: { readonly [Name in keyof EventBusOptions<Catalog, Handler>]-?: true } = {
  catalog: true,
  storage: true,
  handlers: true,
  transport: true,
  encryptionKeys: true,
  logger: true,
  concurrency: true,
  perOrganization: true,
  handlerTimeoutMs: true,
  leaseMs: true,
  pollMs: true,
  retry: true,
  retryByType: true,
  retentionMs: true,
  autoDisable: true,
  system: true,
};

const storageMethods = [
  "append",
  "route",
  "claim",
  "settle",
  "release",
  "send",
  "redeliver",
  "cancel",
  "cancelAll",
  "sweep",
  "prune",
  "beat",
  "backlog",
  "close",
] as const;

const subscriptionMethods = [
  "create",
  "get",
  "list",
  "update",
  "delete",
  "report",
  "sealedOtherwise",
] as const;
const replayMethods = ["create", "get", "list", "cancel", "step"] as const;
const historyMethods = ["event", "events", "delivery", "deliveries", "attempts"] as const;

/** @throws PosthornError `invalid_options`, naming the option, its value and what it may be. */
export function resolveOptions<C extends Catalog, H extends Handler, Tx>(
  options: EventBusOptions<C, H, Tx>,
): ResolvedOptions {
  checkNames(options);
  checkCatalog(options.catalog);
  checkStorage(options.storage);
  checkTransport(options.transport);
  const handlers = checkHandlers(options.handlers);

  const concurrency = integer("concurrency", options.concurrency ?? 50, 1, 10_000);
  const perOrganization = integer(
    "perOrganization",
    options.perOrganization ?? Math.ceil((4 * concurrency) / 5),
    1,
    concurrency,
  );
  const pollMs = integer("pollMs", options.pollMs ?? 1_000, 10, DAY_MS);
  const timeoutMs = integer(
    "handlerTimeoutMs",
    options.handlerTimeoutMs ?? 15_000,
    10,
    LONGEST_TIMEOUT_MS,
  );
  const retry = checkRetry("retry", options.retry ?? standardRetry);
  const timeoutOf = (handler: Handler): number => handler.timeoutMs ?? timeoutMs;
  const policies = resolveRetries(handlers, retry, options.retryByType ?? {});
  const retryOf = (handler: Handler | undefined): RetryPolicy =>
    policies.get(handler?.type ?? "") ?? retry;

  const timeouts = [...handlers.values()].map(timeoutOf);
  const longestTimeout = Math.max(...(timeouts.length === 0 ? [timeoutMs] : timeouts));
  const leaseMs = integer(
    "leaseMs",
    options.leaseMs ?? Math.max(60_000, 2 * longestTimeout),
    1,
    DAY_MS,
  );
  if (leaseMs < longestTimeout + LEASE_MARGIN_MS + ABORT_GRACE_MS) {
    throw invalid(
      `leaseMs is ${leaseMs}, too short for a handler that may take ${longestTimeout} ms: another process would deliver the same event meanwhile. Make it at least ${longestTimeout + LEASE_MARGIN_MS + ABORT_GRACE_MS}, or the handler's timeout shorter.`,
    );
  }
  const maxAgeMs = Math.max(
    retry.maxAgeMs,
    ...[...handlers.values()].map((h) => retryOf(h).maxAgeMs),
  );
  const retentionMs = integer("retentionMs", options.retentionMs ?? 30 * DAY_MS, 1, 3_650 * DAY_MS);
  if (retentionMs < maxAgeMs) {
    throw invalid(
      `retentionMs is ${retentionMs}, shorter than the ${maxAgeMs} ms for which a delivery may be retried. Make it longer, or the retry policy's maxAgeMs shorter.`,
    );
  }
  return {
    handlers,
    concurrency,
    perOrganization,
    leaseMs,
    pollMs,
    retentionMs,
    maxAgeMs,
    perCall: new Map(
      [...handlers.values()].flatMap(({ type, batch }) => (batch ? [[type, batch.max]] : [])),
    ),
    autoDisable: checkAutoDisable(options.autoDisable ?? standardAutoDisable),
    timeoutOf,
    retryOf,
  };
}

/** A name that is mistyped would change nothing, and say nothing. */
function checkNames(options: object): void {
  const names = Object.keys(optionNames);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || names.includes(name)) continue;
    const suggestion = closest(name, names);
    throw invalid(
      `createEventBus has no option ${quoted(name)}. ${suggestion === null ? `Its options are ${listed(names)}.` : `Did you mean "${suggestion}"?`}`,
    );
  }
}

function checkCatalog(catalog: Catalog): void {
  if (typeof catalog !== "object" || catalog === null) {
    throw invalid("catalog is missing. Make one with defineCatalog().");
  }
  requireNames(Object.keys(catalog));
  for (const [name, type] of Object.entries<EventType | null>(catalog)) {
    const { schema, example } = type ?? {};
    if (!isSchema(schema)) {
      throw invalid(
        `catalog.${name}.schema is not a Standard Schema (https://standardschema.dev). Use one of valibot, zod, arktype, …`,
      );
    }
    if (example === undefined) continue;
    const result = schema["~standard"].validate(example);
    if (result instanceof Promise) result.catch(() => {});
    else if (result.issues !== undefined) {
      throw invalid(
        `catalog.${name}.example is not valid: ${result.issues.map(({ message }) => message).join("; ")}.`,
      );
    }
  }
}

function checkStorage(storage: Storage<never>): void {
  const lacking = [
    ...lacks(storage, storageMethods),
    ...lacks(storage?.subscriptions, subscriptionMethods).map((name) => `subscriptions.${name}`),
    ...lacks(storage?.replays, replayMethods).map((name) => `replays.${name}`),
    ...lacks(storage?.history, historyMethods).map((name) => `history.${name}`),
  ];
  if (lacking.length === 0) return;
  const isNone = lacks(storage, storageMethods).length === storageMethods.length;
  throw invalid(
    `storage is ${isNone ? unlike(storage) : `not a Storage: it lacks ${lacking.join(", ")}.`} Pass what memoryStorage(), postgresStorage() or another storage package answers.`,
  );
}

/** What has nothing of what it should be, for people; never its content. */
function unlike(given: unknown): string {
  if (given === null || given === undefined) return `${given}.`;
  if (given instanceof Promise) return "a promise. Await it first.";
  if (typeof given === "function") return "a function. Call it, and pass what it answers.";
  return typeof given === "object" ? "an object of another kind." : `a ${typeof given}.`;
}

function checkTransport(transport: Transport | undefined): void {
  if (transport === undefined) return;
  const lacking = lacks(transport, ["wake", "broadcast", "listen", "close"]);
  if (lacking.length === 0) return;
  throw invalid(
    `transport is not a Transport: it lacks ${lacking.join(", ")}. Pass what inProcessTransport() or a transport package answers, or leave it out.`,
  );
}

const lacks = (value: unknown, methods: readonly string[]): readonly string[] =>
  methods.filter((method) => typeof (value as Record<string, unknown>)?.[method] !== "function");

function checkHandlers(handlers: readonly Handler[]): ReadonlyMap<string, Handler> {
  if (!Array.isArray(handlers)) throw invalid("handlers must be an array, such as `[slack()]`.");
  const byType = new Map<string, Handler>();
  for (const [index, handler] of (handlers as readonly Handler[]).entries()) {
    if (typeof handler !== "object" || handler === null) {
      throw invalid(`handlers[${index}] is ${unlike(handler)} Pass handlers, such as \`slack()\`.`);
    }
    const { type, timeoutMs, retry, configuration, secrets, gates, batch, generates } = handler;
    if (typeof type !== "string" || !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(type)) {
      throw invalid(
        `handlers[${index}].type is ${JSON.stringify(type)}. Use lower-case words joined by "_".`,
      );
    }
    if (byType.has(type)) {
      throw invalid(`handlers[${index}] has the type "${type}", which an earlier handler has too.`);
    }
    const shapes: readonly (readonly [string, boolean, string])[] = [
      ["deliver", typeof handler.deliver === "function", "a function"],
      ["configuration", isSchema(configuration), "a Standard Schema (https://standardschema.dev)"],
      ["secrets", secrets === undefined || isKeys(secrets), "an array of keys without a colon"],
      [
        "generates",
        generates === undefined ||
          (isKeys(secrets) && secrets.includes(generates?.key) && isFunction(generates.create)),
        "`{ key, create }`, with a key of `secrets`",
      ],
      ["gates", gates === undefined || typeof gates === "function", "a function"],
      ["batch.deliver", batch === undefined || typeof batch?.deliver === "function", "a function"],
    ];
    for (const [field, isRight, rule] of shapes) {
      if (!isRight) throw invalid(`handlers[${index}].${field} of type "${type}" must be ${rule}.`);
    }
    if (timeoutMs !== undefined)
      integer(`handlers[${index}].timeoutMs`, timeoutMs, 10, LONGEST_TIMEOUT_MS);
    if (retry !== undefined) checkRetry(`handlers[${index}].retry`, retry);
    if (batch !== undefined) integer(`handlers[${index}].batch.max`, batch.max, 2, MOST_IN_A_CALL);
    byType.set(type, handler);
  }
  return byType;
}

const isFunction = (value: unknown): boolean => typeof value === "function";

const isKeys = (keys: unknown): keys is readonly string[] =>
  Array.isArray(keys) && keys.every((key) => typeof key === "string" && !key.includes(":"));

const isSchema = (schema: unknown): schema is StandardSchemaV1 =>
  typeof (schema as StandardSchemaV1 | undefined)?.["~standard"]?.validate === "function";

function checkRetry(place: string, policy: RetryPolicy): RetryPolicy {
  if (!Array.isArray(policy?.delaysMs)) {
    throw invalid(`${place}.delaysMs must be an array of milliseconds, such as [5_000, 60_000].`);
  }
  for (const [index, delay] of policy.delaysMs.entries()) {
    integer(`${place}.delaysMs[${index}]`, delay, 1, 365 * DAY_MS);
  }
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) {
    throw invalid(`${place}.jitter is ${policy.jitter}. It must be between 0 and 1.`);
  }
  integer(`${place}.maxAgeMs`, policy.maxAgeMs, 1_000, 365 * DAY_MS);
  const { unknown } = policy;
  if (unknown !== undefined && unknown !== "retry" && unknown !== "abandon") {
    throw invalid(`${place}.unknown is ${String(unknown)}. It must be "retry" or "abandon".`);
  }
  return policy;
}

/** The policy of each type: field by field the host's for it, else the handler's, else the bus's. */
function resolveRetries(
  handlers: ReadonlyMap<string, Handler>,
  retry: RetryPolicy,
  byType: { readonly [type: string]: Partial<RetryPolicy> | undefined },
): ReadonlyMap<string, RetryPolicy> {
  const given = Object.entries(byType).filter(([, policy]) => policy !== undefined);
  for (const [type, policy] of given) {
    if (!handlers.has(type)) {
      const suggestion = closest(type, [...handlers.keys()]);
      throw invalid(
        `retryByType.${type}: no handler has the type ${quoted(type)}. ${suggestion === null ? `Known: ${[...handlers.keys()].join(", ") || "none"}.` : `Did you mean "${suggestion}"?`}`,
      );
    }
    if (typeof policy !== "object" || policy === null) {
      throw invalid(`retryByType.${type} must be an object, such as { maxAgeMs: 3_600_000 }.`);
    }
  }
  const wanted = new Map(given);
  return new Map(
    [...handlers].map(([type, handler]) => [
      type,
      checkRetry(`retryByType.${type}`, {
        ...retry,
        ...withoutUndefined(handler.retry ?? {}),
        ...withoutUndefined(wanted.get(type) ?? {}),
      }),
    ]),
  );
}

const withoutUndefined = (policy: Partial<RetryPolicy>): Partial<RetryPolicy> =>
  Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));

function checkAutoDisable(limit: AutoDisable | false): AutoDisable | false {
  if (limit === false) return limit;
  integer("autoDisable.attempts", limit.attempts, 1, 1_000_000);
  integer("autoDisable.ms", limit.ms, 0, 365 * DAY_MS);
  return limit;
}

function integer(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const shown = typeof value === "string" ? quoted(value) : String(value);
  throw invalid(`${name} is ${shown}. It must be an integer from ${least} to ${most}.`);
}

const invalid = (message: string): PosthornError => new PosthornError("invalid_options", message);
