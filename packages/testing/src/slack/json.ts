/** A JSON object whose members nobody has looked at yet. */
export type JsonObject = { readonly [name: string]: unknown };

/** True for an object literal of JSON: neither `null` nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
