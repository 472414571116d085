import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import { findPostgres } from "../../test/find-servers.ts";
import { freshDatabase, postgresServer } from "../../test/servers.ts";
import type { Peer } from "./peers/peer.ts";

/** Where contestants meet: one PostgreSQL, one Redis, one disk. */
export interface Ground {
  /** Null if there is none; then `leftOut` says why. */
  readonly redis: string | null;
  readonly leftOut: string | null;
  /** What the servers are, and what they promise, in words. */
  readonly servers: readonly string[];
  /** A new, empty place for a contestant. */
  place(on: Peer["on"]): Promise<Place>;
  release(): Promise<void>;
}

export interface Place {
  /** A URL, or the path of a file. */
  readonly at: string;
  /** After it was filled: lets the database know what is there, and write it down, before the clock runs. */
  rest(): Promise<void>;
  remove(): Promise<void>;
}

const REDIS = "POSTHORN_TEST_REDIS_URL";

export async function prepareGround(): Promise<Ground> {
  const postgres = await findPostgres({ durable: true });
  const redis = await findRedis();
  return {
    redis: redis.url,
    leftOut: redis.leftOut,
    servers: [await aboutPostgres(), ...(redis.url === null ? [] : [await aboutRedis(redis.url)])],
    place: (on) => places[on](redis.url ?? ""),
    release: () => postgres.release(),
  };
}

const places: { readonly [on in Peer["on"]]: (redis: string) => Promise<Place> } = {
  memory: async () => ({ at: "", rest: async () => {}, remove: async () => {} }),

  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), "posthorn-bench-"));
    return {
      at: join(folder, "bench.db"),
      rest: async () => {},
      remove: async () => rmSync(folder, { recursive: true }),
    };
  },

  postgres: async () => {
    const { url, drop } = await freshDatabase(postgresServer());
    return {
      at: url,
      rest: () =>
        onPostgres(url, async (client) => {
          await client.query("vacuum analyze");
          await client.query("checkpoint");
        }),
      remove: drop,
    };
  },

  redis: async (server) => {
    const url = new URL(server);
    const prefix = `posthorn-bench-${randomBytes(6).toString("hex")}`;
    url.searchParams.set("keyPrefix", prefix);
    return {
      at: url.href,
      rest: async () => {},
      remove: () =>
        onRedis(server, async (redis) => {
          for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 10_000 })) {
            if (keys.length > 0) await redis.unlink(keys);
          }
        }),
    };
  },
};

async function findRedis(): Promise<{
  readonly url: string | null;
  readonly leftOut: string | null;
}> {
  const given = process.env[REDIS] ?? "";
  const url = given === "" ? "redis://127.0.0.1:6379" : given;
  try {
    await onRedis(url, (redis) => redis.ping());
    return { url, leftOut: null };
  } catch (error) {
    if (given !== "")
      throw new Error(`${REDIS} is ${given}, but no Redis answers there`, { cause: error });
    return {
      url: null,
      leftOut: `BullMQ (no Redis answers on port 6379). Bring it in: apt-get install redis-server, or ${REDIS}=redis://… pnpm bench`,
    };
  }
}

const aboutPostgres = (): Promise<string> =>
  onPostgres(postgresServer(), async (client) => {
    const names = [
      "server_version",
      "synchronous_commit",
      "fsync",
      "full_page_writes",
      "shared_buffers",
      "max_wal_size",
    ];
    const settings = await Promise.all(
      names.map(async (name) => {
        const { rows } = await client.query("select current_setting($1) as value", [name]);
        return name === "server_version"
          ? `PostgreSQL ${rows[0].value}`
          : `${name}=${rows[0].value}`;
      }),
    );
    return settings.join(", ");
  });

const aboutRedis = (url: string): Promise<string> =>
  onRedis(url, async (redis) => {
    const version = /redis_version:(\S+)/.exec(await redis.info("server"))?.[1];
    const [, appendonly] = (await redis.config("GET", "appendonly")) as string[];
    const [, appendfsync] = (await redis.config("GET", "appendfsync")) as string[];
    const kept = appendonly === "yes" ? `appendfsync=${appendfsync}` : "nothing persisted";
    return `Redis ${version}, ${kept}`;
  });

async function onPostgres<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function onRedis<Result>(
  url: string,
  work: (redis: Redis) => Promise<Result>,
): Promise<Result> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  try {
    await redis.connect();
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
