import { type Logger, nodeSystem, PosthornError, type System } from "@posthorn/core";
import { checkClient, type PgClient } from "./client.ts";

export interface PostgresTransportOptions {
  /**
   * Makes a client of the `pg` package that is not connected yet: `() => new pg.Client(url)`. Called
   * at once, for the first connection, and again for each that replaces a lost one. The transport
   * connects its clients, and ends them.
   *
   * The connection is for LISTEN alone. It must reach PostgreSQL itself: through a pooler in
   * transaction mode (PgBouncer's, for one) nothing would be heard.
   */
  readonly createClient: () => PgClient;
  /**
   * The same for all processes that share a storage, another for each storage in one database: a
   * lower-case letter or `_`, then lower-case letters, digits and `_`, at most 63 in all. Default
   * `posthorn`.
   */
  readonly channel?: string | undefined;
  /**
   * Whether events are told and heard, for `bus.on` listeners in other processes. Every role that
   * may connect to the database may listen and notify, whatever its rights to tables. Default true.
   */
  readonly events?: boolean | undefined;
  /**
   * How long the connection is silent before it is asked whether it is still there; if no answer
   * comes within 5 seconds, it is replaced. Milliseconds, 1,000 to 86,400,000, default 10,000.
   */
  readonly heartbeatMs?: number | undefined;
  /** Of pino's shape. Default: silent. */
  readonly logger?: Logger | undefined;
  /** Time, chance and ids. For tests and simulations. Default: the real ones. */
  readonly system?: System | undefined;
}

/** The options with every default in place, checked. */
export interface ResolvedOptions {
  readonly channel: string;
  readonly events: boolean;
  readonly heartbeatMs: number;
  readonly system: System;
  /** @throws PosthornError `invalid_options` for what is no client, and what `createClient` throws */
  createClient(): PgClient;
  /** Never throws. */
  log(level: keyof Logger, fields: object, message: string): void;
}

const CHANNEL = /^[a-z_][a-z0-9_]{0,62}$/;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** @throws PosthornError `invalid_options`, naming the option and what it may be */
export function resolveOptions(options: PostgresTransportOptions): ResolvedOptions {
  const { createClient, channel = "posthorn", events = true, heartbeatMs = 10_000 } = options ?? {};
  if (typeof createClient !== "function") {
    throw invalid("createClient must be a function, such as `() => new pg.Client(url)`.");
  }
  if (typeof channel !== "string" || !CHANNEL.test(channel)) {
    throw invalid(
      `channel is ${JSON.stringify(channel)}. Begin with a lower-case letter or "_", go on with lower-case letters, digits and "_", and use at most 63 in all.`,
    );
  }
  if (typeof events !== "boolean") {
    throw invalid(`events is ${JSON.stringify(events)}. It must be true or false.`);
  }
  if (!Number.isInteger(heartbeatMs) || heartbeatMs < 1_000 || heartbeatMs > DAY_MS) {
    throw invalid(
      `heartbeatMs is ${String(heartbeatMs)}. It must be an integer from 1000 to ${DAY_MS}.`,
    );
  }
  const { logger, system = nodeSystem() } = options;
  let first: PgClient | null = checkClient(createClient());
  return {
    channel,
    events,
    heartbeatMs,
    system,
    createClient: () => {
      const client = first ?? checkClient(createClient());
      first = null;
      return client;
    },
    log: (level, fields, message) => {
      try {
        const result: unknown = logger?.[level](fields, message);
        if (result instanceof Promise) result.catch(() => {});
      } catch {
        // A logger that fails has nobody left to tell.
      }
    },
  };
}

const invalid = (message: string): PosthornError => new PosthornError("invalid_options", message);
