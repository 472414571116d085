import { afterEach, expect, test } from "vitest";
import { createFakeSlack, type FakeSlack, type FaultAction } from "./index.ts";

const open: FakeSlack[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((slack) => slack.close()));
});

async function start(): Promise<FakeSlack> {
  const slack = await createFakeSlack();
  open.push(slack);
  return slack;
}

function post(slack: FakeSlack, channel = "general"): Promise<Response> {
  return fetch(`${slack.url}chat.postMessage`, {
    method: "POST",
    headers: {
      authorization: "Bearer xoxb-fake",
      "content-type": "application/json; charset=utf-8",
    },
    body: JSON.stringify({ channel, text: "hi" }),
    redirect: "manual",
  });
}

test.each<[action: FaultAction, posted: number, status: number, body: string | RegExp]>([
  [
    { type: "error", error: "fatal_error", extra: { detail: 1 } },
    0,
    200,
    '{"ok":false,"error":"fatal_error","detail":1}',
  ],
  [{ type: "status", status: 502, body: '{"ok":tr' }, 0, 502, '{"ok":tr'],
  [{ type: "html" }, 0, 503, /Server Error \| Slack/],
  [{ type: "redirect", location: "http://127.0.0.1:1/" }, 0, 302, ""],
  [{ type: "delay", delayMs: 1 }, 1, 200, /^\{"ok":true/],
  [{ type: "post_then_status", status: 500 }, 1, 500, ""],
  [
    { type: "post_then_error", error: "internal_error" },
    1,
    200,
    '{"ok":false,"error":"internal_error"}',
  ],
  [{ type: "post_then_truncate" }, 1, 200, /^\{"ok":true.*[^}]$/],
])("%j answers so, and posts or not", async (action, posted, status, body) => {
  const slack = await start();
  slack.fault({ action });
  const response = await post(slack);
  expect(response.status).toBe(status);
  expect(await response.text()).toEqual(
    typeof body === "string" ? body : expect.stringMatching(body),
  );
  expect(slack.messages("general")).toHaveLength(posted);
  expect(slack.requests[0]?.answer?.status).toBe(status);
  expect((await post(slack)).status).toBe(200);
});

test.each<[action: FaultAction, posted: number, body: string]>([
  [{ type: "reset_before_read" }, 0, ""],
  [{ type: "post_then_reset" }, 1, '{"channel":"general","text":"hi"}'],
])("%j cuts the connection, and posts or not", async (action, posted, body) => {
  const slack = await start();
  slack.fault({ action });
  await expect(post(slack)).rejects.toThrow("fetch failed");
  expect(slack.messages("general")).toHaveLength(posted);
  expect(slack.requests).toMatchObject([{ body }]);
  expect(slack.requests[0]).not.toHaveProperty("answer");
});

test.each<[action: FaultAction, posted: number]>([
  [{ type: "hang" }, 0],
  [{ type: "post_then_hang" }, 1],
  [{ type: "delay", delayMs: 2_000_000_000 }, 0],
])("%j never answers, and close ends it", async (action, posted) => {
  const slack = await start();
  slack.fault({ action });
  const outcome = expect(post(slack)).rejects.toThrow("fetch failed");
  while (slack.requests[0]?.body !== '{"channel":"general","text":"hi"}') {
    await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  expect(slack.messages("general")).toHaveLength(posted);
  await slack.close();
  await outcome;
});

test("a redirect and a status carry their headers", async () => {
  const slack = await start();
  slack.fault({ action: { type: "redirect", status: 307, location: "http://127.0.0.1:1/x" } });
  const redirected = await post(slack);
  expect([redirected.status, redirected.headers.get("location")]).toEqual([
    307,
    "http://127.0.0.1:1/x",
  ]);
  slack.fault({ action: { type: "status", status: 429, headers: { "retry-after": "9" } } });
  expect((await post(slack)).headers.get("retry-after")).toBe("9");
  slack.fault({ action: { type: "html", status: 404 } });
  expect((await post(slack)).status).toBe(404);
});

test("a fault hits from its nth match on, so many times", async () => {
  const slack = await start();
  slack.fault({ match: { nth: 2 }, times: 2, action: { type: "html" } });
  const statuses: number[] = [];
  for (let n = 0; n < 5; n++) statuses.push((await post(slack)).status);
  expect(statuses).toEqual([200, 503, 503, 200, 200]);
});

test("a fault hits only its method and its channel, by name or id", async () => {
  const slack = await start();
  slack.fault({ match: { method: "auth.test" }, action: { type: "html" } });
  slack.fault({ match: { channel: "random" }, action: { type: "status", status: 500 } });
  slack.fault({
    match: { channel: slack.channel("random").id },
    action: { type: "status", status: 501 },
  });
  expect((await post(slack)).status).toBe(200);
  expect((await post(slack, slack.channel("random").id)).status).toBe(500);
  expect((await post(slack, "#random")).status).toBe(501);
  expect((await fetch(`${slack.url}auth.test`)).status).toBe(503);
});

test("a fault can be taken back", async () => {
  const slack = await start();
  const remove = slack.fault({ times: Number.POSITIVE_INFINITY, action: { type: "html" } });
  expect((await post(slack)).status).toBe(503);
  remove();
  expect((await post(slack)).status).toBe(200);
});

test("a fault that could never match is refused", async () => {
  const slack = await start();
  expect(() =>
    slack.fault({ match: { channel: "general" }, action: { type: "reset_before_read" } }),
  ).toThrow("known only after reading");
});

test.each<[action: FaultAction, body: RegExp]>([
  [{ type: "gzip" }, /^\{"ok":true.*\}$/],
  [{ type: "bom" }, /^\{"ok":true.*\}$/],
  [{ type: "huge_body" }, /^\{"filler":"x{100}/],
  [{ type: "duplicate_header" }, /^\{"ok":true.*\}$/],
  [{ type: "slow_headers", delayMs: 1 }, /^\{"ok":true.*\}$/],
  [{ type: "slow_body", byteMs: 0 }, /^\{"ok":true.*\}$/],
])("%j is posted, and answered so", async (action, body) => {
  const slack = await start();
  slack.fault({ action });
  const response = await post(slack);
  expect(response.status).toBe(200);
  const header = response.headers.get("x-slack-req-id") ?? "";
  if (action.type === "duplicate_header") expect(header).toMatch(/^(\w+), \1$/);
  expect((await response.text()).slice(0, 2_000)).toMatch(body);
  expect(slack.messages("general")).toHaveLength(1);
});

test("an answer that is cut in its middle is no whole body", async () => {
  const slack = await start();
  slack.fault({ action: { type: "post_then_reset_mid_body" } });
  const response = await post(slack);
  await expect(response.text()).rejects.toThrow();
  expect(slack.messages("general")).toHaveLength(1);
});

test("a connection that was to be kept is cut after its answer, and the next call has another", async () => {
  const slack = await start();
  slack.fault({ action: { type: "close_keepalive" } });
  const first = await post(slack);
  expect(first.headers.get("connection")).toBe("keep-alive");
  expect(await first.text()).toMatch(/^\{"ok":true/);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await post(slack)).status).toBe(200);
  expect(slack.messages("general")).toHaveLength(2);
});
