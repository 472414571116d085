import { isJsonObject, type JsonObject } from "./json.ts";
import type { FakeChannel, FakeToken } from "./workspace.ts";

/** A message as Slack stores it and echoes it, and where and when it was posted. */
export interface FakeMessage {
  /** Id of its channel. */
  readonly channel: string;
  /** Epoch ms by the fake's clock. */
  readonly postedAt: number;
  /** Seconds "." microseconds: its id in the channel, strictly increasing there. */
  readonly ts: string;
  /** `&`, `<` and `>` escaped, bare URLs in `<…>` unless `parse` was `none`. */
  readonly text: string;
  /** `bot_message` if and only if it was posted under a name or icon of its own. */
  readonly subtype?: "bot_message";
  readonly username?: string;
  readonly icons?: { readonly emoji?: string; readonly image_48?: string };
  /** Id of the posting user; absent under a name of its own. */
  readonly user?: string;
  readonly bot_id?: string;
  readonly app_id: string;
  readonly team: string;
  readonly bot_profile?: JsonObject;
  readonly blocks?: readonly JsonObject[];
  readonly attachments?: readonly JsonObject[];
  readonly thread_ts?: string;
  readonly metadata?: JsonObject;
  readonly client_msg_id?: string;
  /** Posted above the rate, and shown to nobody: Slack documents that it may do so. */
  readonly hidden?: true;
  /** Its text is shown as it is: `mrkdwn` was `false`. */
  readonly mrkdwn?: false;
  /** When it was changed last, as a `ts`. */
  readonly edited?: { readonly user: string; readonly ts: string };
}

/** What a call asks to post, checked already. */
export interface Draft {
  readonly text: string;
  readonly blocks: readonly JsonObject[];
  readonly attachments: readonly JsonObject[];
  readonly username: string | undefined;
  readonly iconEmoji: string | undefined;
  readonly iconUrl: string | undefined;
  readonly threadTs: string | undefined;
  readonly metadata: JsonObject | undefined;
  readonly clientMsgId: string | undefined;
  readonly hidden: boolean;
  /** Is the text, where it is shown, formatted? */
  readonly mrkdwn: boolean;
}

/** All messages of one fake. It never dedupes: Slack does not either. */
export interface Messages {
  post(options: { channel: FakeChannel; token: FakeToken; draft: Draft; now: number }): FakeMessage;
  /** In the order of `ts`. */
  of(channelId: string): readonly FakeMessage[];
  /** Changes one; undefined if there is none with this `ts`. */
  update(
    channelId: string,
    ts: string,
    change: Partial<Pick<FakeMessage, "text" | "blocks" | "edited">>,
  ): FakeMessage | undefined;
  /** Was there one to delete? */
  delete(channelId: string, ts: string): boolean;
  /** How many a workspace has. */
  countOf(workspace: string): number;
  /** Calls `listener` after each message; returns the function that ends it. */
  onMessage(listener: (message: FakeMessage) => void): () => void;
}

/** Creates an empty store. */
export function createMessages(): Messages {
  const byChannel = new Map<string, FakeMessage[]>();
  const lastTs = new Map<string, number>();
  const listeners = new Set<(message: FakeMessage) => void>();
  let blockSerial = 0;

  function nextTs(channelId: string, now: number): string {
    const micros = Math.max(Math.floor(now * 1_000), (lastTs.get(channelId) ?? 0) + 1);
    lastTs.set(channelId, micros);
    const seconds = String(Math.floor(micros / 1_000_000)).padStart(10, "0");
    return `${seconds}.${String(micros % 1_000_000).padStart(6, "0")}`;
  }

  function withBlockId(block: JsonObject): JsonObject {
    if (!isJsonObject(block) || block["block_id"] !== undefined) return block;
    blockSerial += 1;
    return { ...block, block_id: blockSerial.toString(36).padStart(5, "0") };
  }

  return {
    post({ channel, token, draft, now }) {
      const message: FakeMessage = {
        channel: channel.id,
        postedAt: now,
        ts: nextTs(channel.id, now),
        text: draft.text,
        ...identity(token, draft),
        app_id: token.app,
        team: token.workspace,
        ...(draft.blocks.length > 0 && { blocks: draft.blocks.map(withBlockId) }),
        ...(draft.attachments.length > 0 && { attachments: draft.attachments }),
        ...(draft.threadTs !== undefined && { thread_ts: draft.threadTs }),
        ...(draft.metadata !== undefined && { metadata: draft.metadata }),
        ...(draft.clientMsgId !== undefined && { client_msg_id: draft.clientMsgId }),
        ...(draft.hidden && { hidden: true as const }),
        ...(!draft.mrkdwn && { mrkdwn: false as const }),
      };
      byChannel.set(channel.id, [...(byChannel.get(channel.id) ?? []), message]);
      for (const listener of listeners) listener(message);
      return message;
    },

    of: (channelId) => byChannel.get(channelId) ?? [],

    update(channelId, ts, change) {
      const all = byChannel.get(channelId) ?? [];
      const found = all.find((message) => message.ts === ts);
      if (found === undefined) return undefined;
      const { blocks, ...rest } = change;
      const changed = { ...found, ...rest, ...(blocks && { blocks: blocks.map(withBlockId) }) };
      byChannel.set(
        channelId,
        all.map((message) => (message === found ? changed : message)),
      );
      return changed;
    },

    delete(channelId, ts) {
      const all = byChannel.get(channelId) ?? [];
      const left = all.filter((message) => message.ts !== ts);
      byChannel.set(channelId, left);
      return left.length < all.length;
    },

    countOf: (workspace) =>
      [...byChannel.values()].flat().filter(({ team }) => team === workspace).length,

    onMessage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What `chat.postMessage` sends back as `message`. */
export function echo(message: FakeMessage): JsonObject {
  const { channel: _, postedAt: __, hidden: ___, mrkdwn: ____, ...echoed } = message;
  return { type: "message", ...echoed };
}

function identity(token: FakeToken, draft: Draft): Partial<FakeMessage> {
  const { username, iconEmoji, iconUrl } = draft;
  const bot = token.kind === "bot" ? { bot_id: token.botId, bot_profile: profile(token) } : {};
  if (username === undefined && iconEmoji === undefined && iconUrl === undefined) {
    return { user: token.userId, ...bot };
  }
  // Documented: icon_emoji overrides icon_url.
  const icon = iconEmoji === undefined ? { image_48: iconUrl ?? "" } : { emoji: iconEmoji };
  return {
    subtype: "bot_message",
    ...bot,
    ...(username !== undefined && { username }),
    ...((iconEmoji ?? iconUrl) !== undefined && { icons: icon }),
  };
}

function profile(token: FakeToken): JsonObject {
  return {
    id: token.botId,
    app_id: token.app,
    user_id: token.userId,
    name: token.appName,
    icons: {},
    deleted: false,
    updated: 0,
    team_id: token.workspace,
  };
}
