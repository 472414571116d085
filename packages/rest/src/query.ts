import type { Page, PageOptions } from "@posthorn/core";
import { decodeCursor, encodeCursor, type ListScope } from "./cursor.ts";
import type { JsonSchema } from "./json-schema.ts";
import { Problem, type ProblemCode } from "./problems.ts";
import { closest } from "./suggest.ts";
import type { Urls } from "./wire.ts";

/** A query parameter that a route takes. */
export interface QueryParameter {
  readonly name: string;
  readonly description: string;
  /** The values that it may have; absent if they are not a fixed list. */
  readonly values?: readonly string[];
  /** What it may be, where that is no text. */
  readonly schema?: JsonSchema;
}

/** A query whose parameters are the route's, each given at most once. */
export type Query = ReadonlyMap<string, string>;

/** The parameters of every list. */
export const pageParameters: readonly QueryParameter[] = [
  {
    name: "limit",
    description: "How many results at most.",
    schema: { type: "integer", minimum: 1, maximum: 100, default: 20 },
  },
  { name: "cursor", description: "Where the page begins; taken from `next` and `previous`." },
];

/** @throws Problem `invalid_query`, `invalid_page` */
export function parseQuery(given: URLSearchParams, parameters: readonly QueryParameter[]): Query {
  const query = new Map<string, string>();
  for (const [name, value] of given) {
    const parameter = parameters.find((known) => known.name === name);
    if (parameter === undefined)
      throw refused("invalid_query", name, unknownName(name, parameters));
    if (query.has(name)) throw refused("invalid_query", name, "is given twice. Give it once.");
    if (parameter.values?.includes(value) === false) {
      throw refused("invalid_query", name, `must be one of ${parameter.values.join(", ")}.`);
    }
    query.set(name, value);
  }
  const limit = query.get("limit");
  if (limit !== undefined && !/^(?:[1-9]\d?|100)$/.test(limit)) {
    throw refused("invalid_page", "limit", "must be an integer from 1 to 100.");
  }
  return query;
}

/** @throws Problem `invalid_cursor` */
export function pageOptions(query: Query, scope: ListScope): PageOptions {
  const limit = query.get("limit");
  const cursor = query.get("cursor");
  return {
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(cursor === undefined ? {} : decodeCursor(cursor, scope)),
  };
}

/** A page of results, newest first, with the absolute URLs of its neighbours. */
export interface ResultPage<Result> {
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly Result[];
}

export function resultPage<Item, Result>(
  { items, next, previous }: Page<Item>,
  { query, scope, urls }: { readonly query: Query; readonly scope: ListScope; readonly urls: Urls },
  show: (item: Item) => Result,
): ResultPage<Result> {
  const at = (cursor: string): string => {
    const neighbour = new URLSearchParams([...query]);
    neighbour.set("cursor", cursor);
    return urls.here(neighbour);
  };
  return {
    next: next === null ? null : at(encodeCursor({ after: next }, scope)),
    previous: previous === null ? null : at(encodeCursor({ before: previous }, scope)),
    results: items.map(show),
  };
}

function unknownName(name: string, parameters: readonly QueryParameter[]): string {
  const known = parameters.map((parameter) => parameter.name);
  if (known.length === 0) return "is not known: there are no query parameters here.";
  const suggestion = closest(name, known);
  return suggestion === null
    ? `is not known. Known: ${known.join(", ")}.`
    : `is not known. Did you mean "${suggestion}"?`;
}

const LONGEST_SHOWN = 64;

const refused = (code: ProblemCode, name: string, detail: string): Problem =>
  new Problem(code, {
    errors: [{ parameter: name.slice(0, LONGEST_SHOWN), code: "invalid", detail }],
  });
