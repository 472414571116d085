import { writeFile } from "node:fs/promises";
import type { SqlStorage } from "@posthorn/storage-sql/postgres";

/** Writes what Posthorn's tables lack, for a migration tool to apply; answers the file, if any. */
export async function printMigrations(
  storage: Pick<SqlStorage<"postgres">, "migrate">,
  folder: string,
): Promise<string | null> {
  // #region print
  const { versions, sql } = await storage.migrate({ print: true });
  if (versions.length === 0) return null;
  const file = `${folder}/posthorn_${versions.at(-1)}.sql`;
  await writeFile(file, sql);
  // #endregion print
  return file;
}
