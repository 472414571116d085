import type { Json } from "./event.ts";
import { MASK } from "./subscription.ts";

/** How much of a text from outside is kept, in UTF-16 units. */
const LONGEST_TEXT = 2_000;
/** A secret shorter than this is not searched for: it would mask ordinary words. */
const SHORTEST_SECRET = 6;

/**
 * A text that came from outside, made fit to be stored, logged and shown: secrets masked, control
 * characters made visible, at most 2,000 characters.
 */
export function safeText(text: string, secrets: readonly string[]): string {
  const shown = redact(text, secrets)
    .slice(0, LONGEST_TEXT + 1)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
  return shown.length <= LONGEST_TEXT
    ? shown
    : `${shown.slice(0, LONGEST_TEXT - 1).toWellFormed()}…`;
}

/** The text with every secret in it, plain or as JSON or a URL writes it, replaced by the mask. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) {
    if (secret.length < SHORTEST_SECRET) continue;
    redacted = redacted
      .replaceAll(secret, MASK)
      .replaceAll(JSON.stringify(secret).slice(1, -1), MASK)
      .replaceAll(encodeURIComponent(secret.toWellFormed()), MASK);
  }
  return redacted;
}

/** JSON with every secret in its texts, keys and numbers masked. */
export function redactJson(value: Json, secrets: readonly string[]): Json {
  if (typeof value === "string") return redact(value, secrets);
  if (typeof value === "number") {
    const shown = String(value);
    return redact(shown, secrets) === shown ? value : MASK;
  }
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map((member) => redactJson(member, secrets));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      redact(key, secrets),
      redactJson(member, secrets),
    ]),
  );
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** What was thrown, in words; whatever it is. */
export function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) {
      return thrown.name === "Error" ? `${thrown.message}` : `${thrown.name}: ${thrown.message}`;
    }
    return typeof thrown === "string" ? thrown : `threw ${String(thrown)}`;
  } catch {
    return "threw something that cannot be described";
  }
}
