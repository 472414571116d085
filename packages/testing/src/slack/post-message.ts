import { blocksLength, validateBlocks } from "./blocks.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { type Draft, echo, type FakeMessage } from "./messages.ts";
import {
  type Call,
  channelArgument,
  invalidArguments,
  type Method,
  missingScope,
} from "./method.ts";
import { Refusal, refuseWithMessages } from "./refusal.ts";
import { characters } from "./rule.ts";
import { escapeText, linkUrls, splitText, truncateText } from "./text.ts";
import type { FakeChannel } from "./workspace.ts";

/**
 * `chat.postMessage`. Each refusal is documented by Slack; the order in which they are looked for
 * is not (scope, name and icon, channel, content), so tests should break one rule at a time.
 */
export const postMessage: Method = {
  acceptedScopes: ["chat:write"],
  run(call) {
    requireScope(call);
    const identity = allowedIdentity(call);
    const channel = postableChannel(call);
    const content = readContent(call);
    const { messages, rules, token } = call;
    if (messages.countOf(token.workspace) >= rules.messageLimit) {
      throw new Refusal("message_limit_exceeded");
    }
    const clientMsgId = stringArgument(call.values, "client_msg_id");
    const earlier = messages
      .of(channel.id)
      .find((message) => clientMsgId !== undefined && message.client_msg_id === clientMsgId);
    if (earlier !== undefined && rules.dedupeClientMsgId) {
      return { channel: channel.id, ts: earlier.ts, message: echo(earlier), is_duplicate: true };
    }

    const isWhole = content.blocks.length > 0 && !rules.splitBesideBlocks;
    const { pieces, truncated } = isWhole ? truncateText(content.text) : splitText(content.text);
    if (truncated) call.warn("message_truncated");

    const posted = pieces.map((piece, index): FakeMessage => {
      const { blocks, attachments } = index === 0 ? content : { blocks: [], attachments: [] };
      const text = sanitize(call, piece);
      const draft = { ...content, ...identity, blocks, attachments, text, clientMsgId };
      return messages.post({
        channel,
        token,
        draft: { ...draft, hidden: call.hidden, mrkdwn: !isFalse(call.values["mrkdwn"]) },
        now: call.now,
      });
    });
    const told = posted.at(rules.splitReturns === "first" ? 0 : -1) as FakeMessage;
    return { channel: channel.id, ts: told.ts, message: echo(told) };
  },
};

/** Slack names the scope that is missing by its legacy name (seen in real replies). */
function requireScope({ token }: Call): void {
  if (!token.scopes.includes("chat:write")) throw missingScope(token, "chat:write:bot");
}

/**
 * A name or icon of its own needs `chat:write.customize` (documented). Without it Slack has been
 * seen to refuse the message and, earlier, to ignore them (third parties): see `missingCustomize`.
 */
function allowedIdentity(call: Call): Pick<Draft, "username" | "iconEmoji" | "iconUrl"> {
  const identity = {
    username: stringArgument(call.values, "username"),
    iconEmoji: stringArgument(call.values, "icon_emoji"),
    iconUrl: stringArgument(call.values, "icon_url"),
  };
  if (call.values["username"] === "" && call.rules.emptyUsername === "reject") {
    throw invalidArguments("must be more than 0 characters [json-pointer:/username]");
  }
  const asked = Object.values(identity).some((value) => value !== undefined);
  if (!asked || call.token.scopes.includes("chat:write.customize")) return identity;
  if (call.rules.missingCustomize === "reject")
    throw missingScope(call.token, "chat:write.customize");
  return { username: undefined, iconEmoji: undefined, iconUrl: undefined };
}

/** By id, or by name if public. A private channel hides its existence from strangers (documented). */
function postableChannel({ values, token, world, rules }: Call): FakeChannel {
  const wanted = channelArgument(values);
  const channel =
    world.resolveChannel(token.workspace, wanted) ??
    (rules.privateByName ? world.privateByName(token, wanted) : undefined);
  if (token.orgWide && channel?.id !== wanted) throw new Refusal("team_not_found");
  if (channel === undefined) throw new Refusal("channel_not_found");
  if (!world.isMember(channel, token)) {
    if (channel.private) throw new Refusal("channel_not_found");
    if (!token.scopes.includes("chat:write.public")) throw new Refusal("not_in_channel");
  }
  if (channel.archived) throw new Refusal("is_archived");
  const isReply = stringArgument(values, "thread_ts") !== undefined;
  const { error, when = "always" } = POSTING_ERRORS[channel.posting];
  const applies = when === "always" || (when === "in a thread") === isReply;
  if (error !== undefined && applies) throw new Refusal(error);
  return channel;
}

const POSTING_ERRORS: Readonly<
  Record<
    FakeChannel["posting"],
    { readonly error?: string; readonly when?: "in a thread" | "outside threads" }
  >
> = {
  everyone: {},
  restricted: { error: "restricted_action" },
  read_only: { error: "restricted_action_read_only_channel" },
  thread_only: { error: "restricted_action_thread_only_channel", when: "outside threads" },
  non_threadable: { error: "restricted_action_non_threadable_channel", when: "in a thread" },
  thread_locked: { error: "restricted_action_thread_locked", when: "in a thread" },
  limited_access: { error: "channel_is_limited_access" },
  connect_blocked: { error: "slack_connect_file_link_sharing_blocked" },
  messages_tab_disabled: { error: "messages_tab_disabled" },
};

type Content = Pick<Draft, "text" | "blocks" | "attachments" | "threadTs" | "metadata">;

/** What a call asks to show, or what Slack says against it. Also what `chat.update` takes. */
export function readContent(call: Call): Content {
  const { values } = call;
  if (isTrue(values["as_user"])) throw new Refusal("as_user_not_supported");
  const markdown = stringArgument(values, "markdown_text");
  const text = stringArgument(values, "text");
  const blocks = jsonArgument(call, "blocks");
  if (blocks === undefined || (blocks !== null && !Array.isArray(blocks))) {
    throw new Refusal("invalid_blocks_format");
  }
  const attachments = jsonArgument(call, "attachments");
  if (attachments === undefined || (attachments !== null && !Array.isArray(attachments))) {
    throw invalidArguments("must provide an array [json-pointer:/attachments]");
  }

  if (markdown !== undefined && (text !== undefined || blocks !== null)) {
    throw new Refusal("markdown_text_conflict");
  }
  const body = markdown ?? text ?? "";
  const empty = body.trim() === "" && !blocks?.length && !attachments?.length;
  if (empty) throw new Refusal("no_text");
  if (markdown !== undefined && characters(markdown) > 12_000) throw new Refusal("msg_too_long");
  if ((attachments?.length ?? 0) > 100) throw new Refusal("too_many_attachments");

  checkBlocks(blocks ?? [], call.rules.blocksBudget);
  checkAttachments(attachments ?? []);
  return {
    text: body,
    blocks: (blocks ?? []) as readonly JsonObject[],
    attachments: (attachments ?? []) as readonly JsonObject[],
    threadTs: stringArgument(values, "thread_ts"),
    metadata: readMetadata(call),
  };
}

function checkBlocks(blocks: readonly unknown[], budget: number): void {
  const findings = validateBlocks(blocks);
  if (findings.length > 0) throw refuseWithMessages("invalid_blocks", findings);
  if (blocksLength(blocks) > budget) throw new Refusal("msg_blocks_too_long");
}

function checkAttachments(attachments: readonly unknown[]): void {
  const findings = attachments.flatMap((attachment, index) => {
    const pointer = `/attachments/${index}`;
    if (!isJsonObject(attachment)) return [`must provide an object [json-pointer:${pointer}]`];
    const blocks = attachment["blocks"];
    return Array.isArray(blocks) ? validateBlocks(blocks, `${pointer}/blocks`) : [];
  });
  if (findings.length > 0) throw refuseWithMessages("invalid_attachments", findings);
}

/** Slack publishes no number; its own clients keep to about this much. */
const LARGEST_METADATA = 8_000;

function readMetadata(call: Call): JsonObject | undefined {
  const metadata = jsonArgument(call, "metadata");
  if (metadata === null) return undefined;
  if (!isJsonObject(metadata)) throw new Refusal("invalid_metadata_format");
  if (typeof metadata["event_type"] !== "string" || !isJsonObject(metadata["event_payload"])) {
    throw new Refusal("invalid_metadata_schema");
  }
  if (JSON.stringify(metadata).length > LARGEST_METADATA) throw new Refusal("metadata_too_large");
  if (call.token.kind !== "bot") throw new Refusal("metadata_must_be_sent_from_app");
  return metadata;
}

/** Text as Slack stores it. */
export function sanitize({ values }: Call, text: string): string {
  const escaped = escapeText(text, { mrkdwn: true });
  return values["parse"] === "none" ? escaped : linkUrls(escaped);
}

/** A form sends strings only and JSON may send numbers too; empty is the same as absent. */
export function stringArgument(values: JsonObject, name: string): string | undefined {
  const value = values[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "object") {
    throw invalidArguments(`must provide a string [json-pointer:/${name}]`);
  }
  return String(value);
}

/** JSON, as itself or within a string as forms send it: `null` if absent, `undefined` if broken. */
function jsonArgument({ values, isForm, rules }: Call, name: string): unknown {
  const value = values[name];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string") return value;
  if (!isForm && rules.stringsInJson === "reject") return undefined;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

const isFalse = (value: unknown): boolean => [false, "false", 0, "0"].includes(value as never);

function isTrue(value: unknown): boolean {
  return value === true || value === "true" || value === "1" || value === 1;
}
