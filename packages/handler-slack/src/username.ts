import type { Reply } from "./reply.ts";

/** The scope for a name and an icon of one's own. */
export const CUSTOMIZE = "chat:write.customize";

/**
 * Does the reply say that the message may be posted, but not under a name of its own? Without the
 * scope for it Slack has been seen to refuse the message, in both ways, and to ignore the name.
 */
export function refusesUsername(reply: Reply): boolean {
  if (reply.status === null || reply.body === null || reply.body.ok) return false;
  const { error, needed = CUSTOMIZE } = reply.body;
  return (
    error === "not_allowed_token_type" || (error === "missing_scope" && needed.includes(CUSTOMIZE))
  );
}

/** For the customer whose messages appear under another name. */
export const namelessWarning = (username: string): string =>
  `The message was posted without the username ${JSON.stringify(username)}. Add the scope ${CUSTOMIZE} under OAuth & Permissions of the Slack app, then reinstall the app.`;

/** The echo of the message has the name, unless Slack ignored it. */
export function showsUsername(reply: Reply, username: string): boolean {
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
