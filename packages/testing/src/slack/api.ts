import type { ParsedArguments } from "./arguments.ts";
import { BLOCKS_BUDGET } from "./blocks.ts";
import {
  conversationsHistory,
  conversationsInfo,
  conversationsJoin,
  conversationsList,
} from "./conversations.ts";
import { deleteMessage, updateMessage } from "./edit-message.ts";
import type { JsonObject } from "./json.ts";
import { validateManifest } from "./manifest.ts";
import type { Messages } from "./messages.ts";
import { authTest, type Call, type Method, type Rules } from "./method.ts";
import { postMessage } from "./post-message.ts";
import { CHANNEL_RATE, createBuckets, METHOD_RATES, type Rate, TEAM_RATE } from "./rate.ts";
import { Refusal } from "./refusal.ts";
import type { FakeChannel, FakeToken, FakeWorkspace, World } from "./workspace.ts";

/** The rules that a test may change; each has a default that behaves like Slack. */
export interface ApiOptions {
  /** Epoch ms; `Date.now` unless given. Rates refill and `ts` grows by it. */
  readonly now?: () => number;
  /**
   * What happens to a `username` or icon without the scope `chat:write.customize`: Slack has been
   * seen to `reject` the whole message (lately, the default) and to `ignore` them.
   */
  readonly missingCustomize?: "reject" | "ignore";
  /** An empty `username`: one report says that Slack refuses it, the default. */
  readonly emptyUsername?: "reject" | "ignore";
  /** May a member post to a private channel by its name? Reports say no, the default. */
  readonly privateByName?: boolean;
  /** Is a second message with the same `client_msg_id` dropped? Nobody has shown it: `false`. */
  readonly dedupeClientMsgId?: boolean;
  /** Which `ts` is returned when a text becomes several messages: not known. Default `first`. */
  readonly splitReturns?: "first" | "last";
  /** Is a long text split beside blocks too, where it is only the fallback? Default `true`. */
  readonly splitBesideBlocks?: boolean;
  /** Blocks, attachments and metadata as strings within JSON: refused unless `accept`. */
  readonly stringsInJson?: "reject" | "accept";
  /** The budget for all text in a message's blocks. Default 13,200 (measured by third parties). */
  readonly blocksBudget?: number;
  /**
   * What becomes of a message above a rate: HTTP 429 (the default), HTTP 200 with `rate_limited`
   * and no `Retry-After`, or `ok` for a message that readers are not shown ("some messages from
   * your app are not being displayed"): it is stored as `hidden`.
   */
  readonly aboveRate?: "429" | "200" | "hide";
  /** A workspace of a free plan takes this many messages, then `message_limit_exceeded`. */
  readonly messageLimit?: number;
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
  ["apps.manifest.validate", validateManifest],
  ["auth.test", authTest],
  ["chat.delete", deleteMessage],
  ["chat.postMessage", postMessage],
  ["chat.update", updateMessage],
  ["conversations.history", conversationsHistory],
  ["conversations.info", conversationsInfo],
  ["conversations.join", conversationsJoin],
  ["conversations.list", conversationsList],
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
  const { now = Date.now, aboveRate = "429", retryAfter } = options;
  const rules: Rules = {
    missingCustomize: options.missingCustomize ?? "reject",
    emptyUsername: options.emptyUsername ?? "reject",
    privateByName: options.privateByName ?? false,
    dedupeClientMsgId: options.dedupeClientMsgId ?? false,
    splitReturns: options.splitReturns ?? "first",
    splitBesideBlocks: options.splitBesideBlocks ?? true,
    stringsInJson: options.stringsInJson ?? "reject",
    blocksBudget: options.blocksBudget ?? BLOCKS_BUDGET,
    messageLimit: options.messageLimit ?? Number.POSITIVE_INFINITY,
  };
  const { channelRate = CHANNEL_RATE, teamRate = TEAM_RATE } = options;
  const methodRates = { ...METHOD_RATES, ...options.methodRates };
  const buckets = createBuckets();

  function reply(request: ApiRequest): ApiReply {
    const waitMs = takeFromBuckets(request);
    if (waitMs > 0 && aboveRate === "200") {
      return { body: { ok: false, error: "rate_limited" } };
    }
    const hidden = waitMs > 0 && aboveRate === "hide" && request.method === "chat.postMessage";
    if (waitMs > 0 && !hidden) return rateLimited(waitMs);

    const warnings = [...request.parsed.warnings];
    const warn = (warning: string): void => {
      warnings.push(warning);
    };
    try {
      return { body: withWarnings({ ok: true, ...run(request, { hidden, warn }) }, warnings) };
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

  function run(request: ApiRequest, more: Pick<Call, "hidden" | "warn">): JsonObject {
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
    const token = authenticated(request, method);
    const { state } = world.workspace(token.workspace);
    const refusal = WORKSPACE_ERRORS[state];
    if (refusal !== undefined) throw new Refusal(refusal);
    const { isForm } = parsed;
    return method.run({ values, isForm, token, world, messages, now: now(), rules, ...more });
  }

  return reply;
}

/** The header first, else the form parameter; a token in JSON or in the query does not count. */
function authenticated({ presented, token }: ApiRequest, method: Method): FakeToken {
  if (presented === undefined) throw new Refusal("not_authed");
  if (token === undefined) throw new Refusal("invalid_auth");
  const refusal = STATE_ERRORS[token.state];
  if (refusal !== undefined) throw new Refusal(refusal);
  if (token.kind === "legacy") throw new Refusal("is_bot");
  const kinds = method.kinds ?? ["bot", "user"];
  if (!kinds.includes(token.kind)) throw new Refusal("not_allowed_token_type");
  return token;
}

const STATE_ERRORS: Readonly<Record<FakeToken["state"], string | undefined>> = {
  active: undefined,
  revoked: "token_revoked",
  expired: "token_expired",
  inactive: "account_inactive",
  ip_blocked: "invalid_auth",
  two_factor: "two_factor_setup_required",
  not_granted: "team_access_not_granted",
  app_restricted: "app_access_restricted",
  login_required: "org_login_required",
};

const WORKSPACE_ERRORS: Readonly<Record<FakeWorkspace["state"], string | undefined>> = {
  active: undefined,
  migrating: "team_added_to_org",
  ekm_locked: "ekm_access_denied",
  network_limited: "accesslimited",
};

function withWarnings(body: JsonObject, warnings: readonly string[]): JsonObject {
  if (warnings.length === 0) return body;
  const metadata = body["response_metadata"] as JsonObject | undefined;
  return { ...body, warning: warnings.join(","), response_metadata: { ...metadata, warnings } };
}
