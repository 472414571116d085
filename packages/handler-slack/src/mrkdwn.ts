/**
 * Text for Slack that is safe by construction: whatever was interpolated can neither mention
 * anybody, nor link, nor leave its code span. Made by {@link mrkdwn}, {@link code}, {@link bold},
 * {@link link} and {@link date}; the data of an event can never pass for it.
 */
export interface Mrkdwn {
  readonly [spansKey]: readonly Span[];
}

/** What can stand in a text: scalars are escaped; lists are joined with commas. */
export type Inline = Scalar | Mrkdwn | readonly Inline[];

export type Scalar = string | number | bigint | boolean;

/**
 * Text in Slack's mrkdwn: the literal parts are the author's markup, every interpolation is data.
 *
 *     mrkdwn`*Project created* ${code(name)} by ${actor}`
 *
 * A `<…>` token is markup only if one literal part holds it whole: use {@link link} and
 * {@link date} for tokens made of data. `*`, `_` and `~` in data cannot be escaped in Slack and may
 * still format: put names in {@link code}.
 */
export function mrkdwn(literals: TemplateStringsArray, ...values: readonly Inline[]): Mrkdwn {
  return of(
    literals.flatMap((literal, index) => {
      const value = values[index];
      const markup: Span = { kind: "markup", text: literal };
      return value === undefined ? [markup] : [markup, ...spansOf(value)];
    }),
  );
}

/** A code span: for names, whose characters nothing formats there. */
export const code = (text: Scalar): Mrkdwn => styled("code", clean(text).trim());

/** Bold text. */
export const bold = (text: Scalar): Mrkdwn =>
  styled("bold", clean(text).replaceAll("*", "∗").trim());

/** A link. If the URL is not an absolute one of http or https, its label alone. */
export function link(url: string, label: Scalar = url): Mrkdwn {
  const text = clean(label).trim() || clean(url);
  const target = URL.parse(url);
  if (target === null || !/^https?:$/.test(target.protocol)) return of([{ kind: "text", text }]);
  return of([{ kind: "link", text, url: target.href.replaceAll("|", "%7C") }]);
}

/** An instant (epoch milliseconds), shown in the reader's own time zone and language. */
export function date(ms: number): Mrkdwn {
  if (!(ms >= 0 && ms < YEAR_10000)) return of([{ kind: "text", text: String(ms) }]);
  const text = `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return of([{ kind: "date", text, seconds: Math.floor(ms / 1_000) }]);
}

/**
 * The text as Slack takes it, in at most `limit` UTF-16 units, entities counted escaped. What is
 * too long ends in `…`, and is never cut inside a code point, an entity, a token or a code span.
 */
export function toMrkdwn(content: Inline, limit: number): string {
  const spans = spansOf(content);
  const whole = spans.map(written).join("");
  if (whole.length <= limit) return whole;
  let text = "";
  for (const span of spans) {
    const room = limit - ELLIPSIS.length - text.length;
    if (written(span).length > room) return `${text}${cut(span, room)}`.trimEnd() + ELLIPSIS;
    text += written(span);
  }
  return text;
}

/** The text as it is read aloud: without markup, without emoji, not escaped. */
export const toPlain = (content: Inline): string => spansOf(content).map(spoken).join("").trim();

/** Plain text escaped for Slack, in at most `limit` UTF-16 units; `…` if it had to be cut. */
export const escapePlain = (text: string, limit: number): string =>
  toMrkdwn(of([{ kind: "text", text }]), limit);

const spansKey: unique symbol = Symbol.for("posthorn.slack.mrkdwn") as never;

/** A piece of text that is cut or kept as what it is. Only `markup` is not data. */
type Span =
  | { readonly kind: "markup" | "text" | "code" | "bold"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly url: string }
  | { readonly kind: "date"; readonly text: string; readonly seconds: number };

const ELLIPSIS = "…";
const YEAR_10000 = Date.UTC(10_000, 0);

const of = (spans: readonly Span[]): Mrkdwn => ({ [spansKey]: spans });

/** Slack shows an empty span's marks as they are; and of what nobody can see, nothing. */
const styled = (kind: "code" | "bold", text: string): Mrkdwn =>
  of([UNSEEN.test(text) ? { kind: "text", text: "(empty)" } : { kind, text }]);

function spansOf(content: Inline): readonly Span[] {
  if (isList(content)) {
    return content.flatMap((item, index): readonly Span[] =>
      index === 0 ? spansOf(item) : [{ kind: "text", text: ", " }, ...spansOf(item)],
    );
  }
  if (typeof content === "object" && content !== null && spansKey in content) {
    return content[spansKey];
  }
  return [{ kind: "text", text: clean(content) }];
}

const isList = (content: Inline): content is readonly Inline[] => Array.isArray(content);

/** Zero-width spaces and bidirectional overrides; joiners stay, scripts and emoji need them. */
const INVISIBLE = /[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]/g;
const UNSEEN = /^[\s\p{Default_Ignorable_Code_Point}]*$/u;
/** Also line breaks: at the start of a line, a `>` would quote. */
const BLANKS = /[\s\p{Cc}]+/gu;

/** Data on one line of characters that show. A backtick would open or end a code span. */
const clean = (text: Scalar): string =>
  String(text)
    .toWellFormed()
    .normalize("NFC")
    .replace(INVISIBLE, "")
    .replace(BLANKS, " ")
    .replaceAll("`", "ˋ");

/** All that Slack wants escaped: https://docs.slack.dev/messaging/formatting-message-text#escaping */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function written(span: Span): string {
  switch (span.kind) {
    case "markup":
      return atoms(span.text).join("");
    case "text":
      return escaped(span.text);
    case "code":
      return `\`${escaped(span.text)}\``;
    case "bold":
      return `*${escaped(span.text)}*`;
    case "link":
      return `<${escaped(span.url)}|${escaped(span.text)}>`;
    case "date":
      return `<!date^${span.seconds}^{date_short_pretty} at {time}|${span.text}>`;
  }
}

/** As much of a span as there is room for; a link or a date that does not fit becomes text. */
function cut(span: Span, room: number): string {
  // One unit more than there is room for: it may be half a code point, and is not taken.
  const characters = (most: number): string =>
    take(Array.from(span.text.slice(0, most + 1), escaped), most);
  switch (span.kind) {
    case "markup":
      return take(atoms(span.text), room);
    case "code":
      return wrap("`", characters(room - 2));
    case "bold":
      return wrap("*", characters(room - 2));
    default:
      return characters(room);
  }
}

function take(parts: readonly string[], room: number): string {
  let text = "";
  for (const part of parts) {
    if (text.length + part.length > room) break;
    text += part;
  }
  return text;
}

const wrap = (mark: string, text: string): string =>
  text.trim() === "" ? "" : `${mark}${text.trim()}${mark}`;

const ATOM = /(<[^<>\n]+>|`[^`<>&\n]+`|&(?:amp|lt|gt);)/;

/** Author's markup as pieces that must not be cut: tokens, code spans, entities, code points. */
const atoms = (markup: string): readonly string[] =>
  markup
    .toWellFormed()
    .split(ATOM)
    .flatMap((part, index) => (index % 2 === 1 ? [part] : Array.from(part, escaped)));

function spoken(span: Span): string {
  if (span.kind === "link") return `${span.text} (${span.url})`;
  return span.kind === "markup" ? unmarked(span.text) : span.text;
}

const TOKEN = /<(?:[^<>|\n]*\|)?[!@#]?([^<>|\n]*)>/g;
const EMOJI = /:[a-z0-9_+-]*[a-z_][a-z0-9_+-]*: ?/g;
/** Marks at the edge of a word or an interpolation; those of `2 * 3` and `snake_case` are none. */
const MARKS = /(?<!\w)[*_~`]+(?=\S|$)|(?<=\S|^)[*_~`]+(?!\w)/g;

const unmarked = (markup: string): string =>
  markup
    .replace(TOKEN, "$1")
    .replace(EMOJI, "")
    .replace(MARKS, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
