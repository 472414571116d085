import type { StoredEvent } from "@posthorn/core";

/** What one process tells the others at once. */
export interface News {
  /** Names the process, so that it knows its own words when they come back. */
  readonly from: string;
  readonly wake: boolean;
  readonly events: readonly StoredEvent[];
}

/** PostgreSQL refuses a payload of 8,000 bytes; 200 are for what surrounds the events. */
const LONGEST_EVENTS = 7_800;
const FORMAT = 1;

/** An event as text, or null if no notification has room for it. */
export function writeEvent(event: StoredEvent): string | null {
  const text = JSON.stringify(fieldsOf(event));
  return Buffer.byteLength(text) > LONGEST_EVENTS ? null : text;
}

/** As few payloads as hold it all; none if there is nothing to tell. */
export function writePayloads(
  news: Omit<News, "events"> & { readonly events: readonly string[] },
): readonly string[] {
  const { from, wake, events } = news;
  if (events.length === 0 && !wake) return [];
  const groups: string[][] = [[]];
  let bytes = 0;
  for (const event of events) {
    const more = Buffer.byteLength(event) + 1;
    if (bytes + more > LONGEST_EVENTS + 1) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(event);
    bytes += more;
  }
  const frame = JSON.stringify({ posthorn: FORMAT, from, wake }).slice(0, -1);
  return groups.map((group) => `${frame},"events":[${group.join(",")}]}`);
}

/** What a payload says, or null if it is not of this format: anybody may notify any channel. */
export function readPayload(payload: string): News | null {
  let news: unknown;
  try {
    news = JSON.parse(payload);
  } catch {
    return null;
  }
  if (!isNews(news)) return null;
  const { from, wake, events } = news;
  return { from, wake, events: events.map(fieldsOf) };
}

/** Exactly the fields of a StoredEvent: what a publisher hands over may have more. */
const fieldsOf = (event: StoredEvent): StoredEvent => ({
  id: event.id,
  type: event.type,
  organization: event.organization,
  occurredAt: event.occurredAt,
  publishedAt: event.publishedAt,
  actor: event.actor,
  trace: event.trace,
  payload: event.payload,
  orderingKey: event.orderingKey,
});

function isNews(value: unknown): value is News {
  const news = value as (Partial<News> & { readonly posthorn?: unknown }) | null;
  return (
    news?.posthorn === FORMAT &&
    typeof news.from === "string" &&
    typeof news.wake === "boolean" &&
    Array.isArray(news.events) &&
    news.events.every(isStoredEvent)
  );
}

function isStoredEvent(value: unknown): value is StoredEvent {
  if (typeof value !== "object" || value === null) return false;
  const { id, type, organization, payload, occurredAt, publishedAt, actor, trace, orderingKey } =
    value as Partial<StoredEvent>;
  return (
    [id, type, organization, payload].every((text) => typeof text === "string") &&
    [occurredAt, publishedAt].every(Number.isSafeInteger) &&
    [actor, trace].every((object) => typeof object === "object") &&
    (orderingKey === null || typeof orderingKey === "string")
  );
}
