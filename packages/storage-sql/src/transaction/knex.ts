import type { DialectName } from "../dialect.ts";
import type { Reply, Row } from "../script.ts";
import {
  type Adapter,
  assertGiven,
  type Carrier,
  detectedTransaction,
  refused,
} from "./adapter.ts";
import { returnsRows } from "./returns-rows.ts";
import type { DetectedTransaction } from "./transaction.ts";

const KNEX: Adapter = {
  call: "knexTransaction(trx)",
  takes: "the trx of knex.transaction(async (trx) => …)",
  source: "a Knex transaction",
};

/** What Posthorn needs of a `Transaction` of Knex. */
interface KnexTransaction {
  isCompleted(): boolean;
  readonly client: KnexClient;
}

interface KnexClient {
  readonly dialect: string;
  acquireConnection(): Promise<unknown>;
  query(connection: unknown, query: KnexQuery): Promise<KnexAnswer>;
}

interface KnexQuery {
  readonly sql: string;
  readonly bindings: unknown[];
  /** Matters to sqlite3 alone, which counts changes for an `update` only. */
  readonly method: "raw" | "update";
}

/** What the driver answered, as it is. */
interface KnexAnswer {
  readonly response: unknown;
  readonly context?: { readonly changes?: number };
}

/**
 * Wraps a transaction of Knex, nested ones too, on pg, mysql2 or better-sqlite3. The
 * replies to what Posthorn does do not go through `postProcessResponse`.
 *
 * @example
 * ```ts
 * await knex.transaction(async (trx) => {
 *   await trx("projects").insert({ name: "web" });
 *   await bus.publish("project_created", { name: "web" }, { organization, tx: knexTransaction(trx) });
 * });
 * ```
 *
 * @throws PosthornError `unknown_transaction` if it is not a transaction of Knex on these.
 */
export function knexTransaction(trx: KnexTransaction): DetectedTransaction {
  assertGiven(trx, KNEX);
  return detectedTransaction(KNEX, onKnex(trx));
}

export function onKnex(trx: KnexTransaction): Carrier {
  const { client } = trx;
  const database = DATABASES[client.dialect];
  if (database === undefined) {
    throw refused(KNEX, `one on ${client.dialect}`, "Posthorn has no storage there.");
  }
  return {
    dialect: database.dialect,
    isSync: false,
    isOpen: () => !trx.isCompleted(),
    execute: async ({ text, params }) => {
      const answer = await client.query(await client.acquireConnection(), {
        sql: text,
        bindings: [...params],
        method: returnsRows(text) ? "raw" : "update",
      });
      return database.reply(answer);
    },
  };
}

interface Database {
  readonly dialect: DialectName;
  reply(answer: KnexAnswer): Reply;
}

const DATABASES: { readonly [dialect: string]: Database } = {
  postgresql: {
    dialect: "postgres",
    reply: ({ response }) => {
      const { rows, rowCount } = response as { rows: Row[]; rowCount: number | null };
      return { rows, affected: rowCount ?? 0 };
    },
  },
  mysql: {
    dialect: "mysql",
    reply: ({ response }) => {
      const [reply] = response as [Row[] | { affectedRows: number }];
      return Array.isArray(reply)
        ? { rows: reply, affected: reply.length }
        : { rows: [], affected: reply.affectedRows };
    },
  },
  sqlite3: {
    dialect: "sqlite",
    reply: ({ response, context }) =>
      Array.isArray(response)
        ? { rows: response as Row[], affected: response.length }
        : { rows: [], affected: context?.changes ?? 0 },
  },
};
