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

/** Pages whoever is on duty. `baseUrl` is where every hook begins: for tests and proxies. */
export function pager({ baseUrl = "https://hooks.pager.example/" } = {}) {
  const hook = `Give the hook as Pager shows it. It begins with ${baseUrl}`;
  return defineHandler({
    type: "pager",
    description: "Pages whoever is on duty.",
    configuration: v.strictObject({ hook: v.pipe(v.string(hook), v.startsWith(baseUrl, hook)) }),
    secrets: ["hook"],
    gates: ({ hook }) => [{ name: "hook", key: hook, limit: 5, perMs: 2_000, burst: 5 }],

    deliver: ({ event, configuration, signal }) => {
      const text = [...`${event.type}: ${event.payload}`].slice(0, 1_000).join("");
      return fetch(configuration.hook, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text, dedup_key: event.id }),
        redirect: "manual",
        signal,
      }).then(outcomeOf, unanswered);
    },
  });
}

async function outcomeOf({ status, ok, headers, body }: Response): Promise<Outcome> {
  await body?.cancel();
  const reason = `Pager answered HTTP ${status}`;
  if (ok) return delivered();
  if (status === 429) {
    const seconds = Number(headers.get("retry-after")) || 10;
    return throttled({ reason, retryAfterMs: seconds * 1_000, gate: "hook" });
  }
  if ([401, 403, 404].includes(status)) {
    return gone(reason, { remedy: "Make a new hook in Pager and save it here." });
  }
  return status >= 500 ? failed(reason) : rejected(reason);
}

/** Without an answer the page may have arrived, unless the connection was never made. */
function unanswered(error: unknown): Outcome {
  const { code } = (error as { cause?: { code?: string } }).cause ?? {};
  if (["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"].includes(`${code}`)) {
    return failed(`Pager was not reached (${code})`);
  }
  return unknown("Pager did not answer");
}
