import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { createConnection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import pg from "pg";
import { freshDatabase, mariadbServer, postgresServer } from "../../../test/servers.ts";
import type { DialectName } from "../src/dialect.ts";
import type { Target } from "../src/schema/migrate.ts";
import type { Schema } from "../src/schema/migration.ts";
import { mysqlSchema } from "../src/schema/mysql.ts";
import { type Naming, postgresNaming, prefixNaming } from "../src/schema/naming.ts";
import { postgresSchema } from "../src/schema/postgres.ts";
import { sqliteSchema } from "../src/schema/sqlite.ts";
import { playAsync, type Reply, type Row, type Statement } from "../src/script.ts";
import { numbered } from "../src/transaction/transaction.ts";

/** One connection that does not reconnect, as plain as can be. */
export interface Connection {
  readonly database: Target["database"];
  /** Awaited before each statement of a script: to look at it, wait, or fail. */
  before(text: string): void | Promise<void>;
  /** Runs a whole SQL text, as a host's tool does. */
  run(text: string): Promise<void>;
  rows(text: string): Promise<readonly Row[]>;
  /** What happens when its process dies. */
  cut(): void;
  end(): Promise<void>;
}

/** What the tests of schemas ask of a kind of database. */
export interface SchemaServer {
  readonly schema: Schema;
  naming(scope: string): Naming;
  /** A new and empty database. */
  fresh(): Promise<{ readonly url: string; drop(): Promise<void> }>;
  connect(url: string): Promise<Connection>;
}

export const schemaServers: { readonly [dialect in DialectName]: SchemaServer | null } = {
  sqlite: {
    schema: sqliteSchema,
    naming: (prefix) => prefixNaming({ prefix }, '"'),
    fresh: async () => {
      const folder = mkdtempSync(join(tmpdir(), "posthorn-schema-"));
      return { url: join(folder, "db"), drop: async () => rmSync(folder, { recursive: true }) };
    },
    connect: async (url) => sqliteConnection(url),
  },
  postgres: {
    schema: postgresSchema,
    naming: (schema) => postgresNaming({ schema }),
    fresh: () => freshDatabase(postgresServer()),
    connect: postgresConnection,
  },
  mysql: mysqlServer(mariadbServer()),
};

/** A name for a prefix or schema. */
export const unused = (): string => `t${randomBytes(4).toString("hex")}_`;

function sqliteConnection(url: string): Connection {
  const db = new DatabaseSync(url, { timeout: 0 });
  db.exec("pragma journal_mode = wal");
  const execute = ({ text, params }: Statement): Reply => {
    const statement = db.prepare(text);
    return statement.columns().length > 0
      ? { rows: statement.all(...params), affected: 0 }
      : { rows: [], affected: Number(statement.run(...params).changes) };
  };
  const begin = async (): Promise<void> => {
    await connection.before("begin immediate");
    try {
      db.exec("begin immediate");
    } catch (error) {
      if (!/database is locked/.test(String(error))) throw error;
      await setImmediate();
      await begin();
    }
  };
  const connection = connectionOf(execute, begin, {
    run: async (text) => db.exec(text),
    cut: () => db.close(),
    end: async () => {
      if (db.isOpen) db.close();
    },
  });
  return connection;
}

async function postgresConnection(url: string): Promise<Connection> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  const execute = async ({ text, params }: Statement): Promise<Reply> => {
    const { rows, rowCount } = await client.query<Row>(numbered(text), [...params]);
    return { rows, affected: rowCount ?? 0 };
  };
  const begin = async (): Promise<void> => {
    await client.query("begin isolation level read committed");
  };
  return connectionOf(execute, begin, {
    run: async (text) => {
      await client.query(text);
    },
    cut: () => client.connection.stream.destroy(),
    end: () => client.end(),
  });
}

function mysqlServer(server: string | null): SchemaServer | null {
  if (server === null) return null;
  return {
    schema: mysqlSchema,
    naming: (prefix) => prefixNaming({ prefix }, "`"),
    fresh: () => freshDatabase(server),
    connect: mysqlConnection,
  };
}

async function mysqlConnection(url: string): Promise<Connection> {
  const client = await createConnection({ uri: url, multipleStatements: true });
  client.on("error", () => {});
  const execute = async ({ text, params }: Statement): Promise<Reply> => {
    const [result] = await client.query<RowDataPacket[] | ResultSetHeader>(text, [...params]);
    return Array.isArray(result)
      ? { rows: result, affected: 0 }
      : { rows: [], affected: result.affectedRows };
  };
  const begin = async (): Promise<void> => {
    await client.query("begin");
  };
  return connectionOf(execute, begin, {
    run: async (text) => {
      await client.query(text);
    },
    cut: () => client.destroy(),
    end: () => client.end(),
  });
}

function connectionOf(
  execute: (statement: Statement) => Reply | Promise<Reply>,
  begin: () => Promise<void>,
  rest: Pick<Connection, "run" | "cut" | "end">,
): Connection {
  const watched = async (statement: Statement): Promise<Reply> => {
    await connection.before(statement.text);
    return execute(statement);
  };
  const connection: Connection = {
    ...rest,
    before: () => {},
    rows: async (text) => (await execute({ text, params: [] })).rows,
    database: {
      query: (script) => playAsync(script(), watched),
      transact: async (script) => {
        await begin();
        try {
          const result = await playAsync(script(), watched);
          await rest.run("commit");
          return result;
        } catch (error) {
          await rest.run("rollback").catch(() => {});
          throw error;
        }
      },
    },
  };
  return connection;
}
