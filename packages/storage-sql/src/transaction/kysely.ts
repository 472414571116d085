import type { DialectName } from "../dialect.ts";
import type { Row } from "../script.ts";
import {
  type Adapter,
  assertGiven,
  type Carrier,
  detectedTransaction,
  refused,
} from "./adapter.ts";
import { type DetectedTransaction, numbered } from "./transaction.ts";

const KYSELY: Adapter = {
  call: "kyselyTransaction(trx)",
  takes: "the trx of db.transaction().execute(async (trx) => …)",
  source: "a Kysely transaction",
};

/** What Posthorn needs of a `Transaction` of Kysely. */
interface KyselyTransaction {
  readonly isTransaction: true;
  getExecutor(): {
    readonly adapter: KyselyAdapter;
    stream(query: never, chunkSize: number): unknown;
  };
  withoutPlugins(): { executeQuery(query: never): Promise<KyselyResult> };
}

interface KyselyAdapter {
  readonly supportsReturning?: boolean;
  readonly supportsTransactionalDdl?: boolean;
}

interface KyselyResult {
  readonly rows: readonly unknown[];
  readonly numAffectedRows?: bigint;
}

/**
 * Wraps a transaction of Kysely, controlled ones too, on PostgreSQL, PGlite, MySQL, MariaDB or
 * SQLite. Plugins such as CamelCasePlugin do not see what Posthorn does. Kysely older than 0.28.11
 * does not tell that a transaction has ended.
 *
 * @example
 * ```ts
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto("projects").values({ name: "web" }).execute();
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: kyselyTransaction(trx) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a transaction of Kysely on these.
 */
export function kyselyTransaction(trx: KyselyTransaction): DetectedTransaction {
  assertGiven(trx, KYSELY);
  return detectedTransaction(KYSELY, onKysely(trx));
}

export function onKysely(trx: KyselyTransaction): Carrier {
  const dialect = dialectOf(trx.getExecutor().adapter);
  return {
    dialect,
    isSync: false,
    isOpen: () => canStream(trx),
    execute: async ({ text, params }) => {
      const sql = dialect === "postgres" ? numbered(text) : text;
      const query = rawQuery(sql, params);
      const { rows, numAffectedRows } = await trx.withoutPlugins().executeQuery(query);
      return { rows: rows as readonly Row[], affected: Number(numAffectedRows ?? rows.length) };
    },
  };
}

/** Its adapter's abilities tell, and survive minifiers, where the adapter's name does not. */
function dialectOf({ supportsReturning, supportsTransactionalDdl }: KyselyAdapter): DialectName {
  if (supportsReturning) return supportsTransactionalDdl ? "postgres" : "sqlite";
  if (!supportsTransactionalDdl) return "mysql";
  throw refused(KYSELY, "one on SQL Server", "Posthorn has no storage there.");
}

/** One that has ended throws. Nothing is sent, since nothing is read from the stream. */
function canStream(trx: KyselyTransaction): boolean {
  try {
    trx.getExecutor().stream(rawQuery("select 1", []), 1);
    return true;
  } catch {
    return false;
  }
}

/** As `CompiledQuery.raw` of Kysely makes it. */
const rawQuery = (sql: string, parameters: readonly unknown[]): never =>
  ({
    sql,
    parameters,
    query: { kind: "RawNode", sqlFragments: [sql], parameters: [] },
    queryId: { queryId: "posthorn" },
  }) as never;
