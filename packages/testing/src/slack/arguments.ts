import { isJsonObject, type JsonObject } from "./json.ts";

/** What a request says, as far as Slack could read it. */
export interface ParsedArguments {
  /** The method's arguments without `token`; empty if the body could not be read. */
  readonly values: JsonObject;
  /** A token sent as a form parameter of a POST: the only place besides the header that counts. */
  readonly formToken: string | undefined;
  /** `missing_charset` or `superfluous_charset`: reported beside the result, good or bad. */
  readonly warnings: readonly string[];
  /** Everything is a string: the body was not JSON. */
  readonly isForm: boolean;
  /** Why Slack refuses to read it at all. */
  readonly error: string | undefined;
}

/**
 * Reads the arguments of a Web API call from its query and its body. The four media types, the two
 * charsets, the warnings and the errors are those documented for every method; never throws.
 */
export async function parseArguments(request: {
  readonly contentType: string | undefined;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}): Promise<ParsedArguments> {
  const query = fromPairs(request.query);
  const { values, error } = query;
  const queryOnly = { values, error, warnings: [], formToken: undefined, isForm: true };
  if (request.body.length === 0) return queryOnly;
  if (request.contentType === undefined) return { ...queryOnly, error: "missing_post_type" };

  const { type, charset, isForm } = mediaType(request.contentType);
  if (!MEDIA_TYPES.has(type)) return { ...queryOnly, error: "invalid_post_type" };
  if (charset !== undefined && !CHARSETS.has(charset)) {
    return { ...queryOnly, error: "invalid_charset" };
  }

  const warnings: string[] = [];
  if (isForm && charset !== undefined) warnings.push("superfluous_charset");
  if (!isForm && charset === undefined) warnings.push("missing_charset");
  const text = request.body.toString(charset === "iso-8859-1" ? "latin1" : "utf8");

  const body =
    type === "application/json"
      ? fromJson(text)
      : type === "multipart/form-data"
        ? await fromMultipart(request.contentType, request.body)
        : fromForm(text);
  return {
    values: { ...query.values, ...body.values },
    error: query.error ?? body.error,
    formToken: body.token,
    isForm: type !== "application/json",
    warnings,
  };
}

const MEDIA_TYPES: ReadonlySet<string> = new Set([
  "application/json",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "text/plain",
]);
const CHARSETS: ReadonlySet<string> = new Set(["utf-8", "iso-8859-1"]);

interface Read {
  readonly values: JsonObject;
  readonly token?: string;
  readonly error: string | undefined;
}

function mediaType(header: string): { type: string; charset: string | undefined; isForm: boolean } {
  const type = header.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const charset = /;\s*charset="?([^";\s]*)"?/i.exec(header)?.[1]?.toLowerCase();
  const isForm = type === "multipart/form-data" || type === "application/x-www-form-urlencoded";
  return { type, charset, isForm };
}

function fromJson(text: string): Read {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value)) return { values: {}, error: "json_not_object" };
    // A token in JSON does not count: it must be in the header then (documented).
    const { token: _, ...values } = value;
    return { values, error: badName(Object.keys(values)) };
  } catch {
    return { values: {}, error: "invalid_json" };
  }
}

function fromForm(text: string): Read {
  try {
    // URLSearchParams forgives broken escapes; decodeURIComponent does not.
    decodeURIComponent(text);
  } catch {
    return { values: {}, error: "invalid_form_data" };
  }
  return fromPairs(new URLSearchParams(text));
}

async function fromMultipart(contentType: string, body: Buffer): Promise<Read> {
  try {
    const headers = { "content-type": contentType };
    const form = await new Response(new Uint8Array(body), { headers }).formData();
    const pairs = [...form].map(([name, value]): [string, string] => [name, String(value)]);
    return fromPairs(pairs);
  } catch {
    return { values: {}, error: "invalid_form_data" };
  }
}

function fromPairs(pairs: Iterable<[string, string]>): Read {
  const { token, ...values } = Object.fromEntries(pairs);
  const error = badName(Object.keys(values));
  return token === undefined ? { values, error } : { values, token, error };
}

function badName(names: readonly string[]): string | undefined {
  if (names.some((name) => /^\w{1,64}\[.*\]$/.test(name))) return "invalid_array_arg";
  if (names.some((name) => !/^\w{1,64}$/.test(name))) return "invalid_arg_name";
  return undefined;
}
