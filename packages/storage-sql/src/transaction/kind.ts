import { isSqlTransaction } from "./transaction.ts";

/** A function that wraps a kind of object, as hosts call it. */
export type AdapterCall = `${string}Transaction(${string})`;

/** A kind of object that hosts may give as a transaction, by mistake or rightly. */
export interface Kind {
  readonly name: string;
  readonly is: (given: Members) => boolean;
  /** What wraps it, if anything does. */
  readonly adapter?: AdapterCall;
  /** What to do instead, if nothing does. */
  readonly instead?: string;
}

interface Members {
  readonly [name: string]: unknown;
}

/** No library is imported: what its objects can do tells them apart. */
export const kindOf = (given: unknown): Kind | undefined =>
  (typeof given === "object" && given !== null) || typeof given === "function"
    ? KINDS.find(({ is }) => is(given as Members))
    : undefined;

const can = (given: Members, ...methods: readonly string[]): boolean =>
  methods.every((method) => typeof given[method] === "function");

const ANY_CONNECTION = "which may run each query on another connection, outside your transaction";

const KINDS: readonly Kind[] = [
  {
    name: "a transaction that is wrapped already",
    is: isSqlTransaction,
    instead: "Pass it to Posthorn as it is.",
  },
  { name: "a promise", is: (given) => can(given, "then"), instead: "Await it first." },

  {
    name: `a pg Pool, ${ANY_CONNECTION}`,
    is: (given) => can(given, "connect", "query") && typeof given["totalCount"] === "number",
    instead:
      "Begin the transaction on a client, and pass that: const client = await pool.connect().",
  },
  {
    name: "a pg client",
    is: (given) =>
      can(given, "query") && (can(given, "getTransactionStatus") || can(given, "escapeLiteral")),
    adapter: "pgTransaction(client)",
  },

  {
    name: "the sql of a postgres.js transaction",
    is: (given) => can(given, "unsafe", "savepoint"),
    adapter: "postgresJsTransaction(sql)",
  },
  {
    name: "a postgres.js sql that is not in sql.begin",
    is: (given) => can(given, "unsafe", "typed"),
    instead: "Pass the inner sql: sql.begin(async (sql) => …).",
  },

  {
    name: "a Kysely transaction",
    is: (given) => can(given, "selectFrom", "getExecutor") && given["isTransaction"] === true,
    adapter: "kyselyTransaction(trx)",
  },
  {
    name: `a Kysely instance, ${ANY_CONNECTION}`,
    is: (given) => can(given, "selectFrom", "getExecutor"),
    instead: "Pass the trx: db.transaction().execute(async (trx) => …).",
  },

  {
    name: "a Drizzle transaction",
    is: (given) => drizzleName(given).endsWith("Transaction"),
    adapter: "drizzleTransaction(tx)",
  },
  {
    name: `a Drizzle database, ${ANY_CONNECTION}`,
    is: (given) => drizzleName(given).endsWith("Database"),
    instead: "Pass the tx: db.transaction(async (tx) => …).",
  },

  {
    name: "a Knex transaction",
    is: (given) => can(given, "raw", "isCompleted"),
    adapter: "knexTransaction(trx)",
  },
  {
    name: `a Knex instance, ${ANY_CONNECTION}`,
    is: (given) => can(given, "raw", "transaction") && typeof given["client"] === "object",
    instead: "Pass the trx: knex.transaction(async (trx) => …).",
  },

  {
    name: "a TypeORM data source, which has no transaction of its own",
    is: (given) => can(given, "createQueryRunner", "getRepository"),
    instead: "Pass the manager: dataSource.transaction(async (manager) => …).",
  },
  {
    name: "a TypeORM query runner",
    is: (given) => can(given, "startTransaction", "commitTransaction", "query"),
    adapter: "typeormTransaction(manager)",
  },
  {
    name: "a TypeORM entity manager",
    is: (given) => can(given, "getRepository", "hasId", "query"),
    adapter: "typeormTransaction(manager)",
  },

  {
    name: `a Prisma client, ${ANY_CONNECTION}`,
    is: (given) => can(given, "$queryRawUnsafe", "$connect"),
    instead: "Pass the tx: prisma.$transaction(async (tx) => …).",
  },
  {
    name: "a Prisma transaction",
    is: (given) => can(given, "$queryRawUnsafe", "$executeRawUnsafe"),
    adapter: "prismaTransaction(tx)",
  },

  {
    name: "a MikroORM entity manager",
    is: (given) => can(given, "getTransactionContext", "isInTransaction"),
    adapter: "mikroOrmTransaction(em)",
  },

  {
    name: "a PGlite transaction",
    is: (given) => can(given, "query", "exec", "rollback") && typeof given["closed"] === "boolean",
    adapter: "pgliteTransaction(tx)",
  },
  {
    name: "a PGlite instance, whose queries run outside your transaction",
    is: (given) => can(given, "query", "exec", "transaction"),
    instead: "Pass the tx: db.transaction(async (tx) => …).",
  },

  {
    name: "a SQLite database",
    is: (given) =>
      can(given, "prepare", "exec") &&
      (typeof given["isTransaction"] === "boolean" || typeof given["inTransaction"] === "boolean"),
    adapter: "sqliteTransaction(db)",
  },

  {
    name: `a mysql2 pool, ${ANY_CONNECTION}`,
    is: (given) => can(given, "getConnection", "execute"),
    instead:
      "Begin the transaction on a connection, and pass that: const connection = await pool.getConnection().",
  },
  {
    name: "a mysql2 connection",
    is: (given) => can(given, "execute", "beginTransaction"),
    adapter: "mysqlTransaction(connection)",
  },
];

/** What Drizzle calls an object's class, such as NodePgTransaction. */
const drizzleName = (given: Members): string => {
  const type = given["constructor"];
  return typeof type === "function"
    ? String(Reflect.get(type, Symbol.for("drizzle:entityKind")))
    : "";
};
