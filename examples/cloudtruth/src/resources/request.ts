import type { Context } from "hono";
import * as v from "valibot";
import type { Account } from "../account.ts";
import { Refusal, type RefusalBody } from "./refusal.ts";

export interface Env {
  Variables: { account: Account };
}

/**
 * The JSON body of a request, checked.
 *
 * @throws Refusal 415 for another media type, 400 for what is no JSON object, or not the one of the schema
 */
export async function bodyOf<Schema extends v.GenericSchema>(
  context: Context<Env>,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const mediaType = context.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw new Refusal(415, {
      detail: `Unsupported media type "${mediaType ?? ""}" in request. Send application/json.`,
    });
  }
  const text = await context.req.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refusal(400, { detail: "The body is not JSON." });
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Refusal(400, { detail: "The body is not a JSON object." });
  }
  return checked(schema, body);
}

/** The query of a request, checked. @throws Refusal 400 */
export const queryOf = <Schema extends v.GenericSchema>(
  context: Context<Env>,
  schema: Schema,
): v.InferOutput<Schema> => checked(schema, context.req.query());

/** What every object can be asked for. */
export const maskQuery = v.strictObject({
  mask_secrets: v.optional(
    v.pipe(
      v.picklist(["true", "false"], "Must be true or false."),
      v.transform((given) => given === "true"),
    ),
    "false",
  ),
});

export const name = v.pipe(
  v.string("Must be a string."),
  v.trim(),
  v.nonEmpty("This field may not be blank."),
  v.maxLength(256, "Ensure this field has no more than 256 characters."),
  v.regex(/^\P{Cc}*$/u, "Control characters are not allowed."),
);

export const description = v.pipe(
  v.string("Must be a string."),
  v.maxLength(4_096, "Ensure this field has no more than 4096 characters."),
);

export const flag = v.boolean("Must be true or false.");

/** The id or the absolute `url` of another object; the id comes out. */
export const reference = v.pipe(
  v.string("Must be the url or the id of an object."),
  v.maxLength(1_024, "Ensure this field has no more than 1024 characters."),
  v.transform((given) => /([^/]+)\/?$/.exec(given)?.[1] ?? ""),
);

function checked<Schema extends v.GenericSchema>(
  schema: Schema,
  given: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, given);
  if (result.success) return result.output;
  throw new Refusal(400, fieldErrors(result.issues));
}

function fieldErrors(issues: readonly v.BaseIssue<unknown>[]): RefusalBody {
  const errors: Record<string, string[]> = {};
  for (const issue of issues) {
    const field = v.getDotPath(issue) ?? "__all__";
    errors[field] = [...(errors[field] ?? []), message(issue)];
  }
  return errors;
}

function message(issue: v.BaseIssue<unknown>): string {
  if (issue.type !== "strict_object") return issue.message;
  return issue.expected === "never" ? "Unknown field." : "This field is required.";
}
