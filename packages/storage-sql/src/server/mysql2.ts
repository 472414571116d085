import { PosthornError } from "@posthorn/core";
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
      finish: async () => {
        const { commitsItself } = await settingsOf(connection);
        if (!commitsItself) await say("commit");
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
  /** Whether each statement outside a transaction is one of its own: `autocommit`. */
  readonly commitsItself: boolean;
}

const ASKED = [
  "autocommit",
  "character_set_client",
  "character_set_results",
  "idle_transaction_timeout",
  "max_statement_time",
  "transaction_isolation",
];

/**
 * MySQL and MariaDB, and their versions, have different names for these.
 *
 * @throws PosthornError `invalid_options` if not every text goes to the server and back unchanged.
 */
async function findSettings(connection: MysqlConnection): Promise<Settings> {
  const [rows] = await connection.query({
    sql: `show variables where variable_name in (${ASKED.map((name) => `'${name}'`).join(", ")})`,
    ...AS_THEY_ARE,
  });
  const found = new Map(
    (rows as { readonly Variable_name: string; readonly Value: string }[]).map(
      ({ Variable_name: name, Value: value }) => [name, value],
    ),
  );
  assertUnicode(found);
  const oneOf = (name: string, otherwise: string): string => (found.has(name) ? name : otherwise);
  const idle = oneOf("idle_transaction_timeout", "wait_timeout");
  const isolation = oneOf("transaction_isolation", "tx_isolation");
  const statement = oneOf("max_statement_time", "max_execution_time");
  return {
    // Without "session", the isolation is the next transaction's alone.
    begin: `set @posthorn_idle = @@${idle}, @posthorn_lock = @@innodb_lock_wait_timeout, @posthorn_statement = @@${statement}, @posthorn_autocommit = @@autocommit, ${idle} = ${IDLE_SECONDS}, innodb_lock_wait_timeout = ${LOCK_SECONDS}, ${statement} = 0, @@${isolation} = 'READ-COMMITTED', autocommit = 0`,
    restore: `set ${idle} = @posthorn_idle, innodb_lock_wait_timeout = @posthorn_lock, ${statement} = @posthorn_statement, autocommit = @posthorn_autocommit`,
    commitsItself: found.get("autocommit") !== "OFF",
  };
}

/** What another character set cannot say would be stored, or read, as question marks. */
function assertUnicode(found: ReadonlyMap<string, string>): void {
  for (const name of ["character_set_client", "character_set_results"]) {
    const value = found.get(name) ?? "";
    // None at all: results come as they are stored.
    if (value === "utf8mb4" || value === "") continue;
    throw new PosthornError(
      "invalid_options",
      `The pool's connections have ${name} = ${value}, which cannot say every character. Give createPool the option \`charset: "utf8mb4"\`, and run no \`set names\` on its connections.`,
    );
  }
}
