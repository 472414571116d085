import type { FakeMessage } from "../messages.ts";
import type { Entry } from "./feed.ts";
import { type Html, html } from "./html.ts";
import { mrkdwnToHtml, textToLines, time } from "./mrkdwn.ts";

/** A message as Slack's clients show it. */
export function messageToHtml({ number, message, continued }: Entry): Html {
  const sender = senderOf(message);
  const posted = time(message.postedAt, clock(message.postedAt), "short");
  const blocks = (message.blocks ?? []) as readonly object[] as readonly Block[];
  const body =
    blocks.length === 0
      ? html`<p>${message.mrkdwn === false ? textToLines(message.text) : mrkdwnToHtml(message.text)}</p>`
      : html`${blocks.map(blockToHtml)}`;
  return html`<article class="message${continued ? " continued" : ""}" id="m${number}">
  <span class="avatar hue${hueOf(sender)}" aria-hidden="true">${initials(sender)}</span>
  <div class="content">
    <header><b class="sender">${sender}</b> <span class="app">App</span> ${posted}</header>
    ${body}
  </div>
</article>`;
}

/** The part of Block Kit that messages of webhooks use; others appear as their JSON. */
interface Block {
  readonly type: string;
  readonly text?: Text;
  readonly fields?: readonly Text[];
  readonly elements?: readonly Text[];
}

interface Text {
  readonly type: string;
  readonly text?: string;
}

function blockToHtml(block: Block): Html {
  switch (block.type) {
    case "section":
      return html`${block.text === undefined ? "" : html`<p>${textToHtml(block.text)}</p>`}${
        block.fields === undefined
          ? ""
          : html`<ul class="fields">${block.fields.map((field) => html`<li>${textToHtml(field)}</li>`)}</ul>`
      }`;
    case "header":
      return html`<h3>${textToHtml(block.text ?? { type: "plain_text", text: "" })}</h3>`;
    case "context":
      return html`<p class="context">${(block.elements ?? []).map(textToHtml)}</p>`;
    case "divider":
      return html`<hr />`;
    default:
      return html`<pre>${JSON.stringify(block, null, 2)}</pre>`;
  }
}

const textToHtml = ({ type, text = "" }: Text): Html =>
  type === "mrkdwn" ? mrkdwnToHtml(text) : html`${text}`;

function senderOf(message: FakeMessage): string {
  const profile = message.bot_profile as { readonly name?: string } | undefined;
  return message.username ?? profile?.name ?? "App";
}

const initials = (name: string): string =>
  (name.match(/\p{Lu}|(?<!\p{L})\p{L}/gu) ?? ["?"]).slice(0, 2).join("").toUpperCase();

const HUES = 8;

/** The same for the same name, so that a reader knows who it is. */
const hueOf = (name: string): number =>
  [...name].reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 9_973, 7) %
  HUES;

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
