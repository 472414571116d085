import type { JsonObject } from "./json.ts";

/** Ends a call with `{"ok":false,"error":…}`; thrown by methods, rendered by the server. */
export class Refusal extends Error {
  readonly error: string;
  readonly extra: JsonObject;

  constructor(error: string, extra: JsonObject = {}) {
    super(error);
    this.error = error;
    this.extra = extra;
  }
}

/** `invalid_arguments` and its like: one message per finding, as Slack lists them. */
export function refuseWithMessages(error: string, findings: readonly string[]): Refusal {
  return new Refusal(error, {
    errors: findings,
    response_metadata: { messages: findings.map((finding) => `[ERROR] ${finding}`) },
  });
}
