import { randomBytes } from "node:crypto";
import { createConnection } from "mysql2/promise";
import pg from "pg";

/** `postgres://…`, or `embedded` for one of our own even if another runs here. */
export const POSTGRES = "POSTHORN_TEST_POSTGRES_URL";
/** `mysql://…`, or `none`. */
export const MARIADB = "POSTHORN_TEST_MYSQL_URL";

/** The URL of a PostgreSQL to make databases on: there always is one. */
export function postgresServer(): string {
  const url = process.env[POSTGRES];
  if (url === undefined) {
    throw new Error(
      `${POSTGRES} is not set: run the tests from the repository's root, with vitest.`,
    );
  }
  return url;
}

/**
 * The URL of a MariaDB, or MySQL, to make databases on; null if there is none. Then skip: what was
 * left out, and how to turn it on, is printed at the end of the run.
 */
export const mariadbServer = (): string | null => process.env[MARIADB] ?? null;

/** A database with a random name, and nothing in it. */
export interface FreshDatabase {
  readonly url: string;
  /** Ends whatever is still connected to it. */
  drop(): Promise<void>;
}

/** Takes about 50 ms on PostgreSQL and 5 ms on MariaDB; a schema in a database takes 2 ms. */
export async function freshDatabase(server: string): Promise<FreshDatabase> {
  const isMariadb = server.startsWith("mysql:");
  const name = `posthorn_test_${randomBytes(6).toString("hex")}`;
  const create = `create database ${name}`;
  await (isMariadb ? sayToMariadb(server, create) : onPostgres(server, (c) => c.query(create)));
  const url = new URL(server);
  url.pathname = name;
  return {
    url: url.href,
    drop: () =>
      isMariadb
        ? sayToMariadb(server, `drop database ${name}`)
        : onPostgres(server, (client) => dropOnPostgres(client, name)),
  };
}

/** Pools that have ended still say goodbye, and take it ill if their connections are cut. */
async function dropOnPostgres(client: pg.Client, name: string): Promise<void> {
  const connected = "select from pg_stat_activity where datname = $1";
  for (let looks = 0; looks < 200; looks += 1) {
    if ((await client.query(connected, [name])).rowCount === 0) break;
  }
  await client.query(`drop database ${name} with (force)`);
}

async function onPostgres(
  url: string,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function sayToMariadb(url: string, statement: string): Promise<void> {
  const connection = await createConnection({ uri: url, connectTimeout: 5_000 });
  try {
    await connection.query(statement);
  } finally {
    await connection.end();
  }
}
