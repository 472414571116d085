import type { FaultAction } from "./faults.ts";
import type { World } from "./workspace.ts";

/**
 * Faults for clients that can be given a token and nothing else: `xoxb-fatal_error` always fails so,
 * `xoxb-fatal_error_only_once` the first time. The idea and its names are those of the mock server
 * in the tests of Slack's python-slack-sdk (`mock_web_api_handler.py`). Such a token is added when it
 * is seen first, so that what does not fail works.
 */
export function createTokenFaults(): (
  token: string | undefined,
  world: World,
) => FaultAction | undefined {
  const seen = new Set<string>();
  return (token, world) => {
    if (token === undefined || (world.token(token) !== undefined && !seen.has(token))) return;
    const suffix = /^xoxb-(.+)$/.exec(token)?.[1];
    if (suffix === undefined) return;
    const name = suffix.replace(/_only_once$/, "");
    const action = /^[2-5]\d\d$/.test(name)
      ? ({ type: "status", status: Number(name) } as const)
      : Object.hasOwn(actions, name)
        ? actions[name]
        : undefined;
    if (action === undefined) return;
    const isFirst = !seen.has(token);
    seen.add(token);
    if (isFirst) world.addToken(token);
    return isFirst || name === suffix ? action : undefined;
  };
}

const actions: Readonly<Record<string, FaultAction>> = {
  ratelimited: {
    type: "status",
    status: 429,
    headers: { "retry-after": "1", "content-type": "application/json; charset=utf-8" },
    body: '{"ok":false,"error":"ratelimited"}',
  },
  fatal_error: { type: "error", error: "fatal_error" },
  html_response: { type: "html", status: 404 },
  error_html_response: { type: "html", status: 503 },
  server_error: { type: "status", status: 500 },
  remote_disconnected: { type: "post_then_reset" },
  timeout: { type: "post_then_hang" },
};
