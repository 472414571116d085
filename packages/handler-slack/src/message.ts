import {
  bold,
  code,
  date,
  escapePlain,
  type Inline,
  type Mrkdwn,
  mrkdwn,
  toMrkdwn,
  toPlain,
} from "./mrkdwn.ts";

/** What a template makes of an event. It is laid out, escaped and cut to Slack's limits. */
export interface Message {
  /** One line that says what happened; notifications show nothing else. */
  readonly lead: Inline;
  /** Details, two in a row. Slack shows ten. */
  readonly fields?: readonly Field[] | undefined;
  /** What the small print ends with, after when, whose and which delivery: a link, say. */
  readonly context?: Inline | undefined;
  /** What it belongs to, such as a project's name: a digest puts what belongs together in one place. */
  readonly group?: string | undefined;
}

export interface Field {
  readonly label: string;
  readonly value: Inline;
}

/** Where a message comes from, for its small print. */
export interface Origin {
  /** Epoch milliseconds. */
  readonly occurredAt: number;
  readonly organization: string;
  readonly deliveryId: string;
  /** From 1. */
  readonly attempt: number;
  /** The sender's name, where Slack does not show it as the sender; null otherwise. */
  readonly sender: string | null;
}

/** The part of `chat.postMessage`'s arguments that a reader sees. */
export interface MessageContent {
  /** All of the message as plain text: screen readers read this and no blocks. */
  readonly text: string;
  readonly blocks: readonly Block[];
}

type Block =
  | { readonly type: "header"; readonly text: PlainText }
  | { readonly type: "section"; readonly text: MrkdwnText }
  | { readonly type: "section"; readonly fields: readonly MrkdwnText[] }
  | { readonly type: "context"; readonly elements: readonly MrkdwnText[] };

/** Without `emoji`, `:names:` between colons stay what they are. */
interface PlainText {
  readonly type: "plain_text";
  readonly emoji: false;
  readonly text: string;
}

/** `verbatim`: URLs, #channels and @names in data become neither links nor mentions. */
interface MrkdwnText {
  readonly type: "mrkdwn";
  readonly verbatim: true;
  readonly text: string;
}

/** Lays a message out in at most three blocks, within Slack's limits. Pure. */
export function layOut(message: Message, origin: Origin): MessageContent {
  const lead = or("(no text)", message.lead);
  const fields = atMost(MOST_FIELDS, message.fields ?? []).map(({ label, value }) => ({
    label: or("—", label),
    value: or("—", value),
  }));
  const context = smallPrint({
    ...origin,
    when: date(origin.occurredAt),
    // The end of a UUIDv7 is random, its beginning is a date.
    deliveries: mrkdwn`delivery ${code(`…${origin.deliveryId.slice(-8)}`)}`,
    more: message.context,
  });

  const lines = [lead, ...fields.map(({ label, value }) => mrkdwn`${label}: ${value}`), context];
  const plain = plainText(lines);
  const leadText = toMrkdwn(lead, LONGEST_LEAD);
  const contextText = toMrkdwn(context, LONGEST_CONTEXT);
  const left = LONGEST_MESSAGE - plain.length - leadText.length - contextText.length;

  return {
    text: plain,
    blocks: [
      { type: "section", text: block(leadText) },
      ...(fields.length > 0
        ? [{ type: "section" as const, fields: share(fields, left).map(block) }]
        : []),
      { type: "context", elements: [block(contextText)] },
    ],
  };
}

// A section takes 3,000 characters and ten fields of 2,000:
// https://docs.slack.dev/reference/block-kit/blocks/section-block
const LONGEST_LEAD = 3_000;
const LONGEST_FIELD = 2_000;
const MOST_FIELDS = 10;
const LONGEST_CONTEXT = 1_000;
/** Slack splits a text above 4,040 characters into several messages (measured, 2026). */
const LONGEST_TEXT = 3_500;
/** Slack refuses blocks of more than about 13,200 characters in all (measured, 2026). */
const LONGEST_MESSAGE = 10_000;
const LONGEST_NAME = 80;

interface ReadField {
  readonly label: Mrkdwn;
  readonly value: Mrkdwn;
}

/** Slack refuses empty texts. */
function or(instead: string, content: Inline): Mrkdwn {
  const text = mrkdwn`${content}`;
  return toPlain(text) === "" ? mrkdwn`${instead}` : text;
}

/** Text for a block, escaped already. */
export const block = (text: string): MrkdwnText => ({ type: "mrkdwn", verbatim: true, text });

function atMost(most: number, fields: readonly Field[]): readonly Field[] {
  if (fields.length <= most) return fields;
  const shown = fields.slice(0, most - 1);
  return [...shown, { label: "Not shown", value: `${fields.length - shown.length} more` }];
}

/** Where something comes from, in one line. */
export function smallPrint({
  sender,
  when,
  organization,
  deliveries,
  attempt,
  more = "",
}: Pick<Origin, "sender" | "organization" | "attempt"> & {
  readonly when: Mrkdwn;
  readonly deliveries: Mrkdwn;
  readonly more?: Inline | undefined;
}): Mrkdwn {
  const name = (text: string): string => [...text].slice(0, LONGEST_NAME).join("");
  return [
    mrkdwn`${sender === null ? "" : name(sender)}`,
    when,
    mrkdwn`${name(organization)}`,
    deliveries,
    // Whoever sees a message twice can tell a repetition from a second event.
    mrkdwn`${attempt > 1 ? `attempt ${attempt} (retry)` : ""}`,
    mrkdwn`${more}`,
  ]
    .filter((part) => toPlain(part) !== "")
    .reduce((line, part) => mrkdwn`${line} · ${part}`);
}

/** All lines as they are read aloud, in one text. */
export const plainText = (lines: readonly Inline[]): string =>
  escapePlain(lines.map(toPlain).join("\n"), LONGEST_TEXT);

/** Each field gets its share of what is left; what short ones do not need goes to the others. */
function share(fields: readonly ReadField[], characters: number): readonly string[] {
  let left = characters;
  return fields.map(({ label, value }, index) => {
    const limit = Math.min(LONGEST_FIELD, Math.floor(left / (fields.length - index)));
    const text = toMrkdwn(mrkdwn`${bold(toPlain(label))}\n${value}`, limit);
    left -= text.length;
    return text;
  });
}
