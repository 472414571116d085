import type { Database } from "../database.ts";
import type { Script } from "../script.ts";
import { assertNotTooNew, find } from "./found.ts";
import type { Migration, Schema } from "./migration.ts";
import type { Naming } from "./naming.ts";

/** The tables that a database should have, and Posthorn's own connections to it. */
export interface Target {
  readonly database: Pick<Database, "query" | "transact">;
  readonly schema: Schema;
  readonly naming: Naming;
}

/** What a migration did, or would do. */
export interface Migrated {
  /** The versions of the tables that were missing; empty if they are up to date. */
  readonly versions: readonly number[];
  /** The SQL that leads there; empty if they are up to date. */
  readonly sql: string;
}

/**
 * Makes and changes Posthorn's tables, up to what this code needs. Any number of processes may
 * call it at once: one does the work, the others wait for it.
 *
 * On PostgreSQL and SQLite everything that is missing happens in one transaction. MySQL and MariaDB
 * commit each change of a table; after a failure there, migrating again does what is left.
 *
 * @param options.print Changes nothing, and answers what would be done: for hosts whose tables are
 * made by a tool of their own.
 * @throws PosthornError `schema_mismatch` if tables of these names are somebody else's, or too new
 * for this code, or if another process has held MySQL's lock for a minute.
 */
export async function migrate(
  { database, schema, naming }: Target,
  { print = false }: { readonly print?: boolean } = {},
): Promise<Migrated> {
  const missing = await database.query(() => findMissing(schema, naming));
  if (print || missing.length === 0) return migrated(missing, schema, naming);
  const script = (): Script<Migrated> => apply(schema, naming);
  return schema.isTransactional
    ? database.transact(script, { repeatable: true })
    : database.query(script);
}

function* findMissing(schema: Schema, naming: Naming): Script<readonly Migration[]> {
  const found = yield* find(schema, naming);
  assertNotTooNew(found, schema, naming);
  return schema.migrations.filter(({ version }) => version > found.version);
}

function* apply(schema: Schema, naming: Naming): Script<Migrated> {
  yield* schema.lock(naming);
  try {
    const missing = yield* findMissing(schema, naming);
    for (const migration of missing) {
      for (const text of statementsOf(migration, schema, naming)) yield { text, params: [] };
    }
    return migrated(missing, schema, naming);
  } finally {
    yield* schema.unlock(naming);
  }
}

const migrated = (missing: readonly Migration[], schema: Schema, naming: Naming): Migrated => ({
  versions: missing.map(({ version }) => version),
  sql: missing
    .map((migration) => {
      const statements = statementsOf(migration, schema, naming);
      return `-- Posthorn ${migration.version}: ${migration.name}\n\n${statements.join(";\n\n")};\n`;
    })
    .join("\n"),
});

/** The row comes last: where nothing can be rolled back, it says that all before it was done. */
const statementsOf = (
  { version, name, compatible, statements }: Migration,
  { now }: Schema,
  naming: Naming,
): readonly string[] => [
  ...statements(naming),
  `insert into ${naming.table("migrations")} (version, name, compatible, applied_at)
values (${version}, '${name}', ${compatible}, ${now})`,
];
