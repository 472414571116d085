import { inWords } from "./generic.ts";
import {
  block,
  type Message,
  type MessageContent,
  type Origin,
  plainText,
  smallPrint,
} from "./message.ts";
import { bold, code, date, type Inline, type Mrkdwn, mrkdwn, toMrkdwn, toPlain } from "./mrkdwn.ts";

/** One of the events of a digest. */
export interface DigestItem {
  readonly type: string;
  readonly message: Message;
  readonly origin: Origin;
}

// A section of ten lines and its heading has 3,000 characters at most, as Slack wants it; the blocks
// of one digest have fewer than 10,000, of the about 13,200 that Slack takes (measured, 2026).
const MOST_LINES = 20;
const MOST_IN_A_SECTION = 10;
const LONGEST_LINE = 260;
const LONGEST_HEADING = 80;
const LONGEST_TITLE = 150;
const LONGEST_CONTEXT = 500;

/**
 * Lays several events out as one message: a title that counts them, a line for each, grouped as their
 * templates say and by type within, and what there is no room for counted by type. Pure.
 */
export function layOutDigest(items: readonly [DigestItem, ...DigestItem[]]): MessageContent {
  const sorted = grouped(items);
  const shown = sorted.slice(0, MOST_LINES);
  const left = sorted.slice(MOST_LINES);
  const title = `${items.length} events in ${items[0].origin.organization}`;
  const more = left.length === 0 ? null : mrkdwn`…and ${left.length} more: ${countsOf(left)}`;
  const context = smallPrintOf(items);

  const sections = sectionsOf(shown);
  const lines = [
    title,
    ...sections.flatMap(({ heading, messages }) => [
      ...(heading === null ? [] : [heading]),
      ...messages.map(({ lead }) => mrkdwn`• ${lead}`),
    ]),
    ...(more === null ? [] : [more]),
    context,
  ];
  return {
    text: plainText(lines),
    blocks: [
      { type: "header", text: { type: "plain_text", text: shortened(title), emoji: false } },
      ...sections.map(({ heading, messages }) => ({
        type: "section" as const,
        text: block(
          [
            ...(heading === null ? [] : [toMrkdwn(bold(heading), LONGEST_HEADING)]),
            ...messages.map(({ lead }) => `• ${toMrkdwn(or("(no text)", lead), LONGEST_LINE)}`),
          ].join("\n"),
        ),
      })),
      ...(more === null
        ? []
        : [{ type: "section" as const, text: block(toMrkdwn(more, LONGEST_LINE * 2)) }]),
      { type: "context", elements: [block(toMrkdwn(context, LONGEST_CONTEXT))] },
    ],
  };
}

/**
 * Groups in the order in which they appear, and types in theirs within. What has no group comes first:
 * behind a heading it would seem to belong there.
 */
function grouped(items: readonly DigestItem[]): readonly DigestItem[] {
  const groups = Map.groupBy(items, groupOf);
  const none = groups.get("") ?? [];
  groups.delete("");
  return [none, ...groups.values()].flatMap((group) =>
    [...Map.groupBy(group, ({ type }) => type).values()].flat(),
  );
}

const groupOf = ({ message }: DigestItem): string => toPlain(message.group ?? "");

interface Section {
  /** Null where there is no group, or the section before has its name. */
  readonly heading: string | null;
  readonly messages: readonly Message[];
}

function sectionsOf(items: readonly DigestItem[]): readonly Section[] {
  return [...Map.groupBy(items, groupOf)].flatMap(([group, members]) => {
    const sections: Section[] = [];
    for (let from = 0; from < members.length; from += MOST_IN_A_SECTION) {
      const messages = members.slice(from, from + MOST_IN_A_SECTION).map(({ message }) => message);
      const heading = from === 0 && group !== "" ? group : null;
      sections.push({ heading, messages });
    }
    return sections;
  });
}

function countsOf(items: readonly DigestItem[]): Inline {
  const types = Map.groupBy(items, ({ type }) => type);
  return [...types].map(([type, { length }]) => `${length} × ${inWords(type)}`);
}

function smallPrintOf(items: readonly [DigestItem, ...DigestItem[]]): Mrkdwn {
  const instants = items.map(({ origin }) => origin.occurredAt);
  const [first, last] = [Math.min(...instants), Math.max(...instants)];
  const { origin } = items[0];
  const ids = [origin, items.at(-1)?.origin ?? origin].map(({ deliveryId }) =>
    code(`…${deliveryId.slice(-8)}`),
  );
  return smallPrint({
    ...origin,
    when: first === last ? date(first) : mrkdwn`${date(first)} to ${date(last)}`,
    deliveries: mrkdwn`deliveries ${ids[0] ?? ""} to ${ids[1] ?? ""}`,
  });
}

const or = (instead: string, content: Inline): Inline =>
  toPlain(content) === "" ? instead : content;

/** Slack counts a header's characters escaped, and shows them as they are. */
const shortened = (title: string): string => toMrkdwn(title, LONGEST_TITLE);
