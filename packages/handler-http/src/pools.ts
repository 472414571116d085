import { type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";
import { noting } from "./send.ts";

/** Keep-alive connections, by origin and by whose webhooks go through them. */
export interface Pools {
  /** What sends an organization's webhooks to this origin. */
  at(origin: string, organization: string): Dispatcher;
}

const MOST_POOLS = 1_024;
/** Node's servers close idle connections after five seconds: a request must not meet that moment. */
const IDLE_MS = 4_000;
/** However often it is used, a connection does not outlive a change of its name for longer. */
const LONGEST_LIFE_MS = 60_000;
const LARGEST_HEADERS = 16_384;

const limits = {
  clientTtl: LONGEST_LIFE_MS,
  keepAliveTimeout: IDLE_MS,
  keepAliveMaxTimeout: LONGEST_LIFE_MS,
  maxHeaderSize: LARGEST_HEADERS,
  pipelining: 1,
  allowH2: false,
  // The attempt's own deadline ends them all.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

/** Pools that connect for themselves. */
export const directPools = (
  connectorOf: (organization: string) => buildConnector.connector,
  connections: number,
): Pools =>
  pools(
    (origin, organization) =>
      new Pool(origin, { ...limits, connections, connect: connectorOf(organization) }),
  );

/** Everything through one proxy, with CONNECT. Which addresses it dials is the proxy's business. */
export const proxyPools = (proxyUrl: string, connections: number): Pools =>
  pools(() => new ProxyAgent({ ...limits, connections, uri: proxyUrl, proxyTunnel: true }));

/**
 * Organizations share no connection: on one, a server that misreads where a request ends would take
 * what one organization sends for the beginning of another's, and one with many slow calls would
 * have all others wait for a free one. The pool that was idle for longest makes room for another.
 */
function pools(open: (origin: string, organization: string) => Dispatcher): Pools {
  const opened = new Map<string, { readonly pool: Dispatcher; readonly noting: Dispatcher }>();
  const fresh = (
    origin: string,
    organization: string,
  ): { readonly pool: Dispatcher; readonly noting: Dispatcher } => {
    const pool = open(origin, organization);
    return { pool, noting: noting(pool) };
  };
  return {
    at: (origin, organization) => {
      // Origins have no blanks, so no two pairs make the same key.
      const key = `${origin} ${organization}`;
      const known = opened.get(key) ?? fresh(origin, organization);
      opened.delete(key);
      opened.set(key, known);
      const [oldest] = opened;
      if (opened.size > MOST_POOLS && oldest !== undefined) {
        opened.delete(oldest[0]);
        void oldest[1].pool.close();
      }
      return known.noting;
    },
  };
}
