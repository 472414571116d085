import type { FakeChannel, FakeWorkspace } from "../workspace.ts";
import type { Entry } from "./feed.ts";
import { type Html, html } from "./html.ts";
import { archiveBox } from "./icon.ts";
import { messageToHtml } from "./message.ts";

/** A workspace with its channels. */
export interface Shelf extends Pick<FakeWorkspace, "id" | "name"> {
  readonly channels: readonly FakeChannel[];
}

/** What an empty channel says: how to fill it. */
export interface Invitation {
  readonly title: string;
  readonly text: string;
  /** For a terminal, each with what it does. */
  readonly commands: readonly { readonly title: string; readonly command: string }[];
}

/** One channel, with the others beside it. */
export function channelPage(options: {
  readonly workspaces: readonly Shelf[];
  readonly workspace: Shelf;
  readonly channel: FakeChannel;
  readonly entries: readonly Entry[];
  /** The id of the last message of any channel: where live updates go on. */
  readonly last: string;
  readonly invitation: Invitation;
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
  <p class="note">A fake Slack, for tests and for trying out. Nothing leaves this computer.</p>
</nav>
<main>
  <header class="top">
    <h2>${sign(channel)}${channel.name}</h2>
    <p id="connection" role="status">Connecting…</p>
  </header>
  <section id="messages" role="log" aria-label="Messages in ${channel.name}" tabindex="0">
    <p class="beginning">This is the very beginning of <b>#${channel.name}</b>.</p>
    ${entries.length === 0 ? emptyState(options.invitation) : ""}
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

function tile(workspace: Shelf, current: Shelf): Html {
  const { name, channels } = workspace;
  const here = workspace.id === current.id;
  return html`<a class="tile" href="?channel=${channels[0]?.id ?? ""}" title="${name}"${ariaCurrent(here)}>
    <span aria-hidden="true">${name.charAt(0)}</span><span class="hidden">${name}</span>
    <span class="unread" data-workspace="${workspace.id}" hidden></span></a>`;
}

function entry(channel: FakeChannel, current: FakeChannel): Html {
  return html`<li><a href="?channel=${channel.id}"${ariaCurrent(channel.id === current.id)}>
    <span class="name">${sign(channel)}${channel.name}</span>
    <span class="unread" data-channel="${channel.id}" hidden></span></a></li>`;
}

const ariaCurrent = (here: boolean): Html | string => (here ? html` aria-current="page"` : "");

const sign = ({ archived }: FakeChannel): Html =>
  archived ? archiveBox : html`<span class="sign" aria-hidden="true">#</span>`;

const emptyState = ({ title, text, commands }: Invitation): Html =>
  html`<div id="empty">
  <h3>${title}</h3>
  <p>${text}</p>
  ${commands.map(
    ({ title: what, command }) =>
      html`<div class="command"><h4>${what}</h4><button type="button" hidden>Copy</button><pre>${command}</pre></div>`,
  )}
</div>`;
