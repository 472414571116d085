import type { Row } from "../script.ts";
import { type Adapter, assertGiven, type Carrier, transactionOf } from "./adapter.ts";
import type { SqlTransaction } from "./transaction.ts";

const MYSQL: Adapter = {
  call: "mysqlTransaction(connection)",
  takes: "the mysql2 connection on which beginTransaction ran",
  source: "a mysql2 transaction",
};

/** What Posthorn needs of a `Connection` or `PoolConnection` of mysql2/promise. */
interface MysqlConnection {
  query(text: string): Promise<[unknown, unknown]>;
  execute(statement: {
    readonly sql: string;
    readonly values: never[];
    readonly rowsAsArray: false;
  }): Promise<[unknown, unknown]>;
  beginTransaction: unknown;
  /** A pool has one: it is refused. */
  readonly getConnection?: never;
}

/** One of mysql2 itself, which answers to callbacks. */
interface MysqlCallbackConnection {
  promise(): MysqlConnection;
  readonly getConnection?: never;
}

/**
 * Wraps a connection of mysql2 (with callbacks too) that is in a transaction. A pool is refused.
 *
 * @example
 * ```ts
 * const connection = await pool.getConnection();
 * try {
 *   await connection.beginTransaction();
 *   await connection.execute("insert into projects (name) values (?)", ["web"]);
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: mysqlTransaction(connection) });
 *   await connection.commit();
 * } catch (error) {
 *   await connection.rollback();
 *   throw error;
 * } finally {
 *   connection.release();
 * }
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a connection of mysql2.
 */
export function mysqlTransaction(
  connection: MysqlConnection | MysqlCallbackConnection,
): SqlTransaction<"mysql"> {
  assertGiven(connection, MYSQL);
  return transactionOf(MYSQL, onMysql(connection));
}

export function onMysql(given: MysqlConnection | MysqlCallbackConnection): Carrier<"mysql"> {
  const connection = "promise" in given ? given.promise() : given;
  return {
    dialect: "mysql",
    isSync: false,
    isOpen: () => isInTransaction(connection),
    execute: async ({ text, params }) => {
      const values = params as never[];
      const [reply] = await connection.execute({ sql: text, values, rowsAsArray: false });
      if (!Array.isArray(reply)) return { rows: [], affected: (reply as Header).affectedRows };
      return { rows: reply as Row[], affected: reply.length };
    },
  };
}

interface Header {
  readonly affectedRows: number;
  readonly serverStatus: number;
}

/** mysql2 forgets what the server said of it, so the cheapest of statements is sent. */
async function isInTransaction(connection: MysqlConnection): Promise<boolean> {
  const [header] = await connection.query("do 0");
  const { serverStatus } = header as Header;
  return (serverStatus & IN_TRANSACTION) !== 0 || (serverStatus & AUTOCOMMIT) === 0;
}

const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;
