import { isJsonObject } from "./json.ts";

/** Receives one finding: Slack's sentence and the JSON pointer of the value it is about. */
export type Report = (sentence: string, pointer: string) => void;

/** Looks at one value and reports what Slack would say about it; reports nothing if it is fine. */
export type Rule = (value: unknown, pointer: string, report: Report) => void;

/** A string of `min` to `max` characters; `measure` says how long Slack takes it to be. */
export function string(limits: {
  min?: number;
  max: number;
  measure?: (text: string) => number;
}): Rule {
  const { min = 1, max, measure = characters } = limits;
  return (value, pointer, report) => {
    if (typeof value !== "string") return report("must provide a string", pointer);
    const length = measure(value);
    if (length < min) report(`must be more than ${min - 1} characters`, pointer);
    if (length > max) report(`must be less than ${max + 1} characters`, pointer);
  };
}

/** One of a few words. */
export function word(...words: readonly string[]): Rule {
  return (value, pointer, report) => {
    if (typeof value !== "string") return report("must provide a string", pointer);
    if (!words.includes(value)) report(`must be one of: ${words.join(", ")}`, pointer);
  };
}

/** `true` or `false`. */
export const boolean: Rule = (value, pointer, report) => {
  if (typeof value !== "boolean") report("must provide a boolean", pointer);
};

/** Any whole number that is not negative. */
export const count: Rule = (value, pointer, report) => {
  if (!Number.isInteger(value) || (value as number) < 0) report("must provide an integer", pointer);
};

/** Accepts everything: a part that this fake does not check. */
export const anything: Rule = () => {};

/** An array of `min` to `max` items, each obeying `item`. */
export function list(item: Rule, limits: { min?: number; max?: number }): Rule {
  const { min = 1, max = Number.POSITIVE_INFINITY } = limits;
  return (value, pointer, report) => {
    if (!Array.isArray(value)) return report("must provide an array", pointer);
    if (value.length < min) report(`no fewer than ${min} items allowed`, pointer);
    if (value.length > max) report(`no more than ${max} items allowed`, pointer);
    for (const [index, member] of value.entries()) item(member, `${pointer}/${index}`, report);
  };
}

/** An object with exactly the `required` members and perhaps the `optional` ones. */
export function object(members: {
  required?: Readonly<Record<string, Rule>>;
  optional?: Readonly<Record<string, Rule>>;
}): Rule {
  const { required = {}, optional = {} } = members;
  const rules = new Map([...Object.entries(required), ...Object.entries(optional)]);
  return (value, pointer, report) => {
    if (!isJsonObject(value)) return report("must provide an object", pointer);
    for (const name of Object.keys(required)) {
      if (value[name] === undefined) report(`missing required field: ${name}`, pointer);
    }
    for (const [name, member] of Object.entries(value)) {
      const rule = rules.get(name);
      if (rule === undefined) report(`invalid additional property: ${name}`, pointer);
      else rule(member, `${pointer}/${escapePointer(name)}`, report);
    }
  };
}

/** An object whose `type` picks its rule; the rule sees the whole object. */
export function byType(rules: Readonly<Record<string, Rule>>): Rule {
  const table = new Map(Object.entries(rules));
  return (value, pointer, report) => {
    if (!isJsonObject(value)) return report("must provide an object", pointer);
    const type = value["type"];
    if (type === undefined) return report("missing required field: type", pointer);
    if (typeof type !== "string") return report("must provide a string", `${pointer}/type`);
    const rule = table.get(type);
    if (rule === undefined) return report(`unsupported type: ${type}`, `${pointer}/type`);
    rule(value, pointer, report);
  };
}

/** As Slack words a union: one line for the union as a whole, then the lines of what is inside. */
export function union(rule: Rule): Rule {
  return (value, pointer, report) => {
    const inside: [sentence: string, pointer: string][] = [];
    rule(value, pointer, (sentence, at) => inside.push([sentence, at]));
    if (inside.length > 0) report("failed to match all allowed schemas", pointer);
    for (const [sentence, at] of inside) report(sentence, at);
  };
}

/** `rule`, and then one more condition about the object as a whole. */
export function also(rule: Rule, condition: Rule): Rule {
  return (value, pointer, report) => {
    rule(value, pointer, report);
    condition(value, pointer, report);
  };
}

/** Length in Unicode code points: "characters, not bytes" (measured by third parties). */
export function characters(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
