import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign,
} from "node:crypto";

/** A key that signs; made once from its text, and kept. */
export interface SigningKey {
  /** `v1,` or `v1a,` and the signature, in base64, of a head and the body after it. */
  sign(head: string, body: Uint8Array): string;
  /** What a receiver verifies with: the secret itself, or the public key. */
  readonly shown: string;
}

/** What generates a new key, by the version of the signatures that it makes. */
export type SignatureVersion = "v1" | "v1a";

/**
 * Standard Webhooks 1.0, "Signature scheme": 24 to 64 random bytes for HMAC-SHA256. An ed25519 key
 * is its seed and its public key, 64 bytes; the seed alone says the same.
 */
const SHORTEST_SECRET = 24;
const LONGEST_SECRET = 64;
const SEED = 32;
const ED25519_KEY = 64;
/** A new symmetric secret is as long as what HMAC-SHA256 makes of it. */
const NEW_SECRET = 32;

const SYMMETRIC = "whsec_";
const PRIVATE = "whsk_";
const PUBLIC = "whpk_";

/** RFC 8410: what stands before a seed in PKCS #8, and before a public key in SPKI. */
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/** How a secret is written, for messages. */
export const SECRET_RULE =
  "The secret must be whsec_ and 24 to 64 random bytes in base64, or whsk_ and an ed25519 private key. Leave it out to have one generated.";

/** The key that a text is; null if it is none. */
export function signingKey(text: string): SigningKey | null {
  if (text.startsWith(SYMMETRIC)) {
    const secret = fromBase64(text.slice(SYMMETRIC.length));
    if (secret === null || secret.length < SHORTEST_SECRET || secret.length > LONGEST_SECRET) {
      return null;
    }
    // A key object: from bytes, each signature would make one, for five times the time.
    const key = createSecretKey(secret);
    return {
      shown: text,
      sign: (head, body) =>
        `v1,${createHmac("sha256", key).update(head).update(body).digest("base64")}`,
    };
  }
  if (!text.startsWith(PRIVATE)) return null;
  const bytes = fromBase64(text.slice(PRIVATE.length));
  if (bytes === null || (bytes.length !== SEED && bytes.length !== ED25519_KEY)) return null;
  const key = privateKey(bytes.subarray(0, SEED));
  const publicKey = publicBytes(key);
  if (bytes.length === ED25519_KEY && !publicKey.equals(bytes.subarray(SEED))) return null;
  return {
    shown: PUBLIC + publicKey.toString("base64"),
    sign: (head, body) => {
      const content = Buffer.concat([Buffer.from(head), body]);
      return `v1a,${sign(null, content, key).toString("base64")}`;
    },
  };
}

/** A new secret from random bytes. */
export function newSecret(
  version: SignatureVersion,
  random: (count: number) => Uint8Array,
): string {
  if (version === "v1") return SYMMETRIC + Buffer.from(random(NEW_SECRET)).toString("base64");
  const seed = Buffer.from(random(SEED));
  const both = Buffer.concat([seed, publicBytes(privateKey(seed))]);
  return PRIVATE + both.toString("base64");
}

const MOST_KEPT = 1_000;

/** Makes keys of texts, and keeps the most recent. Texts are secrets that a schema has accepted. */
export function keyCache(): (text: string) => SigningKey {
  const kept = new Map<string, SigningKey>();
  return (text) => {
    const found = kept.get(text);
    if (found !== undefined) return found;
    const key = signingKey(text);
    if (key === null) throw new Error(SECRET_RULE);
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value as string);
    kept.set(text, key);
    return key;
  };
}

/** Node's decoder skips what is no base64; what it makes of a text must write the same text. */
function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

const privateKey = (seed: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: "der", type: "pkcs8" });

const publicBytes = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI_ED25519.length);
