import {
  defineHandler,
  delivered,
  failed,
  gone,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import * as v from "valibot";

/** Posts to a Discord channel. `baseUrl` is where every webhook begins: for tests and proxies. */
export function discord({ baseUrl = "https://discord.com/api/webhooks/" } = {}) {
  const hint = `Copy the webhook URL from the channel's settings. It begins with ${baseUrl}`;
  const name = v.pipe(v.string(), v.minLength(1), v.maxLength(80));
  return defineHandler({
    type: "discord",
    description: "Posts to a Discord channel.",
    configuration: v.strictObject({
      url: v.pipe(v.string(hint), v.startsWith(baseUrl, hint)),
      username: v.optional(name),
    }),
    secrets: ["url"],
    gates: ({ url }) => [{ name: "webhook", key: url, limit: 5, perMs: 2_000, burst: 5 }],

    deliver: ({ event, configuration: { url, username }, signal }) => {
      const content = [...`${event.type}: ${event.payload}`].slice(0, 2_000).join("");
      return fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ content, username, allowed_mentions: { parse: [] } }),
        redirect: "manual",
        signal,
      }).then(outcomeOf, unanswered);
    },
  });
}

async function outcomeOf(response: Response): Promise<Outcome> {
  const { status, ok, headers } = response;
  const reason = `Discord answered HTTP ${status}`;
  const answer = (await response.json().catch(() => null)) as { retry_after?: number } | null;
  if (ok) return delivered();
  if (status === 429) {
    const seconds = Number(answer?.retry_after) || Number(headers.get("retry-after")) || 10;
    return throttled({ reason, retryAfterMs: Math.ceil(seconds * 1_000), gate: "webhook" });
  }
  if ([401, 404].includes(status)) {
    return gone(reason, { remedy: "Make a new webhook in Discord and save its URL here." });
  }
  return status >= 400 && status < 500 ? rejected(reason) : failed(reason);
}

function unanswered({ cause }: { cause?: { code?: string } }): Outcome {
  const refused = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"].includes(`${cause?.code}`);
  return refused ? failed("Discord was not reached") : unknown("Discord did not answer");
}
