import { randomUUID } from "node:crypto";
import type { Messages } from "../messages.ts";
import type { FakeChannel, World } from "../workspace.ts";
import { createFeed, type Entry } from "./feed.ts";
import { pageIcon } from "./icon.ts";
import { live } from "./live.ts";
import { messageToHtml } from "./message.ts";
import { channelPage, type Invitation, type Shelf } from "./page.ts";
import { style } from "./style.ts";

export interface SlackPageOptions {
  /** The fake whose channels are shown. */
  readonly slack: Pick<World, "workspaces" | "channelsOf"> & Pick<Messages, "onMessage">;
  /** What a channel without messages shows. Default: how to post to it with curl. */
  readonly invite: (channel: FakeChannel) => Invitation | Promise<Invitation>;
}

/**
 * The channels of a fake Slack as people would see them, updating live: a web page, its parts and its
 * stream of messages, all below one path that ends with a slash. Everything else is 404. It loads
 * nothing from elsewhere and runs nothing inline.
 */
export function slackPage({
  slack,
  invite,
}: SlackPageOptions): (request: Request) => Promise<Response> {
  const feed = createFeed(slack);
  /** Tells a browser that kept its page over a restart, so that it begins anew. */
  const run = randomUUID();

  async function page(url: URL): Promise<Response> {
    const workspaces: readonly Shelf[] = slack
      .workspaces()
      .map(({ id, name }) => ({ id, name, channels: slack.channelsOf(id) }));
    const wanted = url.searchParams.get("channel");
    const channels = workspaces.flatMap((each) => each.channels);
    const channel = wanted === null ? channels[0] : channels.find(({ id }) => id === wanted);
    const workspace = workspaces.find(({ id }) => id === channel?.workspace);
    if (channel === undefined || workspace === undefined) {
      return answer("", "text/html", 302, { location: url.pathname });
    }
    const { html } = channelPage({
      workspaces,
      workspace,
      channel,
      entries: feed.of(channel.id),
      last: `${run} ${feed.after(0).length}`,
      invitation: await invite(channel),
    });
    return answer(html, "text/html", 200, { "cache-control": "no-store" });
  }

  const stream = (request: Request, url: URL): Response => {
    const last = request.headers.get("last-event-id") ?? url.searchParams.get("after") ?? "";
    const [lastRun, lastNumber] = last.split(" ");
    if (lastRun !== run) return answer(serverSentEvent({ event: "restart" }), "text/event-stream");

    let stop: () => void;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const encoder = new TextEncoder();
        const write = (text: string): void => controller.enqueue(encoder.encode(text));
        const send = (entry: Entry): void => write(messageEvent(run, entry));
        write(serverSentEvent({ event: "ready" }));
        for (const entry of feed.after(Number(lastNumber))) send(entry);
        stop = feed.onEntry(send);
      },
      cancel: () => stop(),
    });
    return answer(body, "text/event-stream", 200, { "cache-control": "no-store" });
  };

  return async (request) => {
    const url = new URL(request.url);
    const name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
    switch (name) {
      case "":
        return page(url);
      case "live":
        return stream(request, url);
      case "style.css":
        return answer(style, "text/css");
      case "live.js":
        return answer(live, "text/javascript");
      case "icon.svg":
        return answer(pageIcon, "image/svg+xml");
      default:
        return answer("There is nothing here.", "text/plain", 404);
    }
  };
}

const messageEvent = (run: string, entry: Entry): string =>
  serverSentEvent({
    event: "message",
    id: `${run} ${entry.number}`,
    data: JSON.stringify({
      channel: entry.message.channel,
      workspace: entry.message.team,
      html: messageToHtml(entry).html,
    }),
  });

const serverSentEvent = ({
  event,
  id,
  data = "",
}: {
  readonly event: string;
  readonly id?: string;
  readonly data?: string;
}): string => `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;

const answer = (
  body: string | ReadableStream<Uint8Array>,
  mediaType: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(body, {
    status,
    headers: {
      "content-type": mediaType.startsWith("image/") ? mediaType : `${mediaType}; charset=utf-8`,
      "content-security-policy":
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
