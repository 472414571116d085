import type { Issue } from "@posthorn/core";

/** A name as JSON writes it: `eventTypes` is `event_types`. */
const wireName = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * A place in an input of the bus as it is in a body. Only the first key is ours to translate: what
 * lies below `configuration` has the names that its handler gave it.
 */
export const wirePath = ([field, ...rest]: Issue["path"]): Issue["path"] =>
  field === undefined ? [] : [wireName(String(field)), ...rest];

/** A JSON pointer (RFC 6901). */
export const jsonPointer = (path: Issue["path"]): string =>
  path.map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** An instant (epoch milliseconds) as ISO 8601 in UTC, with milliseconds. */
export function wireInstant(at: number): string;
export function wireInstant(at: number | null): string | null;
export function wireInstant(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** Absolute URLs of what the API shows. */
export interface Urls {
  /** Where the API is, without a slash at its end. */
  readonly root: string;
  webhook(id: string): string;
  delivery(webhookId: string, id: string): string;
  replay(webhookId: string, id: string): string;
  eventType(name: string): string;
  webhookType(type: string): string;
  /** The route that was asked, with another query. */
  here(query: URLSearchParams): string;
}

/** `root` is where the API's base path is, without a slash at its end. */
export function urlsAt(root: string, path: string): Urls {
  const webhook = (id: string): string => `${root}/webhooks/${encodeURIComponent(id)}/`;
  return {
    root,
    webhook,
    delivery: (webhookId, id) => `${webhook(webhookId)}deliveries/${encodeURIComponent(id)}/`,
    replay: (webhookId, id) => `${webhook(webhookId)}replays/${encodeURIComponent(id)}/`,
    webhookType: (type) => `${root}/webhooks/types/${encodeURIComponent(type)}/`,
    eventType: (name) => `${root}/event-types/${encodeURIComponent(name)}/`,
    here: (query) => `${root}${path}?${query}`,
  };
}
