/**
 * Verifies webhooks that follow Standard Webhooks 1.0, with WebCrypto alone: it runs in Node,
 * browsers and workers.
 */

/** A webhook whose signature is right. */
export interface VerifiedWebhook {
  /** The same each time this event is sent. */
  readonly id: string;
  /** When this attempt was made. */
  readonly sentAt: Date;
  /** The bytes that were signed. */
  readonly body: Uint8Array;
  /** The body as JSON. @throws SyntaxError if it is none */
  json<Content = unknown>(): Content;
}

export interface VerifyOptions {
  /** `whsec_…`, or the public key `whpk_…`; several while one replaces another. */
  readonly secret: string | readonly string[];
  /** How far the sender's clock may be off, in seconds. Default 300. */
  readonly toleranceSeconds?: number;
  /** Has this id been handled before? If it answers true, the webhook is refused as `replayed`. */
  readonly seen?: (id: string) => boolean | Promise<boolean>;
  /** The time, in epoch milliseconds. Default: the clock's. */
  readonly now?: number;
}

/** Headers as `fetch`, Node and frameworks have them. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | { readonly [name: string]: string | readonly string[] | undefined };

/** Why a webhook is not to be trusted. */
export type WebhookErrorCode =
  | "missing_header"
  | "repeated_header"
  | "invalid_id"
  | "invalid_timestamp"
  | "too_old"
  | "too_new"
  | "too_many_signatures"
  | "no_known_signature"
  | "wrong_signature"
  | "replayed";

/** Answer it with 400 or 401. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const MOST_SIGNATURES = 20;
const encoder = new TextEncoder();

/**
 * Checks that a webhook comes from who knows the secret, unchanged, and lately.
 *
 * `body` is what was received, before anything has parsed it: a body that was parsed and written
 * again has other bytes, and another signature.
 *
 * @throws WebhookError for a webhook that is not to be trusted
 * @throws TypeError for a secret that is none, or a body that was parsed
 */
export async function verifyWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  options: VerifyOptions,
): Promise<VerifiedWebhook> {
  const { toleranceSeconds = 300, now = Date.now(), seen } = options;
  const bytes = bytesOf(body);
  const keys = await keysOf(options.secret);

  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");
  if (id.includes(".")) throw new WebhookError("invalid_id", "webhook-id contains a dot.");
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookError("invalid_timestamp", "webhook-timestamp is no number of seconds.");
  }
  const ageSeconds = Math.floor(now / 1_000) - Number(timestamp);
  if (!(ageSeconds <= toleranceSeconds)) {
    throw new WebhookError("too_old", "The webhook was sent too long ago. Check your clock.");
  }
  if (ageSeconds < -toleranceSeconds) {
    throw new WebhookError(
      "too_new",
      "The webhook's time is in the future. Check your clock; webhook-timestamp has seconds.",
    );
  }
  if (signatures.length > MOST_SIGNATURES) {
    throw new WebhookError("too_many_signatures", "webhook-signature has too many signatures.");
  }

  const content = joined(encoder.encode(`${id}.${timestamp}.`), bytes);
  let known = 0;
  for (const entry of signatures) {
    const [version, text = ""] = entry.split(",", 2);
    for (const key of keys) {
      if (key.version !== version) continue;
      known += 1;
      const signature = fromBase64(text);
      if (signature === null || !(await key.verify(signature, content))) continue;
      if ((await seen?.(id)) === true) {
        throw new WebhookError("replayed", "This webhook was handled before.");
      }
      return {
        id,
        sentAt: new Date(Number(timestamp) * 1_000),
        body: bytes,
        json: <Content>(): Content => JSON.parse(new TextDecoder().decode(bytes)) as Content,
      };
    }
  }
  if (known === 0) {
    throw new WebhookError(
      "no_known_signature",
      `webhook-signature has none of ${[...new Set(keys.map(({ version }) => version))].join(", ")}.`,
    );
  }
  throw new WebhookError(
    "wrong_signature",
    "No signature is right. Check the secret, and that the body is as it was received: not parsed, not written again.",
  );
}

interface Key {
  readonly version: "v1" | "v1a";
  verify(signature: Bytes, content: Bytes): Promise<boolean>;
}

/** Bytes that WebCrypto takes: never of shared memory. */
type Bytes = Uint8Array<ArrayBuffer>;

async function keysOf(secret: string | readonly string[]): Promise<readonly Key[]> {
  const texts = typeof secret === "string" ? [secret] : secret;
  if (texts.length === 0) throw new TypeError("verifyWebhook() was given no secret.");
  return Promise.all(texts.map(keyOf));
}

async function keyOf(text: unknown): Promise<Key> {
  const [, prefix, encoded = ""] =
    /^(whsec_|whpk_)(.+)$/.exec(typeof text === "string" ? text : "") ?? [];
  const bytes = fromBase64(encoded);
  if (prefix === "whsec_" && bytes !== null && bytes.length >= 24 && bytes.length <= 64) {
    return key("v1", bytes, { name: "HMAC", hash: "SHA-256" });
  }
  if (prefix === "whpk_" && bytes?.length === 32) return key("v1a", bytes, { name: "Ed25519" });
  throw new TypeError(
    "verifyWebhook() was given a secret that is none. It is whsec_ and base64, or the public key: whpk_ and base64.",
  );
}

async function key(
  version: Key["version"],
  bytes: Bytes,
  algorithm: { readonly name: string; readonly hash?: string },
): Promise<Key> {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
  return {
    version,
    // Compares in constant time, and answers false for another length.
    verify: (signature, content) => subtle.verify(algorithm, imported, signature, content),
  };
}

function bytesOf(body: unknown): Bytes {
  if (typeof body === "string") return encoder.encode(body);
  // By what they are and not by who made them: test runners have a `Uint8Array` of their own.
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  }
  if (Object.prototype.toString.call(body) === "[object ArrayBuffer]") {
    return new Uint8Array(body as ArrayBuffer);
  }
  throw new TypeError(
    "verifyWebhook() was given a body that was parsed. Give it the text or the bytes that were received: `await request.text()`, or `express.raw()`.",
  );
}

function header(headers: WebhookHeaders, name: string): string {
  const found = isMap(headers)
    ? headers.get(name)
    : Object.entries(headers)
        .filter(([key]) => key.toLowerCase() === name)
        .flatMap(([, value]) => value ?? []);
  const values = Array.isArray(found) ? found : found === null ? [] : [found];
  const [value] = values as readonly string[];
  if (value === undefined || value === "") {
    throw new WebhookError("missing_header", `${name} is missing.`);
  }
  // Several of one name arrive joined by a comma and a space.
  if (values.length > 1 || value.includes(", ")) {
    throw new WebhookError("repeated_header", `${name} is given more than once.`);
  }
  return value;
}

const isMap = (headers: WebhookHeaders): headers is { get(name: string): string | null } =>
  typeof headers["get"] === "function";

function joined(head: Bytes, tail: Bytes): Bytes {
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}

/** Bytes of base64 as RFC 4648 §4 writes it, padding included; null for anything else. */
function fromBase64(text: string): Bytes | null {
  if (!/^(?:[A-Za-z0-9+/]{4})+$|^(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,3}={1,2}$/.test(text))
    return null;
  try {
    const binary = atob(text);
    return btoa(binary) === text ? Uint8Array.from(binary, (c) => c.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}
