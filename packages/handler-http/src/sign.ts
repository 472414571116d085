import type { SigningKey } from "./keys.ts";

/** The headers of Standard Webhooks 1.0. */
export interface SignatureHeaders {
  readonly "webhook-id": string;
  /** Seconds since 1970. */
  readonly "webhook-timestamp": string;
  /** One signature for each key, separated by spaces. */
  readonly "webhook-signature": string;
}

/**
 * Signs a message with every live key, so that a receiver may know the old one or the new one:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signatureHeaders(
  { id, body, at }: { readonly id: string; readonly body: Uint8Array; readonly at: number },
  keys: readonly SigningKey[],
): SignatureHeaders {
  const timestamp = String(Math.floor(at / 1_000));
  const head = `${id}.${timestamp}.`;
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": keys.map((key) => key.sign(head, body)).join(" "),
  };
}
