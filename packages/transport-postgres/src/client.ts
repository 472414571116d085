import { PosthornError } from "@posthorn/core";

/** What the transport uses of a `Client` of the `pg` package. */
export interface PgClient {
  connect(): Promise<unknown>;
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
  on(
    event: "notification",
    listener: (notification: {
      readonly channel: string;
      readonly payload?: string | undefined;
    }) => void,
  ): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  end(): Promise<void>;
  /** Where the socket is, to give up one that no longer answers. */
  readonly connection?: { readonly stream?: { destroy(): unknown } | undefined } | undefined;
}

/**
 * What `createClient` answered, if it is a client.
 *
 * @throws PosthornError `invalid_options`
 */
export function checkClient(client: PgClient): PgClient {
  const methods = ["connect", "query", "on", "end"] as const;
  const lacking = methods.filter((name) => typeof client?.[name] !== "function");
  if (lacking.length > 0) throw notClient(`something without ${lacking.join(", ")}`);
  if ("totalCount" in client) throw notClient("a Pool");
  return client;
}

const notClient = (what: string): PosthornError =>
  new PosthornError(
    "invalid_options",
    `createClient answered ${what}. It must answer a new client of the pg package, not yet connected, such as \`new pg.Client(url)\`: LISTEN needs a connection of its own.`,
  );
