import { delivered, type Json, type Outcome } from "@posthorn/core";
import { call } from "./call.ts";
import type { SlackConfiguration } from "./configuration.ts";
import { changed, type Memory, mayName, pin, recall } from "./memory.ts";
import type { MessageContent } from "./message.ts";
import { type Answer, isLimited, outcomeOf, type Reply, refusesContent, told } from "./reply.ts";
import { expires, isPersons, ofToken, type Tokens } from "./token.ts";
import type { InTurn } from "./turns.ts";
import { CUSTOMIZE, namelessWarning, refusesUsername, showsUsername } from "./username.ts";

/** A message on its way to one channel. */
export interface Posting {
  readonly configuration: SlackConfiguration;
  /** What earlier deliveries of this configuration remember. */
  readonly state: Json;
  readonly signal: AbortSignal;
  /** Which attempt it is, from 1. */
  readonly attempt: number;
  /** What a reader sees; without a name of one's own the small print says it. */
  content(named: boolean): MessageContent;
  /** For Slack to know a repetition by, if it does. */
  readonly clientMsgId?: string | undefined;
}

export interface Poster {
  readonly baseUrl: string;
  readonly tokens: Tokens;
  readonly inTurn: InTurn;
  /** Epoch milliseconds. */
  now(): number;
}

/**
 * Posts a message once. What Slack certainly refused goes again at once, with less: without a name
 * that the app may not use, or as plain text where it does not take the blocks; each once at most.
 */
export function post(posting: Posting, poster: Poster): Promise<Outcome> {
  const { configuration, signal } = posting;
  const key = `${configuration.token} ${configuration.channel.replace(/^#/, "")}`;
  return poster.inTurn(key, signal, () => postNow(posting, poster));
}

async function postNow(posting: Posting, { baseUrl, tokens, now }: Poster): Promise<Outcome> {
  const { configuration, signal, attempt, clientMsgId } = posting;
  const { token, channel, username, icon_emoji, on_ambiguous: doubt } = configuration;
  const memory = recall(posting.state);

  let named = mayName(memory, now()) && tokens.scopesOf(token)?.includes(CUSTOMIZE) !== false;
  let plain = false;
  let refusedName = false;
  let notes: string | undefined;
  for (;;) {
    const { text, blocks } = posting.content(named);
    const body = {
      channel: memory.channel ?? channel,
      ...(named && { username, ...(icon_emoji !== undefined && { icon_emoji }) }),
      ...(plain ? { text } : { text, blocks }),
      ...AS_WRITTEN,
      ...(clientMsgId !== undefined && { client_msg_id: clientMsgId }),
    };
    const reply = await call({ baseUrl, method: "chat.postMessage", token, body, signal });
    tokens.heard(token, reply);
    if (named && refusesUsername(reply)) {
      named = false;
      refusedName = true;
    } else if (!plain && refusesContent(reply)) {
      plain = true;
      notes = told(reply as Answer);
    } else {
      const isWorkspaceBusy = isLimited(reply) && tokens.limited(token, channel);
      const appId = tokens.identityOf(token)?.appId ?? appOf(reply);
      const outcome = outcomeOf(reply, { attempt, doubt, isWorkspaceBusy, appId });
      if (outcome.type === "delivered") {
        const sent = {
          reply,
          memory,
          named,
          refusedName,
          notes,
          username,
          now: now(),
          tokens,
          token,
        };
        return arrived(outcome, sent);
      }
      return lost(outcome, reply, memory);
    }
  }
}

/**
 * Nothing in an event makes Slack fetch a page, link a name, notify a group, or format the plain text,
 * where it is shown: names have underscores and asterisks.
 */
const AS_WRITTEN = {
  mrkdwn: false,
  parse: "none",
  link_names: false,
  unfurl_links: false,
  unfurl_media: false,
} as const;

const appOf = (reply: Reply): string | undefined =>
  reply.status === null ? undefined : reply.body?.message?.app_id;

/** The message is in the channel: perhaps not as it was meant, which its customer is told. */
function arrived(
  outcome: Extract<Outcome, { type: "delivered" }>,
  sent: {
    readonly reply: Reply;
    readonly memory: Memory;
    readonly named: boolean;
    readonly refusedName: boolean;
    /** What Slack said against the blocks, if it was something. */
    readonly notes: string | undefined;
    readonly username: string;
    readonly now: number;
    readonly tokens: Tokens;
    readonly token: string;
  },
): Outcome {
  const { reply, memory, named, refusedName, notes, username, now, tokens, token } = sent;
  const mayCustomize = tokens.scopesOf(token)?.includes(CUSTOMIZE) === true;
  const usernameRefused = refusedName
    ? now
    : mayCustomize || named
      ? undefined
      : memory.usernameRefused;
  const warnings = [
    ...ofToken({ isPersons: isPersons(token), expires: expires(token) }),
    ...(named && showsUsername(reply, username) ? [] : [namelessWarning(username)]),
    ...(notes === undefined
      ? []
      : [
          `The message was posted as plain text. ${notes}. Simplify the template of this event type.`,
        ]),
  ];
  return delivered({
    ...outcome,
    warning: warnings.length === 0 ? undefined : warnings.join(" "),
    state: changed(memory, { ...pin(memory, reply), usernameRefused }),
  });
}

/** A channel that is no more may have a successor of its name: the next delivery looks for it. */
function lost(outcome: Outcome, reply: Reply, memory: Memory): Outcome {
  const isGone = reply.status !== null && reply.body?.error === "channel_not_found";
  if (!isGone || memory.channel === undefined) return outcome;
  return { ...outcome, state: changed(memory, { ...memory, channel: undefined }) };
}
