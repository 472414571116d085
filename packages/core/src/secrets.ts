import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { PosthornError } from "./errors.ts";
import type { Json } from "./event.ts";
import type { Gate } from "./gate.ts";
import type { System } from "./system.ts";

/** A key that seals subscriptions' secrets. */
export interface EncryptionKey {
  /** Stored beside what it sealed: letters, digits, `_` and `-`, at most 32. */
  readonly id: string;
  /** 32 bytes, as bytes or in base64. */
  readonly key: string | Uint8Array;
}

/**
 * What a sealed secret belongs to; it opens nowhere else.
 *
 * @internal
 */
export interface SecretPlace {
  readonly organization: string;
  readonly subscriptionId: string;
  readonly field: string;
}

/** The keys of a process: the first seals, all open. */
export interface Keyring {
  readonly ids: readonly string[];
  /** The key that seals; null without keys. */
  readonly sealingId: string | null;
  /** @throws PosthornError `missing_encryption_key` without keys. */
  seal(secret: string, place: SecretPlace): string;
  /**
   * @throws PosthornError `missing_encryption_key` if its key is not here, `unreadable_secret` if
   * it was sealed for another place or with another key of the same id, or was altered.
   */
  open(sealed: string, place: SecretPlace): string;
  /** What a gate is stored under: a keyed hash, since its key may hold a secret. */
  gateId(organization: string, handlerType: string, gate: Gate): string;
  /** Keyed hashes of a value that may hold secrets, one for each key; the sealing key's first. */
  fingerprints(value: Json): readonly string[];
}

const FORMAT = "v1";
const KEY_BYTES = 32;
/** NIST SP 800-38D §8.2.2: random 96-bit nonces, for at most 2^32 seals with one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** How to make a key, for error messages. */
const keyAdvice =
  "Make one with `node -e \"console.log(require('node:crypto').randomBytes(32).toString('base64'))\"`, keep it with the host's other secrets, and pass it as `encryptionKeys: [{ id: \"2026-01\", key }]`.";

/**
 * AES-256-GCM with key ids. The associated data binds a secret to its organization, subscription
 * and field: a row copied elsewhere does not open.
 *
 * @throws PosthornError `invalid_options` for ids that are malformed or repeated, and keys that
 * are not 32 bytes (or all the same byte).
 */
export function keyring(keys: readonly EncryptionKey[], system: Pick<System, "bytes">): Keyring {
  if (!Array.isArray(keys)) throw optionError(`encryptionKeys must be an array. ${keyAdvice}`);
  const ring = new Map<string, Buffer>();
  for (const [index, entry] of (keys as readonly (EncryptionKey | null)[]).entries()) {
    const { id = "", key = "" } = entry ?? {};
    const place = `encryptionKeys[${index}]`;
    if (typeof id !== "string" || !/^[A-Za-z0-9_-]{1,32}$/.test(id)) {
      throw optionError(`${place}.id must be 1 to 32 letters, digits, "_" or "-".`);
    }
    if (ring.has(id))
      throw optionError(`${place}.id "${id}" is used twice. Give each key its own.`);
    ring.set(id, keyBytes(key, place));
  }
  const sealingId = keys[0]?.id ?? null;
  const derived = (key: Buffer, purpose: string): Buffer =>
    Buffer.from(hkdfSync("sha256", key, "", `posthorn ${purpose}`, KEY_BYTES));
  const noKey = Buffer.alloc(0);
  const gateKey = derived(sealingId === null ? noKey : keyOf(sealingId), "gate");
  const fingerprintKeys = (ring.size === 0 ? [noKey] : [...ring.values()]).map((key) =>
    derived(key, "fingerprint"),
  );

  function keyOf(id: string): Buffer {
    const key = ring.get(id);
    if (key === undefined) {
      throw new PosthornError(
        "missing_encryption_key",
        `A secret was sealed with the key "${id}", which this process does not have (it has: ${[...ring.keys()].join(", ") || "none"}). Add it to \`encryptionKeys\`.`,
      );
    }
    return key;
  }

  return {
    ids: [...ring.keys()],
    sealingId,
    seal: (secret, place) => {
      if (sealingId === null) {
        throw new PosthornError(
          "missing_encryption_key",
          `"${place.field}" is a secret, and the bus has no encryption key to store it with. ${keyAdvice}`,
        );
      }
      const nonce = system.bytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keyOf(sealingId), nonce);
      cipher.setAAD(associatedData(place));
      const text = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      const sealed = Buffer.concat([nonce, text, cipher.getAuthTag()]).toString("base64url");
      return `${FORMAT}.${sealingId}.${sealed}`;
    },
    open: (sealed, place) => {
      const [format, id = "", body = "", ...rest] = sealed.split(".");
      const bytes = Buffer.from(body, "base64url");
      const isWhole = rest.length === 0 && bytes.toString("base64url") === body;
      if (format !== FORMAT || !isWhole || bytes.length < NONCE_BYTES + TAG_BYTES) {
        throw unreadable(place, "it is not in a format that this version knows");
      }
      const key = keyOf(id);
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
        decipher.setAAD(associatedData(place));
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch {
        throw unreadable(place, `it does not open with the key "${id}"`);
      }
    },
    gateId: (organization, handlerType, gate) =>
      createHmac("sha256", gateKey)
        .update(lengthPrefixed([organization, handlerType, gate.name, gate.key]))
        .digest("base64url"),
    fingerprints: (value) =>
      fingerprintKeys.map((key) =>
        createHmac("sha256", key).update(JSON.stringify(value)).digest("base64url"),
      ),
  };
}

/** The id of the key that sealed a secret. */
export const sealedWith = (sealed: string): string => sealed.split(".")[1] ?? "";

const associatedData = ({ organization, subscriptionId, field }: SecretPlace): Buffer =>
  lengthPrefixed(["posthorn secret", organization, subscriptionId, field]);

/** Unambiguous: no two lists of parts give the same bytes. */
const lengthPrefixed = (parts: readonly string[]): Buffer =>
  Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, "utf8");
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );

function keyBytes(key: string | Uint8Array, place: string): Buffer {
  const bytes = typeof key === "string" ? Buffer.from(key, "base64") : Buffer.from(key);
  const isBase64 = typeof key !== "string" || bytes.toString("base64") === key;
  if (!isBase64 || bytes.length !== KEY_BYTES || new Set(bytes).size === 1) {
    throw optionError(`${place}.key must be ${KEY_BYTES} random bytes, in base64. ${keyAdvice}`);
  }
  return bytes;
}

const optionError = (message: string): PosthornError =>
  new PosthornError("invalid_options", message);

const unreadable = (place: SecretPlace, why: string): PosthornError =>
  new PosthornError(
    "unreadable_secret",
    `The stored "${place.field}" of subscription ${place.subscriptionId} cannot be read: ${why}. Check \`encryptionKeys\`, or save the secret again.`,
  );
