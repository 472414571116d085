import { html } from "hono/html";
import { type Command, curl, newParameter, webhookPayload } from "../commands.ts";
import type { Rows } from "../rows.ts";
import type { Entry } from "./feed.ts";
import { archiveBox } from "./icon.ts";
import { messageToHtml } from "./message.ts";
import type { Html } from "./mrkdwn.ts";
import type { Workspace } from "./workspaces.ts";

type Channel = Workspace["channels"][number];

/** One channel, with the others beside it. */
export function channelPage(options: {
  readonly workspaces: readonly Workspace[];
  readonly workspace: Workspace;
  readonly channel: Channel;
  readonly entries: readonly Entry[];
  /** The id of the last message of any channel: where live updates go on. */
  readonly last: string;
  readonly baseUrl: string;
  /** What the workspace's organization has. */
  readonly rows: Rows;
}): Html {
  const { workspaces, workspace, channel, entries, last } = options;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>#${channel.name} · ${workspace.name} · fake Slack</title>
<link rel="icon" href="icon.svg" />
<link rel="stylesheet" href="style.css" />
<script type="module" src="live.js"></script>
</head>
<body data-channel="${channel.id}" data-last="${last}">
<nav class="rail" aria-label="Workspaces">${workspaces.map((each) => tile(each, workspace))}</nav>
<nav class="sidebar" aria-label="Channels of ${workspace.name}">
  <h1>${workspace.name}</h1>
  <h2>Channels</h2>
  <ul>${workspace.channels.map((each) => entry(each, channel))}</ul>
  <p class="note">A fake Slack, part of the CloudTruth example. Nothing leaves this computer.</p>
</nav>
<main>
  <header class="top">
    <h2>${sign(channel)}${channel.name}</h2>
    <p id="connection" role="status">Connecting…</p>
  </header>
  <section id="messages" role="log" aria-label="Messages in ${channel.name}" tabindex="0">
    <p class="beginning">This is the very beginning of <b>#${channel.name}</b>.</p>
    ${entries.length === 0 ? emptyState(options) : ""}
    ${entries.map(messageToHtml)}
  </section>
  <p class="composer">${
    channel.archived
      ? "This channel is archived: Slack refuses what is posted to it."
      : html`Only webhooks post here: <code>"channel": "#${channel.name}"</code>`
  }</p>
</main>
</body>
</html>`;
}

function tile(workspace: Workspace, current: Workspace): Html {
  const { name, channels } = workspace;
  const here = workspace.id === current.id;
  return html`<a class="tile" href="?channel=${channels[0]?.id}" title="${name}"${ariaCurrent(here)}>
    <span aria-hidden="true">${name.charAt(0)}</span><span class="hidden">${name}</span>
    <span class="unread" data-workspace="${workspace.id}" hidden></span></a>`;
}

function entry(channel: Channel, current: Channel): Html {
  return html`<li><a href="?channel=${channel.id}"${ariaCurrent(channel.id === current.id)}>
    <span class="name">${sign(channel)}${channel.name}</span>
    <span class="unread" data-channel="${channel.id}" hidden></span></a></li>`;
}

const ariaCurrent = (here: boolean): Html | string => (here ? html` aria-current="page"` : "");

const sign = ({ archived }: Channel): Html =>
  archived ? archiveBox : html`<span class="sign" aria-hidden="true">#</span>`;

function emptyState(options: Parameters<typeof channelPage>[0]): Html {
  const { workspace, channel, baseUrl, rows } = options;
  const { apiKey, organization, token } = workspace;
  const name = `#${channel.name}`;
  const api = `${baseUrl}/api/v1`;
  const payload = webhookPayload({ token, channel: name, organization });
  const { path, ...parameter } = newParameter(rows);
  const first = html`
  ${command(`Subscribe ${name} to new parameters`, { method: "POST", url: `${api}/webhooks/`, apiKey, body: payload })}
  ${command("Create a parameter", { ...parameter, url: `${api}/${path}`, apiKey })}`;
  if (!channel.archived) {
    return html`<div id="empty">
  <h3>Nothing in ${name} yet</h3>
  <p>Two commands in a terminal, and the first message is here.</p>
  ${first}
</div>`;
  }
  return html`<div id="empty">
  <h3>Nothing can be posted in ${name}</h3>
  <p>It is archived. Subscribe it all the same, and see how its webhook says so.</p>
  ${first}
  ${command("Read the webhook's status", { method: "GET", url: `${api}/webhooks/`, apiKey })}
</div>`;
}

const command = (title: string, request: Command): Html =>
  html`<div class="command"><h4>${title}</h4><button type="button" hidden>Copy</button><pre>${curl(request)}</pre></div>`;
