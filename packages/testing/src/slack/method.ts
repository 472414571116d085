import type { JsonObject } from "./json.ts";
import type { Messages } from "./messages.ts";
import { Refusal } from "./refusal.ts";
import type { FakeToken, World } from "./workspace.ts";

/** One call of one method, read and authenticated. */
export interface Call {
  readonly values: JsonObject;
  readonly token: FakeToken;
  readonly world: World;
  readonly messages: Messages;
  /** Epoch ms by the fake's clock. */
  readonly now: number;
  readonly missingCustomize: "reject" | "ignore";
  /** Adds a warning to the reply. */
  warn(warning: string): void;
}

/** A method of the Web API. */
export interface Method {
  /** The scopes of which each would allow it: the reply's `x-accepted-oauth-scopes`. */
  readonly acceptedScopes: readonly string[];
  /** Answers with the members of a reply whose `ok` is true, or throws a `Refusal`. */
  readonly run: (call: Call) => JsonObject;
}

/** Throws `missing_scope`, which names what is needed and what the token has (documented). */
export function missingScope(token: FakeToken, needed: string): Refusal {
  return new Refusal("missing_scope", { needed, provided: token.scopes.join(",") });
}

/** `auth.test`: needs no scope; tells whose token it is. */
export const authTest: Method = {
  acceptedScopes: [],
  run({ token, world }) {
    const workspace = world.workspace(token.workspace);
    return {
      url: `https://${workspace.domain}.slack.com/`,
      team: workspace.name,
      user: token.appName.toLowerCase().replaceAll(" ", "_"),
      team_id: workspace.id,
      user_id: token.userId,
      ...(token.kind === "bot" && { bot_id: token.botId, app_id: token.app }),
      is_enterprise_install: false,
      ...(token.expiresIn !== undefined && { expires_in: token.expiresIn }),
    };
  },
};

/** `conversations.info`: takes ids only; public and private channels need different scopes. */
export const conversationsInfo: Method = {
  acceptedScopes: ["channels:read", "groups:read", "mpim:read", "im:read"],
  run({ values, token, world }) {
    if (!conversationsInfo.acceptedScopes.some((scope) => token.scopes.includes(scope))) {
      throw missingScope(token, conversationsInfo.acceptedScopes.join(","));
    }
    const id = channelArgument(values);
    const channel = world.resolveChannel(token.workspace, id);
    if (channel?.id !== id) throw new Refusal("channel_not_found");
    const isMember = world.isMember(channel, token);
    if (channel.private && !isMember) throw new Refusal("channel_not_found");
    const needed = channel.private ? "groups:read" : "channels:read";
    if (!token.scopes.includes(needed)) throw missingScope(token, needed);
    return {
      channel: {
        id: channel.id,
        name: channel.name,
        name_normalized: channel.name,
        is_channel: true,
        is_group: false,
        is_im: false,
        is_mpim: false,
        is_private: channel.private,
        is_archived: channel.archived,
        is_general: channel.name === "general",
        is_member: isMember,
        context_team_id: channel.workspace,
      },
    };
  },
};

/** The argument `channel`, or `invalid_arguments` in the words of real replies. */
export function channelArgument(values: JsonObject): string {
  const channel = values["channel"];
  if (channel === undefined || channel === null || channel === "") {
    throw invalidArguments("missing required field: channel");
  }
  if (typeof channel !== "string") {
    throw invalidArguments("must provide a string [json-pointer:/channel]");
  }
  return channel;
}

/** `invalid_arguments` with one finding. */
export function invalidArguments(finding: string): Refusal {
  return new Refusal("invalid_arguments", {
    response_metadata: { messages: [`[ERROR] ${finding}`] },
  });
}
