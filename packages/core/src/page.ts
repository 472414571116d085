import { PosthornError } from "./errors.ts";
import type { PageOf, PageRequest } from "./storage.ts";

/** Which part of a list. */
export interface PageOptions {
  /** At most this many, 1 to 100. Default 20. */
  readonly limit?: number | undefined;
  /** The page that follows this id (older). */
  readonly after?: string | undefined;
  /** The page that precedes this id (newer). */
  readonly before?: string | undefined;
}

/** A part of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass it as `after` for the next page; null on the last. */
  readonly next: string | null;
  /** Pass it as `before` for the previous page; null on the first. */
  readonly previous: string | null;
}

const LARGEST_PAGE = 100;
const USUAL_PAGE = 20;

/** @throws PosthornError `invalid_page` */
export function pageRequest(
  organization: string,
  { limit = USUAL_PAGE, after, before }: PageOptions,
): PageRequest {
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
    throw new PosthornError(
      "invalid_page",
      `limit is ${String(limit)}. It must be an integer from 1 to ${LARGEST_PAGE}.`,
    );
  }
  if (after !== undefined && before !== undefined) {
    throw new PosthornError("invalid_page", "`after` and `before` exclude each other. Give one.");
  }
  return { organization, limit, after, before };
}

export function toPage<Stored extends { readonly id: string }, Item>(
  { items, older, newer }: PageOf<Stored>,
  show: (stored: Stored) => Item,
): Page<Item> {
  return {
    items: items.map(show),
    next: older ? (items.at(-1)?.id ?? null) : null,
    previous: newer ? (items[0]?.id ?? null) : null,
  };
}
