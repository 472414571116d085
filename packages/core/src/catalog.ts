import type { StandardSchemaV1 } from "@standard-schema/spec";
import { PosthornError } from "./errors.ts";

/** A named kind of occurrence, with the schema of its data. */
export interface EventType<Schema extends StandardSchemaV1 = StandardSchemaV1> {
  /** Any Standard Schema (valibot, zod, arktype, …). Its output must be JSON. */
  readonly schema: Schema;
  /** One sentence for people: shown in the REST API and in docs. */
  readonly description?: string;
  /** Data as a publisher would give it: shown in docs, checked by the compiler and at start. */
  readonly example?: NoInfer<StandardSchemaV1.InferInput<Schema>>;
}

// biome-ignore lint/suspicious/noExplicitAny: EventType is invariant in its schema; any admits all.
export type Catalog = { readonly [name: string]: EventType<any> };

/** The names of a catalog's event types. */
export type EventName<C extends Catalog> = keyof C & string;

/** What `publish` takes for an event type: its schema's input. */
export type EventInput<C extends Catalog, Name extends EventName<C>> = StandardSchemaV1.InferInput<
  C[Name]["schema"]
>;

/** What listeners and templates see for an event type: its schema's output. */
export type EventData<C extends Catalog, Name extends EventName<C>> = StandardSchemaV1.InferOutput<
  C[Name]["schema"]
>;

/** Event types with which Posthorn tells an organization how its subscriptions fare. */
export const operationalEventTypes = ["webhook_disabled", "webhook_failing"] as const;

export type OperationalEventType = (typeof operationalEventTypes)[number];

/** Event types that Posthorn itself sends; no catalog may define them and no pattern matches them. */
export const reservedEventTypes = ["webhook_test", "webhook_disabled", "webhook_failing"] as const;

export const isReserved = (type: string): boolean =>
  (reservedEventTypes as readonly string[]).includes(type);

const namePattern = /^[A-Za-z0-9]+(?:[_.-][A-Za-z0-9]+)*$/;
const longestName = 128;

/**
 * Declares all event types of a host, once. Names, data and patterns are inferred from it.
 *
 * @throws PosthornError `invalid_catalog` when it is empty, or a name is reserved, longer than
 * 128 characters, or not words of letters and digits joined by `_`, `.` or `-`.
 */
export function defineCatalog<const Schemas extends Record<string, StandardSchemaV1>>(
  catalog: {
    readonly [Name in keyof Schemas]: EventType<Schemas[Name]>;
  },
): { readonly [Name in keyof Schemas]: EventType<Schemas[Name]> } {
  requireNames(Object.keys(catalog));
  return Object.freeze({ ...catalog });
}

/** @throws PosthornError `invalid_catalog` */
export function requireNames(names: readonly string[]): void {
  const invalid = (message: string): PosthornError => new PosthornError("invalid_catalog", message);
  if (names.length === 0) throw invalid("The catalog is empty. Define at least one event type.");
  for (const name of names) {
    if (isReserved(name)) {
      throw invalid(
        `Event type "${name}" is reserved for Posthorn's own events. Choose another name.`,
      );
    }
    if (!namePattern.test(name) || name.length > longestName) {
      throw invalid(
        `Event type ${JSON.stringify(name)} is not a valid name. Use letters and digits joined by "_", "." or "-", at most ${longestName} characters, such as "invoice_paid".`,
      );
    }
  }
}

/** The three things that happen to a noun. */
export type FamilyVerb = "created" | "updated" | "deleted";

/**
 * The three event types of a noun that is created, updated and deleted, with one schema:
 * `family("project", { schema })` gives `project_created`, `project_updated`, `project_deleted`.
 */
export function family<const Noun extends string, Schema extends StandardSchemaV1>(
  noun: Noun,
  options: {
    readonly schema: Schema;
    readonly example?: NoInfer<StandardSchemaV1.InferInput<Schema>>;
    /** The noun in sentences, with its article. Default: `a project`. */
    readonly label?: string;
  },
): { readonly [Name in `${Noun}_${FamilyVerb}`]: EventType<Schema> } {
  const { label = `a ${noun}`, ...type } = options;
  const subject = label.charAt(0).toUpperCase() + label.slice(1);
  const member = (verb: FamilyVerb): EventType<Schema> => ({
    ...type,
    description: `${subject} was ${verb}.`,
  });
  return {
    [`${noun}_created`]: member("created"),
    [`${noun}_updated`]: member("updated"),
    [`${noun}_deleted`]: member("deleted"),
  } as { [Name in `${Noun}_${FamilyVerb}`]: EventType<Schema> };
}
