import { type Kysely, MysqlAdapter, sql } from "kysely";

export interface Tables {
  cloudtruth_organizations: {
    id: string;
    /** Counts the transactions that changed what is the organization's. */
    version: number;
  };
  /** Projects, environments, parameters and values, as JSON. */
  cloudtruth_resources: { organization: string; kind: string; id: string; content: string };
}

/** Makes the app's own tables, unless they are there. */
export async function createTables(db: Kysely<Tables>): Promise<void> {
  const isMysql = db.getExecutor().adapter instanceof MysqlAdapter;
  const longText = isMysql ? sql`longtext character set utf8mb4` : sql`text`;

  await db.schema
    .createTable("cloudtruth_organizations")
    .ifNotExists()
    .addColumn("id", "varchar(255)", (column) => column.primaryKey())
    .addColumn("version", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("cloudtruth_resources")
    .ifNotExists()
    .addColumn("organization", "varchar(255)", (column) => column.notNull())
    .addColumn("kind", "varchar(16)", (column) => column.notNull())
    .addColumn("id", "varchar(36)", (column) => column.notNull())
    .addColumn("content", longText, (column) => column.notNull())
    .addPrimaryKeyConstraint("cloudtruth_resources_key", ["organization", "id"])
    .execute();
}
