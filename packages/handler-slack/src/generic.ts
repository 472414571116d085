import type { Event } from "@posthorn/core";
import type { Field, Message } from "./message.ts";
import { bold, code, type Inline, mrkdwn, type Scalar } from "./mrkdwn.ts";

/**
 * A readable message for any event: its type in words, who caused it, and the scalars of its data,
 * at the top and one level below. Pure.
 */
export function genericMessage(event: Event): Message {
  const by = event.actor === null ? "" : mrkdwn` by ${actorName(event.actor)}`;
  return { lead: mrkdwn`${bold(inWords(event.type))}${by}`, fields: fieldsOf(event.data) };
}

/** What the bus's own test delivery says. */
export const testMessage = (subscription: { readonly name: string }): Message => ({
  lead: mrkdwn`:wave: *This is a test.* The webhook ${code(subscription.name)} can post here.`,
});

/**
 * `parameter_created`, `parameter.created` and `parameterCreated` are all "Parameter created".
 */
export function inWords(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[_.\-\s]+/g, " ")
    .trim()
    .toLowerCase();
  return words === "" ? name : words.charAt(0).toUpperCase() + words.slice(1);
}

const actorName = ({ id, name }: { id: string; name?: string | undefined }): string => name || id;

/** Longer values are cut: a message is a notice, not the record. */
const LONGEST_VALUE = 200;

function fieldsOf(data: unknown): readonly Field[] {
  if (isScalar(data)) return [{ label: "Data", value: shown(data) }];
  return entriesOf(data).flatMap(([key, value]): readonly Field[] => {
    if (isScalar(value)) return [{ label: inWords(key), value: shown(value) }];
    return entriesOf(value)
      .filter((entry): entry is [string, Scalar] => isScalar(entry[1]))
      .map(([inner, scalar]) => ({ label: inWords(`${key} ${inner}`), value: shown(scalar) }));
  });
}

const isScalar = (value: unknown): value is Scalar =>
  ["string", "number", "boolean"].includes(typeof value);

const entriesOf = (value: unknown): readonly [string, unknown][] =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];

/** Sentences stay text; names and ids keep all their characters in a code span. */
function shown(value: Scalar): Inline {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "string") return value;
  const characters = [...value.slice(0, LONGEST_VALUE * 2)];
  const text =
    characters.length > LONGEST_VALUE ? `${characters.slice(0, LONGEST_VALUE).join("")}…` : value;
  return text.trim() === "" || /\s/.test(text.trim()) ? text : code(text);
}
