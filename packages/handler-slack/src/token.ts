import { createHash } from "node:crypto";
import type { Reply } from "./reply.ts";

/** Whose a token is, as `auth.test` says. */
export interface Identity {
  readonly team: string;
  /** Absent for the token of a person. */
  readonly botId?: string | undefined;
  readonly appId?: string | undefined;
  /** It rotates: it ends by itself, within hours. */
  readonly expires: boolean;
}

/** What this process has learned of tokens from Slack's answers. It keeps no token. */
export interface Tokens {
  /** What was found out less than ten minutes ago; undefined if nothing was. */
  identityOf(token: string): Identity | undefined;
  identified(token: string, identity: Identity): void;
  /** Slack lists in every answer what the token may do. */
  scopesOf(token: string): readonly string[] | undefined;
  heard(token: string, reply: Reply): void;
  /**
   * The channel was asked to wait: was another of the same workspace, within five seconds? Then it is
   * the workspace that has had enough.
   */
  limited(token: string, channel: string): boolean;
}

/** What a token's first characters say, while nobody else says it. */
export const isPersons = (token: string): boolean => /^(?:xoxe\.)?xoxp-/.test(token);
export const expires = (token: string): boolean => token.startsWith("xoxe.");

/** What is wrong with a token that works. */
export function ofToken(token: {
  readonly isPersons: boolean;
  readonly expires: boolean;
}): readonly string[] {
  return [
    ...(token.isPersons
      ? [
          "This is the token of a person: messages appear as theirs. Use the Bot User OAuth Token (xoxb-…).",
        ]
      : []),
    ...(token.expires
      ? [
          "This token ends by itself within hours, and nothing renews it. Use an app with token rotation switched off.",
        ]
      : []),
  ];
}

const IDENTITY_FOR_MS = 10 * 60_000;
const AGREE_WITHIN_MS = 5_000;
const MOST_REMEMBERED = 1_000;

interface Known {
  readonly identity?: Identity;
  readonly identifiedAt?: number;
  readonly scopes?: readonly string[];
  readonly limited?: { readonly channel: string; readonly at: number };
}

export function createTokens(now: () => number): Tokens {
  const known = new Map<string, Known>();
  const keyOf = (token: string): string => createHash("sha256").update(token).digest("base64");
  const of = (token: string): Known => known.get(keyOf(token)) ?? {};
  const learn = (token: string, more: Known): void => {
    const key = keyOf(token);
    const all = { ...known.get(key), ...more };
    known.delete(key);
    known.set(key, all);
    if (known.size > MOST_REMEMBERED) known.delete(known.keys().next().value as string);
  };

  return {
    identityOf: (token) => {
      const { identity, identifiedAt = Number.NEGATIVE_INFINITY } = of(token);
      return now() - identifiedAt < IDENTITY_FOR_MS ? identity : undefined;
    },
    identified: (token, identity) => learn(token, { identity, identifiedAt: now() }),
    scopesOf: (token) => of(token).scopes,
    heard: (token, reply) => {
      const listed = reply.status === null ? null : reply.headers.get("x-oauth-scopes");
      if (listed === null) return;
      learn(token, { scopes: listed.split(",").map((scope) => scope.trim()) });
    },
    limited: (token, channel) => {
      const before = of(token).limited;
      learn(token, { limited: { channel, at: now() } });
      return (
        before !== undefined && before.channel !== channel && now() - before.at < AGREE_WITHIN_MS
      );
    },
  };
}
