import { echo, type FakeMessage } from "./messages.ts";
import {
  type Call,
  channelArgument,
  invalidArguments,
  type Method,
  missingScope,
} from "./method.ts";
import { readContent, sanitize, stringArgument } from "./post-message.ts";
import { Refusal } from "./refusal.ts";
import { characters } from "./rule.ts";

/** `chat.update`: of a message of one's own. Too long a text is refused here, not split. */
export const updateMessage: Method = {
  acceptedScopes: ["chat:write"],
  run(call) {
    const { channel, ts } = ownMessage(call, "cant_update_message");
    const { text, blocks } = readContent(call);
    if (characters(text) > 4_000) throw new Refusal("msg_too_long");
    const seconds = String(Math.floor(call.now / 1_000)).padStart(10, "0");
    const edited = { user: call.token.userId, ts: `${seconds}.000000` };
    const change = { text: sanitize(call, text), edited, ...(blocks.length > 0 && { blocks }) };
    const changed = call.messages.update(channel, ts, change) as FakeMessage;
    return { channel, ts, text: changed.text, message: echo(changed) };
  },
};

/** `chat.delete`: of a message of one's own. */
export const deleteMessage: Method = {
  acceptedScopes: ["chat:write"],
  run(call) {
    const { channel, ts } = ownMessage(call, "cant_delete_message");
    call.messages.delete(channel, ts);
    return { channel, ts };
  },
};

/** Both methods take the channel's id only. */
function ownMessage(
  call: Call,
  refusal: string,
): { readonly channel: string; readonly ts: string } {
  const { values, token, world, messages } = call;
  if (!token.scopes.includes("chat:write")) throw missingScope(token, "chat:write:bot");
  const id = channelArgument(values);
  const ts = stringArgument(values, "ts");
  if (ts === undefined) throw invalidArguments("missing required field: ts");
  if (world.resolveChannel(token.workspace, id)?.id !== id) throw new Refusal("channel_not_found");
  const message = messages.of(id).find((each) => each.ts === ts);
  if (message === undefined) throw new Refusal("message_not_found");
  const isOwn = message.app_id === token.app && (message.user ?? token.userId) === token.userId;
  if (!isOwn) throw new Refusal(refusal);
  return { channel: id, ts };
}
