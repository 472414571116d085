import type { JsonObject } from "./json.ts";
import { echo } from "./messages.ts";
import { type Call, channelArgument, type Method, missingScope } from "./method.ts";
import { stringArgument } from "./post-message.ts";
import { Refusal } from "./refusal.ts";
import type { FakeChannel } from "./workspace.ts";

const READ = ["channels:read", "groups:read", "mpim:read", "im:read"];
const HISTORY = ["channels:history", "groups:history", "mpim:history", "im:history"];

/** `conversations.info`: takes ids only; public and private channels need different scopes. */
export const conversationsInfo: Method = {
  acceptedScopes: READ,
  run: (call) => ({ channel: shown(call, visibleChannel(call, READ)) }),
};

/** `conversations.list`: the channels that the token may see, page by page. */
export const conversationsList: Method = {
  acceptedScopes: READ,
  run(call) {
    const { values, token, world } = call;
    requireOne(call, READ);
    const types = (stringArgument(values, "types") ?? "public_channel").split(",");
    const noArchived = stringArgument(values, "exclude_archived") === "true";
    const all = world
      .channelsOf(token.workspace)
      .filter((channel) => types.includes(typeOf(channel)))
      .filter((channel) => token.scopes.includes(scopeFor(channel, READ)))
      .filter((channel) => !channel.private || world.isMember(channel, token))
      .filter(({ archived }) => !(noArchived && archived));
    const { items, next } = pageOf(all, call);
    return {
      channels: items.map((channel) => shown(call, channel)),
      response_metadata: { next_cursor: next },
    };
  },
};

/** `conversations.join`: needs `channels:join`; being there already is only a warning. */
export const conversationsJoin: Method = {
  acceptedScopes: ["channels:join"],
  run(call) {
    const { values, token, world } = call;
    requireOne(call, ["channels:join"]);
    const id = channelArgument(values);
    const channel = world.resolveChannel(token.workspace, id);
    if (channel?.id !== id || channel.private) throw new Refusal("channel_not_found");
    if (channel.archived) throw new Refusal("is_archived");
    if (world.isMember(channel, token)) call.warn("already_in_channel");
    else world.invite(id, token.userId);
    return { channel: shown(call, world.channel(id)) };
  },
};

/** `conversations.history`: newest first, of channels that the token's user is in. */
export const conversationsHistory: Method = {
  acceptedScopes: HISTORY,
  run(call) {
    const { values, token, world, messages } = call;
    const channel = visibleChannel(call, HISTORY);
    if (!world.isMember(channel, token)) throw new Refusal("not_in_channel");
    const { items, next } = pageOf(messages.of(channel.id).toReversed(), call);
    const withMetadata = stringArgument(values, "include_all_metadata") === "true";
    return {
      messages: items.map((message) => {
        const { metadata, ...echoed } = echo(message);
        return withMetadata && metadata !== undefined ? { ...echoed, metadata } : echoed;
      }),
      has_more: next !== "",
      response_metadata: { next_cursor: next },
    };
  },
};

function requireOne({ token }: Call, scopes: readonly string[]): void {
  if (!scopes.some((scope) => token.scopes.includes(scope))) {
    throw missingScope(token, scopes.join(","));
  }
}

function visibleChannel(call: Call, scopes: readonly string[]): FakeChannel {
  const { values, token, world } = call;
  requireOne(call, scopes);
  const id = channelArgument(values);
  const channel = world.resolveChannel(token.workspace, id);
  if (channel?.id !== id) throw new Refusal("channel_not_found");
  if (channel.private && !world.isMember(channel, token)) throw new Refusal("channel_not_found");
  const needed = scopeFor(channel, scopes);
  if (!token.scopes.includes(needed)) throw missingScope(token, needed);
  return channel;
}

const typeOf = ({ user, private: hidden }: FakeChannel): string =>
  user !== null ? "im" : hidden ? "private_channel" : "public_channel";

const scopeFor = (channel: FakeChannel, scopes: readonly string[]): string =>
  scopes[["public_channel", "private_channel", "mpim", "im"].indexOf(typeOf(channel))] as string;

/** A cursor is opaque to its reader; here it is the place to go on at, in base64. */
function pageOf<Item>(
  all: readonly Item[],
  { values }: Call,
): { readonly items: readonly Item[]; readonly next: string } {
  const limit = Math.min(Number(stringArgument(values, "limit") ?? 100) || 100, 1_000);
  const cursor = stringArgument(values, "cursor");
  const from = cursor === undefined ? 0 : Number(Buffer.from(cursor, "base64").toString());
  if (!Number.isInteger(from) || from < 0) throw new Refusal("invalid_cursor");
  const end = from + limit;
  const next = end < all.length ? Buffer.from(String(end)).toString("base64") : "";
  return { items: all.slice(from, end), next };
}

function shown({ token, world }: Call, channel: FakeChannel): JsonObject {
  return {
    id: channel.id,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: channel.user === null,
    is_group: false,
    is_im: channel.user !== null,
    is_mpim: false,
    ...(channel.user !== null && { user: channel.user }),
    is_private: channel.private,
    is_archived: channel.archived,
    is_general: channel.name === "general",
    is_member: world.isMember(channel, token),
    context_team_id: channel.workspace,
  };
}
