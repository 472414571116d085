import { type Handler, PosthornError } from "@posthorn/core";
import { toJsonSchema } from "@valibot/to-json-schema";

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown };

const target = "draft-2020-12";

/** What goes into a schema, or what comes out of it. */
type Side = "input" | "output";

/**
 * The JSON Schema of one side of a schema that stands at `place`. Schemas that describe themselves (`~standard.jsonSchema`: zod, arktype) are asked; valibot's are
 * converted.
 *
 * @throws PosthornError `invalid_options`, naming the place and, for valibot, the part of the schema
 * that JSON Schema cannot say
 */
export function jsonSchemaOf(
  place: string,
  schema: Handler["configuration"],
  side: Side,
): JsonSchema {
  const { vendor, jsonSchema } = schema["~standard"] as SelfDescribing;
  if (jsonSchema !== undefined) {
    try {
      return jsonSchema[side]({ target });
    } catch (error) {
      throw inexpressible(place, (error as Error).message);
    }
  }
  if (vendor === "valibot") return fromValibot(schema as unknown as ValibotSchema, place, side);
  throw inexpressible(
    place,
    `schemas of "${vendor}" neither offer \`~standard.jsonSchema\` (https://standardschema.dev/json-schema) nor are valibot's`,
  );
}

/** The part of Standard JSON Schema that is used here. */
interface SelfDescribing {
  readonly vendor: string;
  readonly jsonSchema?: Readonly<
    Record<Side, (options: { readonly target: string }) => JsonSchema>
  >;
}

type ValibotSchema = Parameters<typeof toJsonSchema>[0];

function fromValibot(schema: ValibotSchema, place: string, side: Side): JsonSchema {
  try {
    return { ...toJsonSchema(schema, { target, typeMode: side }) };
  } catch (error) {
    const [key, child] = firstInexpressible(schema, side) ?? [];
    if (child !== undefined) return fromValibot(child, `${place}.${key}`, side);
    throw inexpressible(place, (error as Error).message);
  }
}

/** The part of a valibot schema that cannot be converted by itself, if it is a part. */
const firstInexpressible = (
  schema: ValibotSchema,
  side: Side,
): readonly [string, ValibotSchema] | undefined =>
  parts(schema).find(([, part]) => {
    try {
      toJsonSchema(part, { target, typeMode: side });
      return false;
    } catch {
      return true;
    }
  });

const containers = ["entries", "items", "options"] as const;
const wrappers = ["item", "wrapped", "key", "value", "rest"] as const;

function parts(schema: ValibotSchema): readonly (readonly [string, ValibotSchema])[] {
  const inside = schema as unknown as { readonly [name: string]: unknown };
  return [
    ...containers.flatMap((name) => Object.entries(inside[name] ?? {})),
    ...wrappers.map((name) => [name, inside[name]] as const),
  ].filter((part): part is [string, ValibotSchema] => {
    const [, value] = part;
    return typeof value === "object" && value !== null && "kind" in value;
  });
}

const inexpressible = (place: string, why: string): PosthornError =>
  new PosthornError(
    "invalid_options",
    `${place} cannot be shown as JSON Schema: ${why.replace(/\.$/, "")}. Describe it with a schema that is of plain JSON, such as an ISO 8601 string for a date.`,
  );
