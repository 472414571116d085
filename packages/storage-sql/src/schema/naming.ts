import { PosthornError } from "@posthorn/core";
import type { TableName } from "../dialect.ts";

/** How tables and indexes are called in one database. */
export interface Naming {
  /** The schema or prefix: tells apart what shares a database. */
  readonly scope: string;
  /** What `scope` is. */
  readonly option: "schema" | "prefix";
  /** The same for people, after "tables": `in the schema "posthorn"`. */
  readonly place: string;
  /** The table's name as the database's catalog has it. */
  bare(name: TableName): string;
  /** The table's name, qualified and quoted. */
  table(name: TableName): string;
  /** The quoted name for one of the table's indexes. */
  index(table: TableName, suffix: string): string;
}

export const tableNames: readonly TableName[] = [
  "migrations",
  "events",
  "unrouted",
  "lanes",
  "gates",
  "deliveries",
  "flights",
  "leases",
  "attempts",
  "subscriptions",
  "replays",
  "dispatchers",
];

/**
 * Tables in a schema of their own.
 *
 * @throws PosthornError `invalid_options` for a schema that is no plain identifier.
 */
export function postgresNaming({ schema = "posthorn" }: { readonly schema?: string } = {}): Naming {
  assertIdentifier("schema", schema, "pg_");
  return {
    scope: schema,
    option: "schema",
    place: `in the schema "${schema}"`,
    bare: (name) => name,
    table: (name) => `"${schema}"."${name}"`,
    index: (table, suffix) => `"${table}_${suffix}"`,
  };
}

/**
 * Tables whose names begin with a prefix.
 *
 * @throws PosthornError `invalid_options` for a prefix that is no plain identifier.
 */
export function prefixNaming(
  { prefix = "posthorn_" }: { readonly prefix?: string },
  quote: '"' | "`",
): Naming {
  assertIdentifier("prefix", prefix, "sqlite_");
  return {
    scope: prefix,
    option: "prefix",
    place: `with the prefix "${prefix}"`,
    bare: (name) => `${prefix}${name}`,
    table: (name) => `${quote}${prefix}${name}${quote}`,
    index: (table, suffix) => `${quote}${prefix}${table}_${suffix}${quote}`,
  };
}

/**
 * Lower case, because databases disagree on whether case matters; 32 characters, because the
 * longest name of an index then stays below MySQL's 64.
 */
function assertIdentifier(option: "schema" | "prefix", given: unknown, reserved: string): void {
  if (
    typeof given === "string" &&
    /^[a-z_][a-z0-9_]{0,31}$/.test(given) &&
    !given.startsWith(reserved)
  ) {
    return;
  }
  throw new PosthornError(
    "invalid_options",
    `The ${option} ${shown(given)} cannot be used. Give 1 to 32 lower-case letters, digits or "_", beginning with a letter or "_" and not with "${reserved}".`,
  );
}

const shown = (given: unknown): string =>
  typeof given === "string" ? JSON.stringify(given.slice(0, 100)) : `of type ${typeof given}`;
