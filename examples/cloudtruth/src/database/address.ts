import { Mistake } from "../mistake.ts";
import type { Connected } from "./database.ts";
import { mysql } from "./mysql.ts";
import { postgres } from "./postgres.ts";
import { sqlite } from "./sqlite.ts";

/** Where a database is. */
export interface DatabaseAddress {
  /** For people: without user and password. */
  readonly name: string;
  /** The path of a SQLite database. */
  readonly file: string | null;
  connect(): Connected;
}

/**
 * Reads the URL of a database: `file:…` or `sqlite:…` with a path, `postgres://…` or `mysql://…`.
 *
 * @throws Mistake if it is no such URL
 */
export function databaseAddress(url: string): DatabaseAddress {
  const [, scheme = "", path = ""] = /^(\w+):(?:\/\/(?=\/))?(.*)$/.exec(url) ?? [];
  if (URL.canParse(url)) {
    const { protocol, host, pathname } = new URL(url);
    const name = `${protocol}//${host}${pathname}`;
    switch (scheme) {
      case "file":
      case "sqlite":
        if (["", ":memory:"].includes(path)) break;
        return { name: path, file: path, connect: () => sqlite(path) };
      case "postgres":
      case "postgresql":
        return { name, file: null, connect: () => postgres(url) };
      case "mysql":
      case "mariadb":
        return { name, file: null, connect: () => mysql(url) };
    }
  }
  throw new Mistake(
    "DATABASE_URL must be the URL of a database that lasts: file:/path/to/cloudtruth.db, postgres://user:password@host/database or mysql://user:password@host/database",
  );
}
