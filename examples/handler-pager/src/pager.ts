import {
  type DeliverItem,
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

    deliver: ({ configuration, signal, ...item }) => page(configuration.hook, [item], signal),
    batch: {
      max: 10,
      deliver: ({ configuration, signal, items }) => page(configuration.hook, items, signal),
    },
  });
}

/** One page, with a line for each event. Pager takes 1,000 characters. */
function page(hook: string, items: readonly DeliverItem[], signal: AbortSignal): Promise<Outcome> {
  const most = Math.floor(1_000 / items.length) - 1;
  const lines = items.map(({ event }) => shortened(`${event.type}: ${event.payload}`, most));
  return fetch(hook, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: lines.join("\n"), dedup_key: keyOf(items) }),
    redirect: "manual",
    signal,
  }).then(outcomeOf, unanswered);
}

const shortened = (text: string, most: number): string => [...text].slice(0, most).join("");

/** The same for the same events: Pager drops what it has already. */
const keyOf = (items: readonly DeliverItem[]): string =>
  items.map(({ event }) => event.id).join(" ");

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
