import { delivered, type Json, type Outcome } from "@posthorn/core";
import type { Reply } from "./reply.ts";

/** What deliveries of one configuration tell later ones. */
export interface Memory {
  /** Slack refused the username; forgotten as soon as it lists the scope that allows it. */
  readonly usernameRefused?: boolean;
}

/** What an earlier outcome remembered. */
export const recall = (state: Json): Memory =>
  typeof state === "object" && state !== null && !Array.isArray(state) ? (state as Memory) : {};

/**
 * Does the reply say that the message may be posted, but not under a name of its own? Without the
 * scope for it Slack has been seen to refuse the message, in both ways, and to ignore the name.
 */
export function refusesUsername(reply: Reply): boolean {
  if (reply.status === null || reply.body === null || reply.body.ok) return false;
  const { error, needed = SCOPE } = reply.body;
  return (
    error === "not_allowed_token_type" || (error === "missing_scope" && needed.includes(SCOPE))
  );
}

/** The outcome of a post, with a warning and a memory if its username was not to be had. */
export function noteUsername(
  outcome: Outcome,
  sent: {
    readonly username: string;
    readonly reply: Reply;
    readonly memory: Memory;
    /** Was it refused just now, and the message sent again without it? */
    readonly refused: boolean;
  },
): Outcome {
  const { username, reply, memory, refused } = sent;
  if (outcome.type !== "delivered") return outcome;
  const warning = `The message was posted without the username ${JSON.stringify(username)}. Add the scope ${SCOPE} under OAuth & Permissions of the Slack app, then reinstall the app.`;
  if (refused) {
    const state: Json = { ...memory, usernameRefused: true };
    return delivered({ ...outcome, warning, state });
  }
  if (memory.usernameRefused === true) {
    const { usernameRefused: _, ...rest } = memory;
    return delivered({ ...outcome, warning, ...(listsScope(reply) && { state: rest }) });
  }
  return showsUsername(reply, username) ? outcome : delivered({ ...outcome, warning });
}

const SCOPE = "chat:write.customize";

/** Slack lists what the token may do in every reply. */
function listsScope({ status, ...reply }: Reply): boolean {
  const scopes = "headers" in reply ? reply.headers.get("x-oauth-scopes") : null;
  return status !== null && (scopes ?? "").split(/\s*,\s*/).includes(SCOPE);
}

/** The echo of the message has the name, unless Slack ignored it. */
function showsUsername(reply: Reply, username: string): boolean {
  const message = reply.status === null ? undefined : reply.body?.message;
  return message === undefined || shown(message.username ?? "") === shown(username);
}

/** Slack echoes names escaped, and with blanks of its own. */
const shown = (name: string): string =>
  name
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .replace(/\s+/g, " ")
    .normalize("NFC")
    .trim();
