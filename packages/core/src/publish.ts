import { isDeepStrictEqual } from "node:util";
import type { Catalog, EventData, EventInput, EventName, EventType } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { type Issue, issuesError, PosthornError } from "./errors.ts";
import {
  type Actor,
  type Event,
  type NewEvent,
  parseEvent,
  type StoredEvent,
  serialise,
  type Trace,
} from "./event.ts";
import { groupCommit } from "./group-commit.ts";
import { IDEMPOTENCY_KEY_RULE, isIdempotencyKey } from "./idempotency.ts";
import { writeJson } from "./json.ts";
import { organizationProblem } from "./organization.ts";
import type { Appended, Storage } from "./storage.ts";
import { closest, listed, quoted } from "./suggest.ts";
import type { System } from "./system.ts";
import { type Validated, validate, validateSync } from "./validate.ts";

/** What belongs to an event beside its type and data. */
export interface EventOptions {
  /** Whose event it is: an opaque string of 1 to 256 characters. */
  readonly organization: string;
  /**
   * Unique in the organization, 1 to 255 characters. Publishing the same type and data with it
   * again answers the first event; other data throws `idempotency_conflict`.
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * What the event is about, 1 to 255 characters. Subscriptions that keep an order get events with
   * the same key one after the other, and others beside them. Default: the order of all without one.
   */
  readonly orderingKey?: string | undefined;
  /** When it happened: integer epoch milliseconds. Default: now. */
  readonly occurredAt?: number | undefined;
  readonly actor?: Actor | undefined;
  readonly trace?: Trace | undefined;
}

export interface PublishOptions<Tx> extends EventOptions {
  /** The host's open transaction: the event commits, or rolls back, with the host's own data. */
  readonly tx?: Tx | undefined;
}

/** An event for `publishMany`; a union over the catalog, so that `type` tells what `data` is. */
export type EventToPublish<C extends Catalog> = {
  [Name in EventName<C>]: EventOptions & {
    readonly type: Name;
    readonly data: EventInput<C, Name>;
  };
}[EventName<C>];

export interface Publisher<C extends Catalog, Tx> {
  /**
   * Stores an event, after which it is delivered to every subscription that matches, at least
   * once, even if this process dies. One INSERT, whatever the number of subscriptions.
   *
   * @returns the event as it was stored, or the first one with its idempotency key.
   * @throws PosthornError `unknown_event_type`, `invalid_event` (data, organization or another
   * option is wrong), `idempotency_conflict`, `unknown_transaction`. Nothing is written then.
   */
  publish<Name extends keyof C & string>(
    type: Name,
    data: EventInput<C, Name>,
    options: PublishOptions<Tx>,
  ): Promise<Event<Name, EventData<C, Name>>>;

  /**
   * Stores up to 10,000 events, all or none.
   *
   * @throws as `publish`, naming the index of the event that is wrong.
   */
  publishMany(
    events: readonly EventToPublish<C>[],
    options?: { readonly tx?: Tx | undefined },
  ): Promise<readonly Event[]>;

  /**
   * `publish` without a promise, for hosts whose database driver is synchronous.
   *
   * @throws as `publish`; also `async_schema` if the type's schema validates asynchronously, and
   * `sync_unsupported` if the storage cannot write synchronously. Nothing is written then.
   */
  publishSync<Name extends keyof C & string>(
    type: Name,
    data: EventInput<C, Name>,
    options: PublishOptions<Tx> & { readonly tx: Tx },
  ): Event<Name, EventData<C, Name>>;
}

const MOST_EVENTS = 10_000;
const LONGEST_GROUP = 500;
/** So many events that wait are appended beside others, on another connection. */
const MANY = 100;
const LONGEST_ACTOR = 4_096;
const FARTHEST_MS = 10 * 365.25 * 24 * 60 * 60 * 1_000;

export function createPublisher<C extends Catalog, Tx>(options: {
  readonly catalog: C;
  readonly storage: Storage<Tx>;
  readonly system: System;
  readonly clock: Clock;
  /** The event is committed. */
  onCommitted(event: StoredEvent): void;
  /** The event will be committed, or not, by the host. */
  onPending(event: StoredEvent): void;
}): Publisher<C, Tx> {
  const { catalog, storage, system, clock, onCommitted, onPending } = options;
  const append = groupCommit(
    async (groups: readonly (readonly NewEvent[])[]) => {
      const appended = [...(await storage.append(groups.flat()))];
      return groups.map((group) => appended.splice(0, group.length));
    },
    { maxGroup: LONGEST_GROUP, beside: { weightOf: (events) => events.length, from: MANY } },
  );

  function eventType(name: string): EventType {
    if (Object.hasOwn(catalog, name)) return catalog[name] as EventType;
    const names = Object.keys(catalog);
    const suggestion = closest(String(name), names);
    throw new PosthornError(
      "unknown_event_type",
      `Unknown event type ${quoted(String(name))}. ${suggestion === null ? `The catalog has: ${listed(names)}.` : `Did you mean "${suggestion}"?`}`,
    );
  }

  function toEvent(
    type: string,
    validated: Validated<unknown>,
    given: EventOptions,
    { announced, names }: { readonly announced: boolean; readonly names: readonly string[] },
  ): NewEvent {
    const subject = `Event "${type}"`;
    if (validated.issues !== undefined) {
      throw issuesError("invalid_event", `${subject} has invalid data`, validated.issues);
    }
    const now = clock.now();
    const issues = [...nameIssues(given, names), ...optionIssues(given, now)];
    if (issues.length > 0) throw issuesError("invalid_event", subject, issues);
    return {
      id: system.id(),
      type,
      organization: given.organization,
      occurredAt: given.occurredAt ?? now,
      publishedAt: now,
      actor: given.actor ?? null,
      trace: given.trace ?? null,
      payload: serialise(subject, validated.value),
      orderingKey: given.orderingKey ?? null,
      idempotencyKey: given.idempotencyKey ?? null,
      announced,
    };
  }

  function stored(event: NewEvent, appended: Appended | undefined, pending: boolean): Event {
    if (appended === undefined) {
      throw new Error("The storage's append answered fewer events than it was given.");
    }
    if (!appended.repeated) {
      if (pending) onPending(event);
      else onCommitted(event);
    } else if (!sameContent(event, appended.event)) {
      throw new PosthornError(
        "idempotency_conflict",
        `The idempotency key ${JSON.stringify(event.idempotencyKey)} of organization "${event.organization}" belongs to event ${appended.event.id} ("${appended.event.type}") with other content. Use a new key for a new event.`,
      );
    }
    return parseEvent(appended.event);
  }

  return {
    publish: async (type, data, given) => {
      assertGiven(type, given);
      const { schema } = eventType(type);
      const validated = validate(schema, data);
      const event = toEvent(
        type,
        validated instanceof Promise ? await validated : validated,
        given,
        { announced: given.tx === undefined, names: optionNamesWithTx },
      );
      const [appended] =
        given.tx === undefined ? await append([event]) : await storage.append([event], given.tx);
      return stored(event, appended, given.tx !== undefined) as never;
    },
    publishMany: async (given, options = {}) => {
      const { tx } = options;
      const wrong = nameIssues(options, ["tx"]);
      if (wrong.length > 0) throw issuesError("invalid_event", "publishMany", wrong);
      if (given.length > MOST_EVENTS) {
        throw new PosthornError(
          "invalid_event",
          `publishMany takes at most ${MOST_EVENTS} events; it was given ${given.length}. Split them.`,
        );
      }
      const events: NewEvent[] = [];
      for (const [index, { type, data, ...rest }] of given.entries()) {
        try {
          const result = validate(eventType(type).schema, data);
          const validated = result instanceof Promise ? await result : result;
          events.push(
            toEvent(type, validated, rest, { announced: tx === undefined, names: optionNames }),
          );
        } catch (error) {
          throw atIndex(error, index);
        }
      }
      if (events.length === 0) return [];
      const appended = tx === undefined ? await append(events) : await storage.append(events, tx);
      return events.map((event, index) => stored(event, appended[index], tx !== undefined));
    },
    publishSync: (type, data, given) => {
      assertGiven(type, given);
      if (storage.appendSync === undefined) {
        throw new PosthornError(
          "sync_unsupported",
          "This storage cannot write synchronously. Use `publish`.",
        );
      }
      const subject = `Event "${type}"`;
      const validated = validateSync(eventType(type).schema, data, subject);
      const event = toEvent(type, validated, given, {
        announced: false,
        names: optionNamesWithTx,
      });
      const [appended] = storage.appendSync([event], given.tx);
      return stored(event, appended, true) as never;
    },
  };
}

function assertGiven(type: string, given: unknown): void {
  if (typeof given === "object" && given !== null) return;
  throw new PosthornError(
    "invalid_event",
    `Event ${quoted(String(type))} is published without options. Say whose it is, and in which transaction: publish(type, data, { organization, tx }).`,
  );
}

const optionNames = Object.keys({
  organization: true,
  idempotencyKey: true,
  orderingKey: true,
  occurredAt: true,
  actor: true,
  trace: true,
} satisfies { readonly [Name in keyof EventOptions]-?: true });

const optionNamesWithTx = [...optionNames, "tx"];

/** A name that is mistyped would be left out, and an event without its `tx` is published at once. */
function nameIssues(given: object, names: readonly string[]): readonly Issue[] {
  return Object.entries(given)
    .filter(([name, value]) => value !== undefined && !names.includes(name))
    .map(([name]) => {
      const suggestion = closest(name, names);
      const advice =
        suggestion === null ? `There are ${listed(names)}.` : `Did you mean "${suggestion}"?`;
      return { path: [name], message: `is no option. ${advice}`, code: "unknown_key" as const };
    });
}

function optionIssues(given: EventOptions, now: number): readonly Issue[] {
  const issues: Issue[] = [];
  const invalid = (key: string, message: string): void =>
    void issues.push({ path: [key], message, code: "invalid" });
  const { organization, idempotencyKey, orderingKey, occurredAt, actor, trace } = given;
  const problem = organizationProblem(organization);
  if (problem !== null) invalid("organization", problem);
  if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
    invalid("idempotencyKey", IDEMPOTENCY_KEY_RULE);
  }
  if (orderingKey !== undefined && !isIdempotencyKey(orderingKey)) {
    invalid("orderingKey", IDEMPOTENCY_KEY_RULE);
  }
  if (
    occurredAt !== undefined &&
    !(Number.isSafeInteger(occurredAt) && Math.abs(occurredAt - now) <= FARTHEST_MS)
  ) {
    invalid("occurredAt", "must be integer epoch milliseconds within ten years of now");
  }
  if (actor !== undefined && !isActor(actor)) {
    invalid("actor", "must be plain JSON with a string `id`, at most 4,096 characters in all");
  }
  if (trace !== undefined && !isTrace(trace)) {
    invalid(
      "trace",
      "must have a `traceparent`, and may have a `tracestate`, as W3C Trace Context defines them",
    );
  }
  return issues;
}

function isActor(actor: Actor | null): boolean {
  if (typeof actor?.id !== "string") return false;
  try {
    writeJson(actor, LONGEST_ACTOR);
    return true;
  } catch {
    return false;
  }
}

/** https://www.w3.org/TR/trace-context/#traceparent-header, #tracestate-header */
const isTrace = (trace: Trace | null): boolean =>
  /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(trace?.traceparent ?? "") &&
  /^[\x20-\x7e]{0,512}$/.test(trace?.tracestate ?? "");

const sameContent = (event: StoredEvent, earlier: StoredEvent): boolean =>
  event.type === earlier.type &&
  (event.payload === earlier.payload ||
    isDeepStrictEqual(JSON.parse(event.payload), JSON.parse(earlier.payload)));

function atIndex(error: unknown, index: number): unknown {
  if (!(error instanceof PosthornError)) return error;
  return new PosthornError(error.code, `events[${index}]: ${error.message}`, {
    issues: error.issues.map((issue) => ({ ...issue, path: [index, ...issue.path] })),
  });
}
