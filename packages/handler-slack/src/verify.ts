import type { Verification } from "@posthorn/core";
import type { SlackConfiguration } from "./configuration.ts";
import { slackError } from "./errors.ts";
import { type Answer, outcomeOf, type Reply, remedyOf, told } from "./reply.ts";
import { type Identity, ofToken, type Tokens } from "./token.ts";

/** How Slack is asked. */
export interface Verifier {
  readonly tokens: Tokens;
  call(method: string, body: object): Promise<Reply>;
}

/**
 * What Slack says of a configuration before anything is posted: of the token, of what its app may do,
 * and of the channel where the app may look at it. Trouble on the way refuses nothing.
 */
export async function verifyConfiguration(
  configuration: SlackConfiguration,
  verifier: Verifier,
): Promise<Verification> {
  const { token, channel } = configuration;
  const { tokens } = verifier;
  const identified = await identify(token, verifier);
  if ("verification" in identified) return identified.verification;
  const { identity } = identified;

  const scopes = tokens.scopesOf(token);
  if (scopes !== undefined && !scopes.includes("chat:write")) {
    return refuse("token", `${lacks("chat:write", scopes)} ${addScope("chat:write", identity)}`);
  }
  const found = ID.test(channel) ? await lookAt(channel, scopes, verifier) : {};
  if (found.verification !== undefined) return found.verification;

  const warnings = [
    ...ofToken({ isPersons: identity.botId === undefined, expires: identity.expires }),
    ...ofName(channel),
    ...(scopes === undefined ? [] : ofScopes(configuration, scopes, identity, found)),
  ];
  return warnings.length === 0
    ? { status: "ok" }
    : { status: "warning", detail: warnings.join(" ") };
}

const ID = /^[CGD][A-Z0-9]{8,}$/;

async function identify(
  token: string,
  { tokens, call }: Verifier,
): Promise<{ readonly identity: Identity } | { readonly verification: Verification }> {
  const known = tokens.identityOf(token);
  if (known !== undefined) return { identity: known };
  const reply = await call("auth.test", {});
  tokens.heard(token, reply);
  if (reply.status === null || reply.body?.ok !== true) {
    return { verification: withoutAnswer(reply, "token") };
  }
  const { body } = reply;
  const identity: Identity = {
    team: textOf(body["team"]) ?? "the workspace",
    botId: textOf(body["bot_id"]),
    appId: textOf(body["app_id"]),
    expires: typeof body["expires_in"] === "number",
  };
  tokens.identified(token, identity);
  return { identity };
}

interface Found {
  readonly verification?: Verification;
  /** Is the app in the channel? Undefined if it may not look. */
  readonly isMember?: boolean;
}

/** `conversations.info` takes ids only, and needs a scope that posting does not. */
async function lookAt(
  channel: string,
  scopes: readonly string[] = [],
  { call }: Verifier,
): Promise<Found> {
  if (!scopes.some((scope) => scope === "channels:read" || scope === "groups:read")) return {};
  const reply = await call("conversations.info", { channel });
  if (reply.status === null || reply.body?.ok !== true) {
    const isScope = reply.status !== null && reply.body?.error === "missing_scope";
    return isScope ? {} : { verification: withoutAnswer(reply, "channel") };
  }
  const { channel: found } = reply.body;
  if (typeof found !== "object") return {};
  if (found.is_archived === true) {
    return {
      verification: refuse("channel", "The channel is archived. Unarchive it, or choose another."),
    };
  }
  return { isMember: found.is_member === true };
}

/** Slack's own no refuses; everything else leaves the question open. */
function withoutAnswer(reply: Reply, key: "token" | "channel"): Verification {
  const error = reply.status === null ? "" : (reply.body?.error ?? "");
  const wanted = key === "token" ? ["auth", "scope"] : ["destination", "auth"];
  if (wanted.includes(slackError(error)?.class ?? "")) {
    const answer = reply as Answer;
    return refuse(key, `${told(answer)}. ${remedyOf(answer, undefined)}`);
  }
  const outcome = outcomeOf(reply, { attempt: 1 });
  const reason = outcome.type === "delivered" ? "Slack's answer is unreadable" : outcome.reason;
  return {
    status: "unverified",
    detail: `Not checked with Slack: ${reason}. It is saved all the same; send a test message to try it.`,
  };
}

const refuse = (key: string, message: string): Verification => ({
  status: "refused",
  issues: [{ key, message }],
});

/** Slack has no capitals in names; whether it forgives them is not documented. */
const ofName = (channel: string): readonly string[] =>
  ID.test(channel) || channel === channel.toLowerCase()
    ? []
    : [
        `Slack writes the names of channels in lower case: ${channel.toLowerCase()} may be meant. An id has at least nine characters, such as C0123456789.`,
      ];

function ofScopes(
  { username }: SlackConfiguration,
  scopes: readonly string[],
  identity: Identity,
  { isMember }: Found,
): readonly string[] {
  return [
    ...(scopes.includes("chat:write.public") || isMember === true
      ? []
      : [
          `${lacks("chat:write.public", scopes)} Invite it to the channel (/invite @its-name), or add the scope.`,
        ]),
    ...(scopes.includes("chat:write.customize")
      ? []
      : [
          `${lacks("chat:write.customize", scopes)} Messages appear under the app's name and say ${JSON.stringify(username)} in the small print. ${addScope("chat:write.customize", identity)}`,
        ]),
  ];
}

const lacks = (scope: string, scopes: readonly string[]): string =>
  `The Slack app is missing the scope ${scope} (it has: ${scopes.filter((each) => each !== "").join(", ") || "none"}).`;

const addScope = (scope: string, { appId }: Identity): string =>
  `Add ${scope} at https://api.slack.com/apps${appId === undefined ? "" : `/${appId}/oauth`}, then reinstall the app.`;

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;
