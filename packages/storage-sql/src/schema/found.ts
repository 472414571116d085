import { PosthornError } from "@posthorn/core";
import type { TableName } from "../dialect.ts";
import { rowsOf, type Script } from "../script.ts";
import type { Schema } from "./migration.ts";
import { type Naming, tableNames } from "./naming.ts";

/** What a database has of Posthorn's tables. */
export interface Found {
  /** The newest version that was applied to its end; 0 if none was. */
  readonly version: number;
  /** The oldest code that works with it. */
  readonly compatible: number;
  readonly tables: readonly TableName[];
}

/**
 * Looks up what is there.
 *
 * @throws PosthornError `schema_mismatch` if tables of these names are somebody else's.
 */
export function* find(schema: Schema, naming: Naming): Script<Found> {
  const columns = Map.groupBy(yield* schema.columns(naming), (row) => String(row["table_name"]));
  const tables = tableNames.filter((name) => columns.has(naming.bare(name)));
  if (tables.length === 0) return { version: 0, compatible: 0, tables };
  const ledger = columns.get(naming.bare("migrations")) ?? [];
  if (!ledger.some((row) => row["column_name"] === "compatible")) {
    throw new PosthornError(
      "schema_mismatch",
      `The database has tables ${naming.place} that Posthorn did not make: ${tables.map(naming.bare).join(", ")}. Give Posthorn another ${naming.option}, which nobody else uses.`,
    );
  }
  const [newest] = yield* rowsOf(
    `select version, compatible from ${naming.table("migrations")} order by version desc limit 1`,
  );
  return {
    version: Number(newest?.["version"] ?? 0),
    compatible: Number(newest?.["compatible"] ?? 0),
    tables,
  };
}

/** The version of the tables that this code makes. */
export const newestOf = ({ migrations }: Schema): number => migrations.at(-1)?.version ?? 0;

/** @throws PosthornError `schema_mismatch` if only newer code works with what was found. */
export function assertNotTooNew(
  { version, compatible }: Found,
  schema: Schema,
  naming: Naming,
): void {
  const known = newestOf(schema);
  if (compatible <= known) return;
  throw new PosthornError(
    "schema_mismatch",
    `Posthorn's tables ${naming.place} are at version ${version}, which needs code that knows version ${compatible} or a later one; this code knows ${known}. Upgrade @posthorn/storage-sql in this process.`,
  );
}
