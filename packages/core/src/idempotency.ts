export const IDEMPOTENCY_KEY_RULE = "must be 1 to 255 printable ASCII characters";

/** Idempotency keys come from HTTP headers as often as from code: what a header can carry. */
export const isIdempotencyKey = (key: unknown): key is string =>
  typeof key === "string" && /^[\x20-\x7e]{1,255}$/.test(key);
