import type { ParsedArguments } from "./arguments.ts";
import type { JsonObject } from "./json.ts";
import type { Messages } from "./messages.ts";
import { authTest, conversationsInfo, type Method } from "./method.ts";
import { postMessage } from "./post-message.ts";
import { CHANNEL_RATE, createBuckets, METHOD_RATES, type Rate, TEAM_RATE } from "./rate.ts";
import { Refusal } from "./refusal.ts";
import type { FakeChannel, FakeToken, World } from "./workspace.ts";

/** The rules that a test may change; each has a default that behaves like Slack. */
export interface ApiOptions {
  /** Epoch ms; `Date.now` unless given. Rates refill and `ts` grows by it. */
  readonly now?: () => number;
  /**
   * What happens to a `username` or icon without the scope `chat:write.customize`: Slack has been
   * seen to `reject` the whole message (lately, the default) and to `ignore` them.
   */
  readonly missingCustomize?: "reject" | "ignore";
  /** Messages to one channel: a burst of 25, then 1 a second. `false` for no limit. */
  readonly channelRate?: Rate | false;
  /** Messages of one app to one workspace: a burst of 100, then 5 a second. `false` for no limit. */
  readonly teamRate?: Rate | false;
  /** Calls of the other methods; overrides `auth.test` (600 a minute), `conversations.info` (50). */
  readonly methodRates?: Readonly<Record<string, Rate | false>>;
  /** The `Retry-After` of a 429: the true number of seconds unless given; `null` leaves it out. */
  readonly retryAfter?: number | string | null;
}

/** A request that was read: whose it is and what it is about. */
export interface ApiRequest {
  readonly method: string;
  readonly parsed: ParsedArguments;
  /** The token as it was sent, in the header or as a form parameter. */
  readonly presented: string | undefined;
  /** The token if the fake knows it. */
  readonly token: FakeToken | undefined;
  /** The channel if the token's workspace has it. */
  readonly channel: FakeChannel | undefined;
}

/** What is sent back: JSON, 200 unless it says otherwise. */
export interface ApiReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

/** The methods by name; `api.test` is not among them, because it needs no token. */
export const METHODS: ReadonlyMap<string, Method> = new Map([
  ["auth.test", authTest],
  ["chat.postMessage", postMessage],
  ["conversations.info", conversationsInfo],
]);

/**
 * Slack's Web API as a function from a request to a reply. It looks for trouble in the likely order
 * (Slack documents none): rate, form of the request, method, token, and then what the method says.
 */
export function createApi(
  world: World,
  messages: Messages,
  options: ApiOptions,
): (request: ApiRequest) => ApiReply {
  const { now = Date.now, missingCustomize = "reject", retryAfter } = options;
  const { channelRate = CHANNEL_RATE, teamRate = TEAM_RATE } = options;
  const methodRates = { ...METHOD_RATES, ...options.methodRates };
  const buckets = createBuckets();

  function reply(request: ApiRequest): ApiReply {
    const waitMs = takeFromBuckets(request);
    if (waitMs > 0) return rateLimited(waitMs);

    const warnings = [...request.parsed.warnings];
    const warn = (warning: string): void => {
      warnings.push(warning);
    };
    try {
      return { body: withWarnings({ ok: true, ...run(request, warn) }, warnings) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const body = { ok: false, error: error.error, ...error.extra };
      return { body: withWarnings(body, warnings) };
    }
  }

  function takeFromBuckets({ method, token, channel, parsed }: ApiRequest): number {
    if (token === undefined) return 0;
    const app = `${token.workspace} ${token.app}`;
    const wanted: { key: string; rate: Rate }[] = [];
    const want = (key: string, rate: Rate | false | undefined): void => {
      if (rate) wanted.push({ key: `${app} ${key}`, rate });
    };
    if (method === "chat.postMessage") {
      want(`channel ${channel?.id ?? String(parsed.values["channel"])}`, channelRate);
      want("team", teamRate);
    }
    want(`method ${method}`, methodRates[method]);
    return buckets.take(wanted, now());
  }

  function rateLimited(waitMs: number): ApiReply {
    const value = retryAfter === undefined ? Math.max(1, Math.ceil(waitMs / 1_000)) : retryAfter;
    return {
      status: 429,
      headers: value === null ? {} : { "retry-after": String(value) },
      body: { ok: false, error: "ratelimited" },
    };
  }

  function run(request: ApiRequest, warn: (warning: string) => void): JsonObject {
    const { method: name, parsed } = request;
    const { values } = parsed;
    if (parsed.error !== undefined) throw new Refusal(parsed.error);
    if (name === "api.test") {
      const error = values["error"];
      if (error !== undefined) throw new Refusal(String(error), { args: values });
      return { args: values };
    }
    const method = METHODS.get(name);
    if (method === undefined) throw new Refusal("unknown_method", { req_method: name });
    const token = authenticated(request);
    return method.run({ values, token, world, messages, now: now(), missingCustomize, warn });
  }

  return reply;
}

/** The header first, else the form parameter; a token in JSON or in the query does not count. */
function authenticated({ presented, token }: ApiRequest): FakeToken {
  if (presented === undefined) throw new Refusal("not_authed");
  if (token === undefined) throw new Refusal("invalid_auth");
  const refusal = STATE_ERRORS[token.state];
  if (refusal !== undefined) throw new Refusal(refusal);
  if (token.kind === "app") throw new Refusal("not_allowed_token_type");
  return token;
}

const STATE_ERRORS: Readonly<Record<FakeToken["state"], string | undefined>> = {
  active: undefined,
  revoked: "token_revoked",
  expired: "token_expired",
  inactive: "account_inactive",
  ip_blocked: "invalid_auth",
};

function withWarnings(body: JsonObject, warnings: readonly string[]): JsonObject {
  if (warnings.length === 0) return body;
  const metadata = body["response_metadata"] as JsonObject | undefined;
  return { ...body, warning: warnings.join(","), response_metadata: { ...metadata, warnings } };
}
