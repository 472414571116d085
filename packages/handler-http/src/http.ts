import {
  type Catalog,
  type CatalogEvent,
  type DeliverContext,
  defineHandler,
  type Event,
  type EventName,
  failed,
  type Gate,
  type Handler,
  type Outcome,
  PosthornError,
  type Verification,
  type VerifyContext,
} from "@posthorn/core";
import {
  configurationSchema,
  explain,
  type HttpConfiguration,
  type HttpConfigurationInput,
} from "./configuration.ts";
import { guardedConnector } from "./connect.ts";
import { credentialsOf } from "./credentials.ts";
import { createGuard, type GuardOptions, unknownKeys } from "./guard.ts";
import { handshake } from "./handshake.ts";
import { keyCache, newSecret, signingKey } from "./keys.ts";
import { type HttpMessage, type Transformed, transformedMessage, writeMessage } from "./message.ts";
import { directPools, proxyPools } from "./pools.ts";
import { outcomeOf } from "./reply.ts";
import { askNameServers, cachedResolver, type Resolve } from "./resolver.ts";
import { type Reply, send } from "./send.ts";
import { signatureHeaders } from "./sign.ts";

export interface HttpOptions<C extends Catalog = Catalog> {
  /** Where webhooks may go. Default: port 443 of hosts with public addresses. */
  readonly guard?: GuardOptions | undefined;
  /** What is sent for an event, in place of the customer's format; null leaves it at that. */
  readonly transform?: ((event: TransformedEvent<C>) => Transformed | null) | undefined;
  /** CloudEvents' `source`: a URI of yours. Default `posthorn`. */
  readonly source?: string | undefined;
  /**
   * Ask a receiver before anything is sent to it: it must repeat a challenge. So nobody can have you
   * call those who did not ask for it. Default false.
   */
  readonly handshake?: boolean | undefined;
  /** How long one attempt may take in all, in milliseconds. Default 15,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How many connections an organization may have to one origin at a time, 1 to 10,000. Default 128: more than
   * a bus has in flight unless its `concurrency` is raised.
   */
  readonly connections?: number | undefined;
  /** How much of an answer's text is recorded, in bytes; 0 to 4,096. Default 1,024. */
  readonly excerptBytes?: number | undefined;
  /** A proxy that everything goes through. It must judge addresses: names go to it unresolved. */
  readonly proxyUrl?: string | undefined;
  /** Who resolves names. Default: the machine's name servers. */
  readonly resolve?: Resolve | undefined;
}

/** What `transform` is given: an event of the catalog, or one that Posthorn itself sends. */
export type TransformedEvent<C extends Catalog> =
  string extends EventName<C> ? Event : CatalogEvent<C>;

/**
 * Delivers events as signed webhooks (Standard Webhooks 1.0), each as one POST to a URL.
 *
 * @throws PosthornError `invalid_options`
 */
export function http<C extends Catalog = Catalog>(
  options: HttpOptions<NoInfer<C>> = {},
): Handler<"http", HttpConfigurationInput, HttpConfiguration> {
  const { source = "posthorn", timeoutMs = 15_000, excerptBytes = 1_024, proxyUrl } = options;
  const { connections = 128 } = options;
  const strange = unknownKeys(options, NAMES);
  if (strange !== null) throw invalid(strange);
  if (!/^[!-~]+$/.test(source)) throw invalid("source must be a URI");
  if (!(Number.isInteger(excerptBytes) && excerptBytes >= 0 && excerptBytes <= 4_096)) {
    throw invalid("excerptBytes must be a whole number from 0 to 4,096");
  }
  if (!(Number.isInteger(connections) && connections >= 1 && connections <= 10_000)) {
    throw invalid("connections must be a whole number from 1 to 10,000");
  }
  if (proxyUrl !== undefined && !/^https?:$/.test(URL.parse(proxyUrl)?.protocol ?? "")) {
    throw invalid("proxyUrl must be an http or https URL");
  }
  const guard = createGuard(options.guard);
  const resolve = cachedResolver(options.resolve ?? askNameServers);
  const pools =
    proxyUrl === undefined
      ? directPools(
          (organization) => guardedConnector(guard, (hostname) => resolve(hostname, organization)),
          connections,
        )
      : proxyPools(proxyUrl, connections);
  const transform = options.transform as ((event: Event) => Transformed | null) | undefined;
  const keyOf = keyCache();
  const mustConfirm = options.handshake ?? false;

  /** The one way out: whatever is sent, the guard sees it first. */
  async function post(
    configuration: HttpConfiguration,
    { id, organization, message, secrets, signal }: Post,
  ): Promise<Reply | { readonly problem: string }> {
    const { headers, secret_headers, authorization } = configuration;
    const checked = guard.checkUrl(configuration.url);
    if ("problem" in checked) return { problem: explain(checked.problem) };
    const signature = signatureHeaders(
      { id, body: message.body, at: Date.now() },
      secrets.map(keyOf),
    );
    return send(pools.at(checked.url.origin, organization), {
      url: checked.url,
      body: message.body,
      headers: {
        ...headers,
        ...secret_headers,
        ...(authorization !== null && { authorization }),
        "user-agent": "posthorn-handler-http",
        "accept-encoding": "identity",
        ...message.headers,
        ...signature,
      },
      signal,
      excerptBytes,
      credentials: () => credentialsOf(configuration, secrets),
      proxied: proxyUrl !== undefined,
    });
  }

  /** Null if the receiver has confirmed that it wants webhooks. */
  async function ask(
    configuration: HttpConfiguration,
    { organization, secrets, signal }: Omit<Post, "id" | "message">,
  ): Promise<Reply | { readonly problem: string } | null> {
    const now = Date.now();
    const { id, body, isConfirmedBy } = handshake(now);
    const message = { body, headers: { "content-type": "application/json" } };
    const reply = await post(configuration, { id, organization, message, secrets, signal });
    return "problem" in reply || !isConfirmedBy(reply) ? reply : null;
  }

  async function verify(
    configuration: HttpConfiguration,
    { organization, signal }: VerifyContext,
  ): Promise<Verification> {
    const { secret } = configuration;
    const secrets = secret === null ? [] : [secret];
    const refusal = await ask(configuration, { organization, secrets, signal });
    if (refusal === null) return { status: "ok" };
    if ("problem" in refusal || refusal.status === null) {
      return { status: "unverified", detail: "The receiver could not be asked yet." };
    }
    return { status: "refused", issues: [{ key: "url", message: UNCONFIRMED }] };
  }

  return defineHandler({
    type: "http",
    description: "Posts signed events to a URL.",
    configuration: configurationSchema(guard),
    secrets: ["secret", "authorization", "secret_headers"],
    generates: {
      key: "secret",
      create: ({ signature }, random) => newSecret(signature === "v1a" ? "v1a" : "v1", random),
      shown: (secret) => signingKey(secret)?.shown ?? secret,
    },
    timeoutMs,
    gates: ({ url }) => gatesOf(url, proxyUrl !== undefined),
    ...(mustConfirm && { verify }),

    async deliver(context) {
      const { event, configuration, signal, logger, previousSecrets = [] } = context;
      const { secret } = configuration;
      if (secret === null) {
        return failed("The webhook has no secret", { remedy: "Rotate its secret." });
      }
      const { organization } = context.subscription;
      const secrets = [secret, ...previousSecrets];
      if (mustConfirm && !hasConfirmed(context.state)) {
        const refusal = await ask(configuration, { organization, secrets, signal });
        if (refusal !== null) return unconfirmed(refusal);
      }
      let message: HttpMessage;
      try {
        const transformed = transform?.(event) ?? null;
        message =
          transformed === null
            ? writeMessage(event, configuration.format, source)
            : transformedMessage(transformed);
      } catch (error) {
        return transformThrew(event.type, error);
      }
      const sent = { ...message, headers: { ...traceOf(context), ...message.headers } };
      const reply = await post(configuration, {
        id: event.id,
        organization,
        message: sent,
        secrets,
        signal,
      });
      if ("problem" in reply) return blocked(reply.problem);
      if (reply.status === null) {
        const { trouble, cause } = reply;
        const fields = { subscription: context.subscription.id, trouble, cause: describe(cause) };
        logger.debug(fields, "A webhook was not answered.");
      }
      const outcome = outcomeOf(reply, Date.now());
      return mustConfirm ? { ...outcome, state: CONFIRMED } : outcome;
    },
  });
}

interface Post {
  readonly id: string;
  readonly organization: string;
  readonly message: HttpMessage;
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * A wrong path is that webhook's own trouble; a host that cannot be reached, or asks to wait, is all
 * of its webhooks'.
 */
const gatesOf = (url: string, proxied: boolean): readonly Gate[] => [
  { name: "webhook", key: url },
  { name: "host", key: new URL(url).origin },
  ...(proxied ? [{ name: "proxy", key: "proxy" }] : []),
];

const CONFIRMED = { confirmed: true } as const;
const UNCONFIRMED =
  "The receiver does not confirm that it wants webhooks: it must answer a `webhook_verification` with its challenge.";

const hasConfirmed = (state: unknown): boolean =>
  typeof state === "object" && state !== null && "confirmed" in state && state.confirmed === true;

function unconfirmed(refusal: Reply | { readonly problem: string }): Outcome {
  if ("problem" in refusal) return blocked(refusal.problem);
  const outcome = outcomeOf(refusal, Date.now());
  return outcome.type === "delivered" ? failed(UNCONFIRMED) : outcome;
}

/** The host's rules have changed since the URL was saved. */
const blocked = (problem: string): Outcome =>
  failed("The URL is not allowed", {
    remedy: problem,
    details: { status: null, error: "blocked_address", phase: "url", duration_ms: 0 },
  });

/** W3C Trace Context, as the publisher gave it. */
function traceOf({ event: { trace } }: DeliverContext): Record<string, string> {
  const fit = (value: string | undefined): value is string =>
    value !== undefined && /^[\x20-\x7e]{1,512}$/.test(value);
  if (!fit(trace?.traceparent)) return {};
  return {
    traceparent: trace.traceparent,
    ...(fit(trace.tracestate) && { tracestate: trace.tracestate }),
  };
}

/** A corrected transform heals what still waits, so it is not the event's fault for good. */
function transformThrew(eventType: string, error: unknown): Outcome {
  const why = error instanceof Error ? error.message : String(error);
  return failed(`The transform for ${eventType} threw: ${why}`, {
    remedy: "Correct the transform and deploy it.",
  });
}

const LONGEST_MESSAGE = 500;

/** For the operator's log: codes and addresses, which no customer sees. */
function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  const { code = "", address = "" } = cause as NodeJS.ErrnoException & { address?: string };
  // Certificates and servers have a part in such messages.
  const message = cause.message.slice(0, LONGEST_MESSAGE).replaceAll(/\p{Cc}/gu, "\ufffd");
  return [code, address, message].filter((part) => part !== "").join(" ");
}

const NAMES = Object.keys({
  guard: true,
  transform: true,
  source: true,
  handshake: true,
  timeoutMs: true,
  connections: true,
  excerptBytes: true,
  proxyUrl: true,
  resolve: true,
} satisfies { readonly [Name in keyof HttpOptions]-?: true });

const invalid = (message: string): PosthornError =>
  new PosthornError("invalid_options", `http({ … }): ${message}.`);
