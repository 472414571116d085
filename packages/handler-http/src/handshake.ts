import { randomBytes, randomUUID } from "node:crypto";
import type { Reply } from "./send.ts";

/** A question to whoever is behind a URL: do you want webhooks? */
export interface Handshake {
  readonly id: string;
  readonly body: Uint8Array;
  /** Does the reply repeat the challenge? As the body, or as `challenge` of its JSON. */
  isConfirmedBy(reply: Reply): boolean;
}

export function handshake(at: number): Handshake {
  const challenge = randomBytes(24).toString("base64url");
  const timestamp = new Date(at).toISOString();
  return {
    id: `verify_${randomUUID()}`,
    body: Buffer.from(
      JSON.stringify({ type: "webhook_verification", timestamp, data: { challenge } }),
    ),
    isConfirmedBy: (reply) => {
      if (reply.status === null || reply.status < 200 || reply.status > 299) return false;
      const text = Buffer.from(reply.body).toString().trim();
      return text === challenge || challengeIn(text) === challenge;
    },
  };
}

function challengeIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { challenge?: unknown } | null)?.challenge;
  } catch {
    return undefined;
  }
}
