import { BLOCKS_BUDGET, blocksLength, validateBlocks } from "./blocks.ts";
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

    const { pieces, truncated } =
      content.blocks.length > 0 ? truncateText(content.text) : splitText(content.text);
    if (truncated) call.warn("message_truncated");

    const posted = pieces.map((piece, index): FakeMessage => {
      const attachments = index === 0 ? content.attachments : [];
      const draft: Draft = { ...content, ...identity, attachments, text: sanitize(call, piece) };
      return call.messages.post({ channel, token: call.token, draft, now: call.now });
    });
    // Not known which ts Slack returns when it splits: the first here.
    const first = posted[0] as FakeMessage;
    return { channel: channel.id, ts: first.ts, message: echo(first) };
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
  const asked = Object.values(identity).some((value) => value !== undefined);
  if (!asked || call.token.scopes.includes("chat:write.customize")) return identity;
  if (call.missingCustomize === "reject") throw missingScope(call.token, "chat:write.customize");
  return { username: undefined, iconEmoji: undefined, iconUrl: undefined };
}

/** By id, or by name if public. A private channel hides its existence from strangers (documented). */
function postableChannel({ values, token, world }: Call): FakeChannel {
  const channel = world.resolveChannel(token.workspace, channelArgument(values));
  if (channel === undefined) throw new Refusal("channel_not_found");
  if (!world.isMember(channel, token)) {
    if (channel.private) throw new Refusal("channel_not_found");
    if (!token.scopes.includes("chat:write.public")) throw new Refusal("not_in_channel");
  }
  if (channel.archived) throw new Refusal("is_archived");
  const isReply = stringArgument(values, "thread_ts") !== undefined;
  if (channel.posting === "restricted") throw new Refusal("restricted_action");
  if (channel.posting === "read_only") throw new Refusal("restricted_action_read_only_channel");
  if (channel.posting === "thread_only" && !isReply) {
    throw new Refusal("restricted_action_thread_only_channel");
  }
  return channel;
}

function readContent({ values }: Call): Omit<Draft, "username" | "iconEmoji" | "iconUrl"> {
  if (isTrue(values["as_user"])) throw new Refusal("as_user_not_supported");
  const markdown = stringArgument(values, "markdown_text");
  const text = stringArgument(values, "text");
  const blocks = jsonArgument(values, "blocks");
  if (blocks === undefined || (blocks !== null && !Array.isArray(blocks))) {
    throw new Refusal("invalid_blocks_format");
  }
  const attachments = jsonArgument(values, "attachments");
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

  checkBlocks(blocks ?? []);
  checkAttachments(attachments ?? []);
  return {
    text: body,
    blocks: (blocks ?? []) as readonly JsonObject[],
    attachments: (attachments ?? []) as readonly JsonObject[],
    threadTs: stringArgument(values, "thread_ts"),
    metadata: readMetadata(values),
  };
}

function checkBlocks(blocks: readonly unknown[]): void {
  const findings = validateBlocks(blocks);
  if (findings.length > 0) throw refuseWithMessages("invalid_blocks", findings);
  if (blocksLength(blocks) > BLOCKS_BUDGET) throw new Refusal("msg_blocks_too_long");
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

function readMetadata(values: JsonObject): JsonObject | undefined {
  const metadata = jsonArgument(values, "metadata");
  if (metadata === null) return undefined;
  if (!isJsonObject(metadata)) throw new Refusal("invalid_metadata_format");
  if (typeof metadata["event_type"] !== "string" || !isJsonObject(metadata["event_payload"])) {
    throw new Refusal("invalid_metadata_schema");
  }
  return metadata;
}

function sanitize({ values }: Call, text: string): string {
  const escaped = escapeText(text, { mrkdwn: true });
  return values["parse"] === "none" ? escaped : linkUrls(escaped);
}

/** A form sends strings only and JSON may send numbers too; empty is the same as absent. */
function stringArgument(values: JsonObject, name: string): string | undefined {
  const value = values[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "object") {
    throw invalidArguments(`must provide a string [json-pointer:/${name}]`);
  }
  return String(value);
}

/** JSON, as itself or within a string as forms send it: `null` if absent, `undefined` if broken. */
function jsonArgument(values: JsonObject, name: string): unknown {
  const value = values[name];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

function isTrue(value: unknown): boolean {
  return value === true || value === "true" || value === "1" || value === 1;
}
