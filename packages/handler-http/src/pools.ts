import { type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";

/** Keep-alive connections, by origin and by whose webhooks go through them. */
export interface Pools {
  /** What sends an organization's webhooks to this origin. */
  at(origin: string, organization: string): Dispatcher;
}

const MOST_POOLS = 1_024;
/** Node's servers close idle connections after five seconds: a request must not meet that moment. */
const IDLE_MS = 4_000;
/** However often it is used, no connection is kept for longer when its name leads elsewhere. */
const LONGEST_LIFE_MS = 60_000;
const LARGEST_HEADERS = 16_384;

const limits = {
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

interface Opened {
  readonly pool: Dispatcher;
  /** When it is too old to be used, by `performance.now`. */
  readonly until: number;
}

/**
 * Organizations share no connection: on one, a server that misreads where a request ends would take
 * what one organization sends for the beginning of another's, and one with many slow calls would
 * have all others wait for a free one. The pool that was idle for longest makes room for another.
 */
function pools(open: (origin: string, organization: string) => Dispatcher): Pools {
  const opened = new Map<string, Opened>();
  const fresh = (origin: string, organization: string): Opened => ({
    pool: open(origin, organization),
    until: performance.now() + LONGEST_LIFE_MS,
  });
  /** Ends what is in flight first. */
  const retire = (key: string, { pool }: Opened): void => {
    opened.delete(key);
    void pool.close();
  };
  return {
    at: (origin, organization) => {
      // Origins have no blanks, so no two pairs make the same key.
      const key = `${origin} ${organization}`;
      const found = opened.get(key);
      const isOld = found !== undefined && found.until < performance.now();
      if (isOld) retire(key, found);
      const known = found === undefined || isOld ? fresh(origin, organization) : found;
      opened.delete(key);
      opened.set(key, known);
      const [oldest] = opened;
      if (opened.size > MOST_POOLS && oldest !== undefined) retire(...oldest);
      return known.pool;
    },
  };
}
