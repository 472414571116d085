import type { DialectName } from "../dialect.ts";
import type { Row } from "../script.ts";
import {
  type Adapter,
  assertGiven,
  type Carrier,
  detectedTransaction,
  notOpen,
  refused,
} from "./adapter.ts";
import { returnsRows } from "./returns-rows.ts";
import { type DetectedTransaction, numbered } from "./transaction.ts";

const PRISMA: Adapter = {
  call: "prismaTransaction(tx)",
  takes: "the tx of prisma.$transaction(async (tx) => …)",
  source: "a Prisma transaction",
};

/** What Posthorn needs of the client that `prisma.$transaction` gives to its callback. */
interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...params: unknown[]): PromiseLike<unknown>;
  $executeRawUnsafe(text: string, ...params: unknown[]): PromiseLike<number>;
  /** A client outside of a transaction has it: it is refused. */
  readonly $connect?: never;
}

/**
 * Wraps an interactive transaction of Prisma on PostgreSQL, MySQL, MariaDB or SQLite.
 *
 * **Not run by us**: Prisma's engine could not be installed where Posthorn is tested. It is written
 * from Prisma's own source (7) and checked for what it refuses; try a rollback before you rely on it.
 *
 * Prisma itself tells whether the transaction is open, with the first statement. It ends one after
 * 5 seconds unless `timeout` says otherwise.
 *
 * @example
 * ```ts
 * await prisma.$transaction(async (tx) => {
 *   await tx.project.create({ data: { name: "web" } });
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: prismaTransaction(tx) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a transaction of Prisma on these.
 */
export function prismaTransaction(tx: PrismaTransaction): DetectedTransaction {
  assertGiven(tx, PRISMA);
  return detectedTransaction(PRISMA, onPrisma(tx));
}

function onPrisma(tx: PrismaTransaction): Carrier {
  const provider: unknown = Reflect.get(tx, "_activeProvider");
  const dialect = DIALECTS[String(provider)];
  if (dialect === undefined) {
    throw refused(PRISMA, `one on ${provider}`, `Use ${Object.keys(DIALECTS).join(", ")}.`);
  }
  return {
    dialect,
    isSync: false,
    isOpen: () => true,
    execute: async ({ text, params }) => {
      const sql = dialect === "postgres" ? numbered(text) : text;
      try {
        if (!returnsRows(text)) {
          return { rows: [], affected: await tx.$executeRawUnsafe(sql, ...params) };
        }
        const rows = (await tx.$queryRawUnsafe(sql, ...params)) as readonly Row[];
        return { rows, affected: rows.length };
      } catch (error) {
        throw Reflect.get(Object(error), "code") === ENDED ? notOpen(PRISMA) : error;
      }
    },
  };
}

/** "Transaction API error": it has ended, or took too long. */
const ENDED = "P2028";

const DIALECTS: { readonly [provider: string]: DialectName } = {
  postgresql: "postgres",
  mysql: "mysql",
  sqlite: "sqlite",
};
