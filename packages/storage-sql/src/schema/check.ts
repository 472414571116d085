import { PosthornError } from "@posthorn/core";
import type { Script } from "../script.ts";
import { assertNotTooNew, type Found, find, newestOf } from "./found.ts";
import type { Target } from "./migrate.ts";
import type { Schema } from "./migration.ts";
import { type Naming, tableNames } from "./naming.ts";

/**
 * Resolves if this code can work with the tables that are there. Newer ones will do, if they say
 * so: that lets processes be upgraded one after the other.
 *
 * @throws PosthornError `schema_mismatch` otherwise, with what was found, what is needed, and what
 * to do.
 */
export async function checkSchema({ database, schema, naming }: Target): Promise<void> {
  const found = await database.query(() => find(schema, naming));
  if (found.tables.length === 0) {
    throw mismatch(
      `The database has no tables of Posthorn ${naming.place}. ${HOW_TO_MIGRATE} If they were made with another ${naming.option}, or in another database, give that one.`,
    );
  }
  assertFits(found, schema, naming);
}

/**
 * The same in a transaction of the host, which may be in a database that is not the storage's:
 * whether there are tables at all, what is written there will tell.
 *
 * @returns whether there are some
 */
export function* checkThere({ schema, naming }: Omit<Target, "database">): Script<boolean> {
  const found = yield* find(schema, naming);
  if (found.tables.length === 0) return false;
  assertFits(found, schema, naming);
  return true;
}

function assertFits(found: Found, schema: Schema, naming: Naming): void {
  const { version, tables } = found;
  const needed = newestOf(schema);
  if (version < needed) {
    throw mismatch(
      `Posthorn's tables ${naming.place} are at version ${version}, and this code needs ${needed}. ${HOW_TO_MIGRATE}`,
    );
  }
  assertNotTooNew(found, schema, naming);
  const gone = tableNames.filter((name) => !tables.includes(name));
  if (gone.length > 0) {
    throw mismatch(
      `Posthorn's tables ${naming.place} are at version ${version}, but some are gone: ${gone.map(naming.bare).join(", ")}. Restore them from a backup, or drop the others too and migrate again.`,
    );
  }
}

const mismatch = (message: string): PosthornError => new PosthornError("schema_mismatch", message);

const HOW_TO_MIGRATE =
  "Run `await storage.migrate()`, or apply the SQL of `storage.migrate({ print: true })`.";
