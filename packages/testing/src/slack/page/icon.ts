import { type Html, html } from "./html.ts";

/** An emoji by Slack's name for it, drawn: not every computer has a font of them. */
export function emoji(name: string): Html | undefined {
  const drawing = Object.hasOwn(emojis, name) ? emojis[name] : undefined;
  if (drawing === undefined) return undefined;
  return html`<svg class="emoji" viewBox="0 0 20 20" role="img" aria-label=":${name}:">${drawing}</svg>`;
}

/** What stands before the name of a channel nobody can post to. */
export const archiveBox: Html = html`<svg class="sign" viewBox="0 0 20 20" role="img" aria-label="archived"><path d="M2.5 4h15v4h-15zM4 8v8h12V8M8 11.5h4" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linejoin="round" /></svg>`;

const emojis: Readonly<Record<string, Html>> = {
  heavy_plus_sign: html`<path d="M10 3v14M3 10h14" stroke="#2b9a66" stroke-width="4.4" />`,
  pencil2: html`<path d="M3 17l1.2-4.6L13.6 3a1.6 1.6 0 0 1 2.3 0l1.1 1.1a1.6 1.6 0 0 1 0 2.3L7.6 15.8z" fill="#f2b53b" /><path d="M12.2 4.4l3.4 3.4L17 6.4a1.6 1.6 0 0 0 0-2.3L15.9 3a1.6 1.6 0 0 0-2.3 0z" fill="#e5698a" /><path d="M3 17l1.2-4.6 3.4 3.4z" fill="#7a5a3a" />`,
  wastebasket: html`<path d="M4 6h12l-1.2 11.5H5.2z" fill="#9aa3ad" /><path d="M2.8 3.8h14.4v2.4H2.8zM7.8 2.2h4.4v1.8H7.8z" fill="#6d7681" /><path d="M8 8.5v6.5M12 8.5v6.5" stroke="#6d7681" stroke-width="1.3" />`,
  warning: html`<path d="M10 2.6L18.4 17H1.6z" fill="#f2c744" stroke="#c79a1c" stroke-linejoin="round" /><path d="M10 7.4v4.8M10 14v1.6" stroke="#5a4510" stroke-width="1.8" />`,
  no_entry: html`<circle cx="10" cy="10" r="8" fill="#d33a45" /><path d="M5 10h10" stroke="#fff" stroke-width="3" />`,
  wave: html`<path d="M6 17c-2.5-2-4-5-3.3-6.2.7-1 1.7-.2 2.3.7L3.7 6.9c-.4-1.6 1.4-2 1.9-.6L7 9.4 6.4 4.1c-.1-1.6 1.9-1.8 2.2-.2l.9 5 .9-4.8c.3-1.5 2.2-1.2 2.1.4l-.5 5.3 1.7-3c.8-1.3 2.4-.5 1.8 1l-2.4 6.6c-1.2 3.3-4.7 4.4-7.1 2.6z" fill="#f2c744" />`,
};

/** The page's own icon. */
export const pageIcon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><title>Fake Slack</title><rect width="32" height="32" rx="8" fill="#3b1d4a" /><path d="M12 8 10 24M22 8l-2 16M8 13h17M7 19h17" stroke="#fff" stroke-width="2.5" stroke-linecap="round" fill="none" /></svg>';
