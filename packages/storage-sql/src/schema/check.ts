import { PosthornError } from "@posthorn/core";
import { find } from "./found.ts";
import type { Target } from "./migrate.ts";
import { tableNames } from "./naming.ts";

/**
 * Resolves if this code can work with the tables that are there. Newer ones will do, if they say
 * so: that lets processes be upgraded one after the other.
 *
 * @throws PosthornError `schema_mismatch` otherwise, with what was found, what is needed, and what
 * to do.
 */
export async function checkSchema({ database, schema, naming }: Target): Promise<void> {
  const { version, compatible, tables } = await database.query(() => find(schema, naming));
  const needed = schema.migrations.at(-1)?.version ?? 0;
  const mismatch = (message: string): PosthornError =>
    new PosthornError("schema_mismatch", message);

  if (tables.length === 0) {
    throw mismatch(
      `The database has no tables of Posthorn ${naming.place}. ${HOW_TO_MIGRATE} If they were made with another ${naming.option}, or in another database, give that one.`,
    );
  }
  if (version < needed) {
    throw mismatch(
      `Posthorn's tables ${naming.place} are at version ${version}, and this code needs ${needed}. ${HOW_TO_MIGRATE}`,
    );
  }
  if (compatible > needed) {
    throw mismatch(
      `Posthorn's tables ${naming.place} are at version ${version}, which needs code that knows version ${compatible} or a later one; this code knows ${needed}. Upgrade @posthorn/storage-sql in this process.`,
    );
  }
  const gone = tableNames.filter((name) => !tables.includes(name));
  if (gone.length > 0) {
    throw mismatch(
      `Posthorn's tables ${naming.place} are at version ${version}, but some are gone: ${gone.map(naming.bare).join(", ")}. Restore them from a backup, or drop the others too and migrate again.`,
    );
  }
}

const HOW_TO_MIGRATE =
  "Run `await storage.migrate()`, or apply the SQL of `storage.migrate({ print: true })`.";
