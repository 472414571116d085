import { assertOptions } from "../options.ts";
import type { Reply, Row } from "../script.ts";
import { preparedStatements } from "../server/prepared.ts";
import { type Adapter, assertGiven, type Carrier, transactionOf } from "./adapter.ts";
import { acceptsSavepoint } from "./savepoint.ts";
import { numbered, type SqlTransaction } from "./transaction.ts";

const PG: Adapter = {
  call: "pgTransaction(client)",
  takes: "the pg client on which BEGIN ran",
  source: "a pg transaction",
};

/** What Posthorn needs of a `Client` or `PoolClient` of pg. */
export interface PgClient {
  query(query: { name?: string; text: string; values: unknown[] }): Promise<PgResult>;
  getTransactionStatus?(): "I" | "T" | "E" | null;
  /** A Pool has one: it is refused. */
  readonly totalCount?: never;
}

interface PgResult {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

export interface PgTransactionOptions {
  /**
   * Whether its connection may keep prepared statements: what a publish says is then parsed and planned
   * once, not each time. Default false: a pooler that gives each transaction another connection would answer with an
   * error, and that ends a transaction.
   */
  readonly prepare?: boolean | undefined;
}

/**
 * Wraps a client of pg that is in a transaction. A `Pool` is refused.
 *
 * @example
 * ```ts
 * const client = await pool.connect();
 * try {
 *   await client.query("begin");
 *   await client.query("insert into projects (name) values ($1)", ["web"]);
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: pgTransaction(client) });
 *   await client.query("commit");
 * } catch (error) {
 *   await client.query("rollback");
 *   throw error;
 * } finally {
 *   client.release();
 * }
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a client of pg; `invalid_options` if there
 * is no option of a name.
 */
export function pgTransaction(
  client: PgClient,
  options: PgTransactionOptions = {},
): SqlTransaction<"postgres"> {
  assertGiven(client, PG);
  assertOptions("pgTransaction", options, { prepare: true });
  const { prepare = false } = options;
  return transactionOf(PG, onPg(client, { prepare }));
}

const statements = preparedStatements();

export function onPg(
  client: PgClient,
  { prepare = false }: PgTransactionOptions = {},
): Carrier<"postgres"> {
  const checkout = Reflect.get(client, "release");
  return {
    dialect: "postgres",
    isSync: false,
    isOpen: async () => {
      // A pool makes another `release` each time that it hands out the client.
      if (Reflect.get(client, "release") !== checkout) return false;
      return isInTransaction(client);
    },
    execute: async ({ text, params }) => {
      const values = [...params];
      if (!prepare) return answer(await client.query({ text: numbered(text), values }));
      const prepared = statements.of(text);
      try {
        return answer(await client.query({ name: prepared.name, text: prepared.text, values }));
      } catch (error) {
        statements.heed(error, prepared);
        throw error;
      }
    },
  };
}

const answer = ({ rows, rowCount }: PgResult): Reply => ({ rows, affected: rowCount ?? 0 });

/** What pg knows is as of the last reply: while queries are under way, the server is asked. */
async function isInTransaction(client: PgClient): Promise<boolean> {
  const status = client.getTransactionStatus?.();
  return status !== undefined && Reflect.get(client, "readyForQuery") === true
    ? status === "T" || status === "E"
    : await acceptsSavepoint((text) => client.query({ text, values: [] }));
}
