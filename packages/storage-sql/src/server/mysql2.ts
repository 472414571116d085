import type { Row } from "../script.ts";
import { type Connections, IDLE_SECONDS, LOCK_SECONDS } from "./connections.ts";
import { type Emitter, lending, type Session, watch } from "./session.ts";

/** The part of a `Pool` of `mysql2/promise`, or of `mysql2`, that Posthorn uses. */
export type MysqlPool = MysqlPromisePool | { promise(): MysqlPromisePool };

interface MysqlPromisePool {
  getConnection(): Promise<MysqlConnection>;
}

interface MysqlConnection extends Emitter {
  query(query: MysqlQuery): Promise<[unknown, unknown]>;
  execute(query: MysqlQuery): Promise<[unknown, unknown]>;
  release(): void;
  destroy(): void;
}

interface MysqlQuery {
  readonly sql: string;
  readonly values?: (string | number | null)[];
}

export const isMysqlPool = (given: unknown): given is MysqlPool => {
  const { promise, getConnection, execute, batch } = Object(given) as {
    readonly [key: string]: unknown;
  };
  const isMariadb = typeof batch === "function";
  return (
    typeof getConnection === "function" &&
    (typeof promise === "function" || (typeof execute === "function" && !isMariadb))
  );
};

export function mysqlConnections(given: MysqlPool): Connections {
  const pool = "promise" in given ? given.promise() : given;
  let settings: Promise<Settings> | undefined;

  const settingsOf = (connection: MysqlConnection): Promise<Settings> => {
    settings ??= findSettings(connection).catch((error: unknown) => {
      settings = undefined;
      throw error;
    });
    return settings;
  };

  return lending(async (): Promise<Session> => {
    const connection = await pool.getConnection();
    const watched = watch(connection);
    let restore: string | undefined;
    const release = (): void => {
      watched.end();
      connection.release();
    };
    const destroy = (): void => {
      watched.end();
      connection.destroy();
    };
    const say = async (sql: string): Promise<void> => {
      await connection.query({ sql, ...AS_THEY_ARE });
    };
    return {
      execute: async ({ text, params }) => {
        const [answer] = await (params.length === 0
          ? connection.query({ sql: text, ...AS_THEY_ARE })
          : connection.execute({ sql: text, values: [...params], ...AS_THEY_ARE }));
        return Array.isArray(answer)
          ? { rows: answer as Row[], affected: answer.length }
          : { rows: [], affected: (answer as { readonly affectedRows: number }).affectedRows };
      },
      begin: async () => {
        const known = await settingsOf(connection);
        restore = known.restore;
        await say(known.begin);
      },
      commit: () => say("commit"),
      rollback: () => say("rollback"),
      loss: watched.loss,
      release: () => {
        if (restore === undefined) release();
        else say(restore).then(release, destroy);
      },
      destroy,
    };
  });
}

/** Whatever the pool's options say of rows and placeholders. */
const AS_THEY_ARE = {
  rowsAsArray: false,
  nestTables: false,
  namedPlaceholders: false,
} as const;

interface Settings {
  /** Begins a transaction in one round trip. */
  readonly begin: string;
  /** Makes the session again what the host made it. */
  readonly restore: string;
}

/** MySQL and MariaDB, and their versions, have different names for these. */
async function findSettings(connection: MysqlConnection): Promise<Settings> {
  const [rows] = await connection.query({
    sql: "show variables where variable_name in ('idle_transaction_timeout', 'transaction_isolation')",
    ...AS_THEY_ARE,
  });
  const names = (rows as { readonly Variable_name: string }[]).map((row) => row.Variable_name);
  const oneOf = (name: string, otherwise: string): string =>
    names.includes(name) ? name : otherwise;
  const idle = oneOf("idle_transaction_timeout", "wait_timeout");
  const isolation = oneOf("transaction_isolation", "tx_isolation");
  return {
    // Without "session", the isolation is the next transaction's alone.
    begin: `set @posthorn_idle = @@${idle}, @posthorn_lock = @@innodb_lock_wait_timeout, @posthorn_autocommit = @@autocommit, ${idle} = ${IDLE_SECONDS}, innodb_lock_wait_timeout = ${LOCK_SECONDS}, @@${isolation} = 'READ-COMMITTED', autocommit = 0`,
    restore: `set ${idle} = @posthorn_idle, innodb_lock_wait_timeout = @posthorn_lock, autocommit = @posthorn_autocommit`,
  };
}
