import { Resolver } from "node:dns/promises";

/** One answer of a name server. */
export interface ResolvedAddress {
  readonly address: string;
  /** For how many seconds it may be believed. */
  readonly ttl: number;
}

/** Asks for all addresses of a name. Rejects if there are none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

const WITHIN_MS = 5_000;
const MOST_AT_ONCE = 256;
/** Name servers that keep silent are the trouble of those whose names they know. */
const MOST_AT_ONCE_EACH = 32;
const MOST_NAMES = 1_000;
const MOST_ADDRESSES = 32;
/** A name that changes with every answer is still asked for only so often. */
const SHORTEST_TTL_MS = 1_000;
const LONGEST_TTL_MS = 60_000;
const FAILURE_TTL_MS = 1_000;

/**
 * A resolver that answers within five seconds or not at all, believes what it was told for as long
 * as it may (a minute at most), and asks once where many ask the same. No organization has more than
 * a part of what can be asked at once.
 */
export function cachedResolver(
  resolve: Resolve,
): (hostname: string, organization: string) => Promise<readonly string[]> {
  const known = new Map<
    string,
    { readonly addresses: Promise<readonly string[]>; until: number }
  >();
  const turn = turns();

  async function ask(hostname: string, organization: string): Promise<readonly ResolvedAddress[]> {
    const done = await turn(organization);
    try {
      return await within(resolve(hostname));
    } finally {
      done();
    }
  }

  return (hostname, organization) => {
    const found = known.get(hostname);
    if (found !== undefined && performance.now() < found.until) return found.addresses;
    const answers = ask(hostname, organization);
    const entry = {
      until: Number.POSITIVE_INFINITY,
      addresses: answers.then((all) => {
        if (all.length === 0) throw new Error(`${hostname} has no address.`);
        if (all.length > MOST_ADDRESSES) throw new Error(`${hostname} has too many addresses.`);
        return all.map(({ address }) => address);
      }),
    };
    const believe = (forMs: number): void => {
      entry.until = performance.now() + forMs;
    };
    entry.addresses.then(
      async () => {
        const ttl = Math.min(...(await answers).map((answer) => answer.ttl)) * 1_000;
        believe(Math.min(Math.max(ttl || 0, SHORTEST_TTL_MS), LONGEST_TTL_MS));
      },
      () => believe(FAILURE_TTL_MS),
    );
    known.delete(hostname);
    known.set(hostname, entry);
    if (known.size > MOST_NAMES) known.delete(known.keys().next().value as string);
    return entry.addresses;
  };
}

/** Who may ask now; answers how to say that one has. */
function turns(): (organization: string) => Promise<() => void> {
  const waiting: { readonly organization: string; go(): void }[] = [];
  const asking = new Map<string, number>();
  let all = 0;
  const mayAsk = (organization: string): boolean =>
    all < MOST_AT_ONCE && (asking.get(organization) ?? 0) < MOST_AT_ONCE_EACH;
  const count = (organization: string, by: number): void => {
    all += by;
    const own = (asking.get(organization) ?? 0) + by;
    if (own === 0) asking.delete(organization);
    else asking.set(organization, own);
  };
  return async (organization) => {
    if (mayAsk(organization)) count(organization, 1);
    else await new Promise<void>((go) => waiting.push({ organization, go }));
    return () => {
      count(organization, -1);
      const next = waiting.findIndex((each) => mayAsk(each.organization));
      const [first] = next === -1 ? [] : waiting.splice(next, 1);
      if (first === undefined) return;
      count(first.organization, 1);
      first.go();
    };
  };
}

/**
 * Asks the machine's name servers, without the thread pool that `dns.lookup` shares with files: one
 * slow name would hold up everything else. The hosts file is not read.
 */
export const askNameServers: Resolve = async (hostname) => {
  const resolver = new Resolver({ timeout: 1_500, tries: 2 });
  const answers = await Promise.allSettled([
    resolver.resolve4(hostname, { ttl: true }),
    resolver.resolve6(hostname, { ttl: true }),
  ]);
  const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const [failure] = answers.flatMap((a) => (a.status === "rejected" ? [a.reason as Error] : []));
  if (found.length === 0 && failure !== undefined) throw failure;
  return found;
};

async function within<Value>(answer: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The name servers did not answer.")), WITHIN_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
