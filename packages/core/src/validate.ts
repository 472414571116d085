import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Issue, PosthornError } from "./errors.ts";

/** What a schema said: the value it made, or what is wrong. */
export type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

/** Asks any Standard Schema, which may answer at once or later. */
export function validate<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
): Validated<Output> | Promise<Validated<Output>> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(toValidated) : toValidated(result);
}

/** @throws PosthornError `async_schema` if the schema answers with a promise. */
export function validateSync<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  subject: string,
): Validated<Output> {
  const result = validate(schema, value);
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new PosthornError(
      "async_schema",
      `${subject} has a schema that validates asynchronously, which \`publishSync\` cannot wait for. Use \`publish\`, or a synchronous schema.`,
    );
  }
  return result;
}

function toValidated<Output>(result: StandardSchemaV1.Result<Output>): Validated<Output> {
  if (result.issues === undefined) return { value: result.value };
  return {
    // Array.from: a schema's own class of array would make another of its kind.
    issues: Array.from(result.issues, ({ message, path = [] }) => ({
      message,
      code: "invalid" as const,
      path: Array.from(path, (segment) => {
        const key = typeof segment === "object" ? segment.key : segment;
        return typeof key === "number" ? key : String(key);
      }),
    })),
  };
}
