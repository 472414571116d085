import { characters } from "./rule.ts";

/** Slack's longest single message; one character more and it splits (measured 2026-08). */
const LONGEST_MESSAGE = 4_040;
/** The length of the pieces it splits into (measured 2026-08). */
const PIECE = 4_000;
/** Text beyond this many characters is cut off (documented by chat.postMessage). */
const LONGEST_TEXT = 40_000;

/**
 * Splits a message's text as Slack does: up to 4,040 characters stay one message, more become
 * messages of 4,000 characters, and what lies beyond 40,000 is lost.
 */
export function splitText(text: string): { pieces: string[]; truncated: boolean } {
  const all = [...text];
  const kept = all.slice(0, LONGEST_TEXT);
  const truncated = all.length > kept.length;
  if (kept.length <= LONGEST_MESSAGE) return { pieces: [kept.join("")], truncated };
  const pieces: string[] = [];
  for (let from = 0; from < kept.length; from += PIECE) {
    pieces.push(kept.slice(from, from + PIECE).join(""));
  }
  return { pieces, truncated };
}

/** Cuts text beyond 40,000 characters and nothing else: with blocks, text is only the fallback. */
export function truncateText(text: string): { pieces: string[]; truncated: boolean } {
  const all = [...text];
  if (all.length <= LONGEST_TEXT) return { pieces: [text], truncated: false };
  return { pieces: [all.slice(0, LONGEST_TEXT).join("")], truncated: true };
}

/**
 * Escapes what Slack escapes: `&`, `<` and `>`, but neither entities that are there already nor,
 * in mrkdwn, the `<…>` tokens of links, mentions and dates.
 */
export function escapeText(text: string, options: { mrkdwn: boolean }): string {
  const parts = options.mrkdwn ? text.split(/(<[^<>\n]+>)/) : [text];
  return parts
    .map((part, index) => (index % 2 === 1 ? escapeStray(part, "&") : escapeStray(part, "&<>")))
    .join("");
}

/** How many characters Slack counts: escaped entities count escaped (measured by third parties). */
export function escapedLength(text: string, options: { mrkdwn: boolean }): number {
  return characters(escapeText(text, options));
}

/** Wraps bare http(s) URLs in `<…>`, which is how Slack stores links unless `parse` is `none`. */
export function linkUrls(text: string): string {
  return text
    .split(/(<[^<>\n]+>)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/https?:\/\/[^\s<>|`]+/g, "<$&>")))
    .join("");
}

function escapeStray(text: string, which: "&" | "&<>"): string {
  const ampersands = text.replace(/&(?!(?:amp|lt|gt);)/g, "&amp;");
  return which === "&" ? ampersands : ampersands.replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
