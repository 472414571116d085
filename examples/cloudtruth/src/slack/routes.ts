import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FakeSlack } from "@posthorn/testing/slack";
import { Hono } from "hono";
import { type SSEMessage, streamSSE } from "hono/streaming";
import type { Store } from "../store.ts";
import { createFeed, type Entry } from "./feed.ts";
import { messageToHtml } from "./message.ts";
import { channelPage } from "./page.ts";
import type { Workspace } from "./workspaces.ts";

/** `/slack/`: the fake Slack's channels as people would see them, updating live. */
export function slackRoutes(options: {
  readonly slack: Pick<FakeSlack, "onMessage">;
  readonly workspaces: readonly Workspace[];
  readonly baseUrl: string;
  /** What the organization has, for the commands that an empty channel shows. */
  readonly read: Store["read"];
}): Hono {
  const { slack, workspaces, baseUrl, read } = options;
  const feed = createFeed(slack);
  /** Tells a browser that kept its page over a restart, so that it begins anew. */
  const run = randomUUID();
  const app = new Hono();

  const toServerSentEvent = async (entry: Entry): Promise<SSEMessage> => ({
    event: "message",
    id: `${run} ${entry.number}`,
    data: JSON.stringify({
      channel: entry.message.channel,
      workspace: entry.message.team,
      html: String(await messageToHtml(entry)),
    }),
  });

  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) context.header(name, value);
  });

  app.get("/slack/", async (context) => {
    const wanted = context.req.query("channel") ?? workspaces[0]?.channels[0]?.id;
    for (const workspace of workspaces) {
      const channel = workspace.channels.find(({ id }) => id === wanted);
      if (channel === undefined) continue;
      const page = channelPage({
        workspaces,
        workspace,
        channel,
        entries: feed.of(channel.id),
        last: `${run} ${feed.after(0).length}`,
        baseUrl,
        rows: await read(workspace.organization),
      });
      return context.html(page, 200, { "cache-control": "no-store" });
    }
    return context.redirect("/slack/");
  });

  app.get("/slack/live", (context) =>
    streamSSE(context, async (stream) => {
      const last = context.req.header("last-event-id") ?? context.req.query("after") ?? "";
      const [lastRun, lastNumber] = last.split(" ");
      if (lastRun !== run) return void (await stream.writeSSE({ event: "restart", data: "" }));

      let sent = stream.writeSSE({ event: "ready", data: "" });
      const send = (entry: Entry): void => {
        sent = sent.then(async () => stream.writeSSE(await toServerSentEvent(entry)));
      };
      for (const entry of feed.after(Number(lastNumber))) send(entry);
      const stop = feed.onEntry(send);
      await new Promise<void>((resolve) => stream.onAbort(resolve));
      stop();
    }),
  );

  for (const [path, { file, mediaType }] of Object.entries(files)) {
    const content = readFileSync(file, "utf8");
    app.get(path, (context) => context.body(content, 200, { "content-type": mediaType }));
  }
  return app;
}

const files = {
  "/slack/style.css": {
    file: new URL("./style.css", import.meta.url),
    mediaType: "text/css; charset=utf-8",
  },
  "/slack/live.js": {
    file: new URL("./live.js", import.meta.url),
    mediaType: "text/javascript; charset=utf-8",
  },
  "/slack/icon.svg": {
    file: new URL("./icon.svg", import.meta.url),
    mediaType: "image/svg+xml",
  },
};

const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
