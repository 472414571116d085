import { type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";
import { noting } from "./send.ts";

/** Keep-alive connections, by origin. */
export interface Pools {
  /** What sends to this origin. */
  at(origin: string): Dispatcher;
}

const MOST_ORIGINS = 256;
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

/** Pools that connect for themselves. The one that was idle for longest makes room for another. */
export function directPools(connect: buildConnector.connector, connections: number): Pools {
  const pools = new Map<string, { readonly pool: Pool; readonly noting: Dispatcher }>();
  const opened = (origin: string): { readonly pool: Pool; readonly noting: Dispatcher } => {
    const pool = new Pool(origin, { ...limits, connections, connect });
    return { pool, noting: noting(pool) };
  };
  return {
    at: (origin) => {
      const known = pools.get(origin) ?? opened(origin);
      pools.delete(origin);
      pools.set(origin, known);
      const [oldest] = pools;
      if (pools.size > MOST_ORIGINS && oldest !== undefined) {
        pools.delete(oldest[0]);
        void oldest[1].pool.close();
      }
      return known.noting;
    },
  };
}

/** Everything through one proxy, with CONNECT. Which addresses it dials is the proxy's business. */
export function proxyPools(proxyUrl: string, connections: number): Pools {
  const agent = new ProxyAgent({ ...limits, connections, uri: proxyUrl, proxyTunnel: true });
  const dispatcher = noting(agent);
  return { at: () => dispatcher };
}
