import { type Html, html } from "./html.ts";
import { emoji as emojiNamed } from "./icon.ts";

/**
 * Slack's mrkdwn as HTML, the way its clients show it. What is not markup is escaped.
 * https://docs.slack.dev/messaging/formatting-message-text
 */
export function mrkdwnToHtml(text: string): Html {
  const parts: (Html | string)[] = [];
  let end = 0;
  for (const match of text.matchAll(MARKUP)) {
    parts.push(unescaped(text.slice(end, match.index)), markup(match.groups ?? {}, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(unescaped(text.slice(end)));
  return html`${parts}`;
}

/** A mark counts where a word begins or ends; between letters it is a character. */
const MARKUP = new RegExp(
  [
    /```\n?(?<block>[\s\S]+?)```/,
    /`(?<code>[^`\n]+)`/,
    /<!date\^(?<seconds>\d+)\^[^|>]*\|(?<date>[^>]*)>/,
    /<(?<url>https?:[^|>\s]+)(?:\|(?<label>[^>]*))?>/,
    /<(?<mention>[@#!][^>]*)>/,
    /:(?<emoji>[a-z0-9_+-]+):/,
    /(?<![\w*])\*(?<bold>\S|\S[^*\n]*?\S)\*(?![\w*])/,
    /(?<![\w_])_(?<italic>\S|\S[^_\n]*?\S)_(?![\w_])/,
    /(?<![\w~])~(?<struck>\S|\S[^~\n]*?\S)~(?![\w~])/,
    /(?<newline>\n)/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

function markup(
  groups: Readonly<Record<string, string | undefined>>,
  whole: string,
): Html | string {
  const { block, code, seconds, date, url, label, mention, emoji, bold, italic, struck } = groups;
  if (block !== undefined) return html`<pre>${unescaped(block)}</pre>`;
  if (code !== undefined) return html`<code>${unescaped(code)}</code>`;
  if (seconds !== undefined) return time(Number(seconds) * 1_000, unescaped(date ?? ""), "long");
  if (url !== undefined) {
    return html`<a href="${unescaped(url)}" rel="noreferrer" target="_blank">${unescaped(label ?? url)}</a>`;
  }
  if (mention !== undefined) {
    return html`<span class="mention">${unescaped(mention.split("|").at(-1) ?? "")}</span>`;
  }
  if (emoji !== undefined) return emojiNamed(emoji) ?? whole;
  if (bold !== undefined) return html`<strong>${mrkdwnToHtml(bold)}</strong>`;
  if (italic !== undefined) return html`<em>${mrkdwnToHtml(italic)}</em>`;
  if (struck !== undefined) return html`<s>${mrkdwnToHtml(struck)}</s>`;
  return html`<br />`;
}

/** Text that nothing formats. */
export const textToLines = (text: string): Html =>
  html`${text
    .split("\n")
    .map((line, nr) => html`${nr === 0 ? "" : html`<br />`}${unescaped(line)}`)}`;

/** An instant, which the page's script puts into the reader's own time zone and language. */
export function time(ms: number, text: string, form: "long" | "short"): Html {
  const instant = new Date(ms);
  if (Number.isNaN(instant.getTime())) return html`${text}`;
  return html`<time datetime="${instant.toISOString()}" data-form="${form}">${text}</time>`;
}

/** Slack escapes these three and nothing else. */
const unescaped = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
