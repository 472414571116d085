import { masked } from "./credentials.ts";

/** The beginning of an answer's body, fit to be shown; null if it is no text. */
export type Excerpt = string | null;

export type Headers = { readonly [name: string]: string | string[] | undefined };

/** Control characters but tab and line break, and what turns the direction of writing around. */
const UNFIT = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/**
 * At most so many bytes of text, without half a character at its end. Compressed bodies and those of
 * other types are left out: nobody can read them, and nothing is inflated. Credentials are masked
 * before anything is cut, for half of one would not be found.
 */
export function excerptOf(
  body: Uint8Array,
  headers: Headers,
  { mostBytes, credentials }: { readonly mostBytes: number; credentials(): readonly string[] },
): Excerpt {
  if (mostBytes === 0 || body.length === 0) return null;
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return null;
  const type = String(headers["content-type"] ?? "text/plain");
  if (!/^(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml)\b)/i.test(type)) return null;
  const whole = Buffer.from(masked(new TextDecoder().decode(body), credentials()));
  const text = new TextDecoder().decode(whole.subarray(0, mostBytes));
  const cut = whole.length > mostBytes ? text.replace(/\ufffd$/, "") : text;
  return cut.replaceAll(UNFIT, (found) => (/[\t\n\r]/.test(found) ? " " : "\ufffd"));
}
