import type { Reply, Row } from "../script.ts";
import { type Connections, POSTGRES_SETTINGS } from "./connections.ts";
import type { PreparedStatements } from "./prepared.ts";
import { type Emitter, lending, type Session, watch } from "./session.ts";

/** The part of pg's `Pool` that Posthorn uses. */
export interface PgPool {
  connect(): Promise<PgClient>;
  readonly totalCount: number;
}

interface PgClient extends Emitter {
  query(query: PgQuery): Promise<PgResult>;
  release(error?: boolean): void;
}

interface PgQuery {
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

interface PgResult {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

export const isPgPool = (given: unknown): given is PgPool => {
  const { connect, totalCount } = Object(given) as Partial<PgPool>;
  return typeof connect === "function" && typeof totalCount === "number";
};

const BEGIN = `begin isolation level read committed; ${POSTGRES_SETTINGS}`;

export const pgConnections = (
  pool: PgPool,
  statements: PreparedStatements,
  prepare: boolean,
): Connections =>
  lending(async (): Promise<Session> => {
    const client = await pool.connect();
    const watched = watch(client);
    const say = async (text: string): Promise<void> => {
      await client.query({ text });
    };
    return {
      execute: async ({ text, params }) => {
        if (params.length === 0) return answer(await client.query({ text }));
        const prepared = statements.of(text);
        const query = { text: prepared.text, values: [...params] };
        try {
          return answer(await client.query(prepare ? { ...query, name: prepared.name } : query));
        } catch (error) {
          statements.heed(error, prepared);
          throw error;
        }
      },
      begin: () => say(BEGIN),
      finish: async () => {},
      commit: () => say("commit"),
      rollback: () => say("rollback"),
      loss: watched.loss,
      release: () => {
        watched.end();
        client.release();
      },
      destroy: () => {
        watched.end();
        client.release(true);
      },
    };
  });

const answer = ({ rows, rowCount }: PgResult): Reply => ({ rows, affected: rowCount ?? 0 });
