import { type Catalog, type EventName, isReserved } from "./catalog.ts";
import { closest, listed, quoted } from "./suggest.ts";

type Separator = "_" | "." | "-";

/** Every beginning of a name that ends with a separator: `a_b_c` has `a_` and `a_b_`. */
export type Prefix<
  Name extends string,
  Read extends string = "",
  Found extends string = never,
> = Name extends `${infer Head}${infer Rest}`
  ? Prefix<Rest, `${Read}${Head}`, Head extends Separator ? Found | `${Read}${Head}` : Found>
  : Found;

/** An exact name, everything (`*`), or every name with a beginning (`parameter_*`). */
export type EventPattern<C extends Catalog> = keyof C & string extends infer Name extends string
  ? Name | "*" | `${Prefix<Name>}*`
  : never;

/** The names of the catalog that a pattern matches. */
export type MatchedName<C extends Catalog, Pattern extends string> = Pattern extends "*"
  ? EventName<C>
  : Pattern extends `${infer Start}*`
    ? Extract<EventName<C>, `${Start}${string}`>
    : Extract<EventName<C>, Pattern>;

/**
 * Does the pattern match the event type? Linear in the pattern's length; names are byte-exact.
 * Reserved event types are matched by their names alone: who asks for everything asks for the host's.
 */
export function matches(pattern: string, type: string): boolean {
  if (isReserved(type)) return pattern === type;
  if (pattern === "*") return true;
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}

/**
 * What is wrong with a pattern, or null: it must be `*`, a name of the catalog, or a beginning
 * that ends with a separator and is shared by at least one name; or one of those that can be asked
 * for alone.
 */
export function patternProblem(
  pattern: string,
  names: readonly string[],
  { alone = [] }: { readonly alone?: readonly string[] } = {},
): string | null {
  const all = [...names, ...alone];
  if (all.some((name) => matches(pattern, name)) && /^[^*]*$|^\*$|[_.-]\*$/.test(pattern)) {
    return null;
  }
  const suggestion = closest(pattern, [...all, ...prefixes(names)]);
  return (
    `Unknown event type ${quoted(pattern)}.` +
    (suggestion === null ? ` Known: ${listed(names)}, *.` : ` Did you mean "${suggestion}"?`)
  );
}

function prefixes(names: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const name of names) {
    for (const match of name.matchAll(/[_.-]/g)) found.add(`${name.slice(0, match.index + 1)}*`);
  }
  return [...found];
}
