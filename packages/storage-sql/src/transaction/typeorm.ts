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

const TYPEORM: Adapter = {
  call: "typeormTransaction(manager)",
  takes: "the manager of dataSource.transaction(async (manager) => …)",
  source: "a TypeORM transaction",
};

/** What Posthorn needs of an `EntityManager` of TypeORM. */
interface TypeormManager {
  readonly queryRunner?: TypeormQueryRunner | undefined;
  release(): Promise<void>;
}

/** What Posthorn needs of a `QueryRunner` of TypeORM. */
interface TypeormQueryRunner {
  readonly isTransactionActive: boolean;
  readonly dataSource?: TypeormDataSource;
  /** What `dataSource` is called before TypeORM 1. */
  readonly connection?: TypeormDataSource;
  query(
    text: string,
    params: unknown[],
    structured: true,
  ): Promise<{ readonly records: readonly unknown[]; readonly affected?: number }>;
}

interface TypeormDataSource {
  readonly options: { readonly type: string };
}

/**
 * Wraps the manager of a transaction of TypeORM, or the query runner that began one, on PostgreSQL,
 * MySQL, MariaDB or better-sqlite3.
 *
 * @example
 * ```ts
 * await dataSource.transaction(async (manager) => {
 *   await manager.insert(Project, { name: "web" });
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: typeormTransaction(manager) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it has no transaction of TypeORM on these.
 */
export function typeormTransaction(
  given: TypeormManager | TypeormQueryRunner,
): DetectedTransaction {
  assertGiven(given, TYPEORM);
  const runner = "isTransactionActive" in given ? given : given.queryRunner;
  if (runner === undefined) throw refused(TYPEORM, "a manager that is not in a transaction");
  return detectedTransaction(TYPEORM, onTypeorm(runner));
}

function onTypeorm(runner: TypeormQueryRunner): Carrier {
  const type = (runner.dataSource ?? runner.connection)?.options.type;
  const dialect = DIALECTS[String(type)];
  if (dialect === undefined) {
    throw refused(TYPEORM, `one on ${type}`, `Use ${Object.keys(DIALECTS).join(", ")}.`);
  }
  return {
    dialect,
    isSync: false,
    isOpen: () => runner.isTransactionActive,
    execute: async ({ text, params }) => {
      const sql = dialect === "postgres" ? numbered(text) : text;
      const { records, affected } = await runner.query(sql, [...params], true);
      return { rows: records as readonly Row[], affected: affected ?? records.length };
    },
  };
}

const DIALECTS: { readonly [type: string]: DialectName } = {
  postgres: "postgres",
  mysql: "mysql",
  mariadb: "mysql",
  "better-sqlite3": "sqlite",
};
