import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { SqliteDialect, type SqliteDialectConfig } from "kysely";
import type { Connected } from "./database.ts";

/** The app has one connection to the file, and Posthorn another. */
export function sqlite(file: string): Connected {
  const connection = new DatabaseSync(file, { timeout: 5_000 });
  return {
    dialect: new SqliteDialect({ database: asKyselyExpects(connection) }),
    storage: sqliteStorage({ file }),
    close: async () => connection.close(),
  };
}

/** Kysely knows better-sqlite3, whose shape differs a little from that of node:sqlite. */
function asKyselyExpects(connection: DatabaseSync): SqliteDialectConfig["database"] {
  return {
    close: () => connection.close(),
    prepare: (text) => {
      // A plain "begin" takes the lock late, and fails if others wrote after its first read.
      const statement = connection.prepare(text === "begin" ? "begin immediate" : text);
      return {
        reader: statement.columns().length > 0,
        all: (values) => statement.all(...(values as SQLInputValue[])),
        run: (values) => statement.run(...(values as SQLInputValue[])),
        iterate: (values) => statement.iterate(...(values as SQLInputValue[])),
      };
    },
  };
}
