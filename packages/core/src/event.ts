import type { Catalog, EventData, EventName } from "./catalog.ts";
import { type Issue, PosthornError } from "./errors.ts";
import { NotJson, writeJson } from "./json.ts";

/** Anything that JSON can say. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Who caused an event, for people who read about it. */
export interface Actor {
  readonly id: string;
  readonly name?: string | undefined;
  /** `user`, `api_key`, `service`, … */
  readonly type?: string | undefined;
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context/) of the publisher. */
export interface Trace {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

/** An immutable occurrence. */
export interface Event<Type extends string = string, Data = unknown> {
  /** UUIDv7. The same in every delivery and every attempt. */
  readonly id: string;
  readonly type: Type;
  readonly organization: string;
  /** When it happened: epoch milliseconds. */
  readonly occurredAt: number;
  readonly data: Data;
  readonly actor: Actor | null;
  readonly trace: Trace | null;
}

/** An event of a catalog; a union over `Name`, so that `type` tells what `data` is. */
export type CatalogEvent<C extends Catalog, Name extends EventName<C> = EventName<C>> = {
  [N in Name]: Event<N, EventData<C, N>>;
}[Name];

/** An event as storage keeps it: the data as the exact text that is signed and sent. */
export interface StoredEvent extends Omit<Event, "data"> {
  /** JSON of the data, serialised once, at publish. */
  readonly payload: string;
  /** When it was published: epoch milliseconds. */
  readonly publishedAt: number;
  /** In subscriptions that keep an order, it follows the events with the same key. */
  readonly orderingKey: string | null;
}

/** An event on its way into storage. */
export interface NewEvent extends StoredEvent {
  /** Unique in the organization: a second publish with it returns the first event. */
  readonly idempotencyKey: string | null;
  /**
   * Whether the publisher itself tells listeners. False for a publish in the host's transaction:
   * its commit is known only to whoever routes the event, and that process announces it.
   */
  readonly announced: boolean;
}

/** The largest payload: 256 KiB of UTF-8. */
export const MAX_PAYLOAD_BYTES = 262_144;
/** The event with its data parsed from the stored text. */
export function parseEvent(stored: StoredEvent): Event {
  const { id, type, organization, occurredAt, actor, trace, payload } = stored;
  return { id, type, organization, occurredAt, actor, trace, data: JSON.parse(payload) };
}

/**
 * The data as JSON text.
 *
 * @throws PosthornError `invalid_event`, naming the place, for what `writeJson` refuses and for
 * more than 256 KiB.
 */
export function serialise(subject: string, data: unknown): string {
  let payload: string;
  try {
    payload = writeJson(data, MAX_PAYLOAD_BYTES);
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    throw error.issue.code === "too_large" ? tooLarge(subject) : eventError(subject, error.issue);
  }
  if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) throw tooLarge(subject);
  return payload;
}

const tooLarge = (subject: string): PosthornError =>
  eventError(subject, {
    path: [],
    code: "too_large",
    message: `the data is more than ${MAX_PAYLOAD_BYTES} bytes of JSON, the most that is allowed. Publish a reference instead of the content.`,
  });

function eventError(subject: string, issue: Issue): PosthornError {
  const place = issue.path.length === 0 ? "data" : `data.${issue.path.join(".")}`;
  return new PosthornError("invalid_event", `${subject}: ${place}: ${issue.message}`, {
    issues: [issue],
  });
}
