import { Problem, type ProblemError } from "./problems.ts";
import { parseStrictJson } from "./strict-json.ts";
import { closest } from "./suggest.ts";
import { jsonPointer } from "./wire.ts";

/** Which fields a body has. */
export interface BodyShape {
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Fields that answers have and requests must not. */
  readonly readOnly: readonly string[];
  /** There need not be a body at all. */
  readonly mayBeEmpty?: true;
}

/** A JSON object with the fields of its shape and no others; their values are still unchecked. */
export type Body = { readonly [field: string]: unknown };

/**
 * The body of a request. One that needs no field may be empty.
 *
 * @throws Problem `payload_too_large` as soon as more than `maxBytes` have arrived,
 * `unsupported_media_type`, `malformed_json`, `invalid_body`, `too_deep`, `duplicate_field`
 */
export async function readBody(
  request: Request,
  { maxBytes, mayBeEmpty }: { readonly maxBytes: number; readonly mayBeEmpty: boolean },
): Promise<Body> {
  const bytes = await readBytes(request, maxBytes);
  if (bytes.length === 0) {
    if (mayBeEmpty) return {};
    throw new Problem("malformed_json", { detail: "The body is empty. Send a JSON object." });
  }
  requireJson(request.headers);
  const value = parseStrictJson(decode(bytes));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const found = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
    throw new Problem("invalid_body", { detail: `The body is ${found}. Send a JSON object.` });
  }
  return value as Body;
}

/** What is wrong with the names of a body's fields, and which are missing. */
export function fieldErrors(body: Body, shape: BodyShape): readonly ProblemError[] {
  const writable = [...shape.required, ...shape.optional];
  const refused = Object.keys(body)
    .filter((field) => !writable.includes(field))
    .map((field): ProblemError => {
      const pointer = jsonPointer([shorten(field)]);
      if (shape.readOnly.includes(field)) {
        return { pointer, code: "read_only", detail: "is read-only. Leave it out." };
      }
      const suggestion = closest(field, writable);
      const advice =
        suggestion !== null
          ? `Did you mean "${suggestion}"?`
          : writable.length > 0
            ? `Known: ${writable.join(", ")}.`
            : "No fields are known here.";
      return { pointer, code: "unknown_field", detail: `is not a known field. ${advice}` };
    });
  const missing = shape.required
    .filter((field) => !Object.hasOwn(body, field))
    .map((field) => ({ pointer: `/${field}`, code: "required", detail: "is required." }));
  return [...refused, ...missing];
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge(maxBytes);
  if (request.bodyUsed) {
    throw new TypeError(
      "The body was read before the REST API got it. Mount the API before what parses bodies, or use toNodeHandler().",
    );
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("invalid_request", { detail: "The body did not arrive whole." });
  }
  return Buffer.concat(chunks);
}

const tooLarge = (maxBytes: number): Problem =>
  new Problem("payload_too_large", { detail: `The body has more than ${maxBytes} bytes.` });

function requireJson(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new Problem("unsupported_media_type", {
      detail: "The body has a content-encoding. Send it as it is.",
    });
  }
  const [mediaType, ...parameters] = (headers.get("content-type") ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="));
  if (mediaType !== "application/json" || !/^(charset="?utf-8"?)?$/.test(charset ?? "")) {
    throw new Problem("unsupported_media_type", {
      detail: "The body must be JSON in UTF-8. Send it with `content-type: application/json`.",
    });
  }
}

/** Strictly, and with the byte order mark kept, so that it is not JSON (RFC 8259 §8.1). */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Problem("malformed_json", { detail: "The body is not valid UTF-8." });
  }
}

const LONGEST_SHOWN = 64;

const shorten = (field: string): string =>
  field.length <= LONGEST_SHOWN ? field : `${field.slice(0, LONGEST_SHOWN - 1).toWellFormed()}…`;
