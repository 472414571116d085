import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "./json.ts";
import type { World } from "./workspace.ts";

/** A request as the fake saw it, with every token replaced by `[redacted]`. */
export interface RecordedRequest {
  /** The `x-slack-req-id` of its reply. */
  readonly id: string;
  /** Such as `chat.postMessage`. */
  readonly method: string;
  readonly httpMethod: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The label of the token used, `unknown` for one the fake does not know. */
  readonly token: string | undefined;
  /** Where a token appeared: anything but `header` is a leak (or a form parameter). */
  readonly tokenIn: readonly ("header" | "query" | "body")[];
  readonly body: string;
  readonly arguments: JsonObject;
  /** Id of the channel that it is about, if the token's workspace has it. */
  readonly channel: string | undefined;
  /** How many requests about this channel, itself included, were being answered when it was read. */
  readonly inFlight: number;
  /** Epoch ms by the fake's clock. */
  readonly receivedAt: number;
  /** When its answer was sent, or its connection was cut; absent while neither has happened. */
  readonly answeredAt?: number;
  /** What was answered; absent while, or because, nothing was. */
  readonly answer?: { readonly status: number; readonly error?: string };
}

/** Replaces in a text all tokens of the world, and whatever else looks like one of Slack's. */
export function redact(text: string, world: World): string {
  const known = world.tokens().flatMap(({ token }) => [token, encodeURIComponent(token)]);
  const withoutKnown = known.reduce((rest, token) => rest.replaceAll(token, "[redacted]"), text);
  return withoutKnown.replace(/\b(?:xox[a-z]|xapp|xoxe)[-.][A-Za-z0-9.-]+/g, "[redacted]");
}

/** The same for the strings anywhere in a JSON object. */
export function redactArguments(values: JsonObject, world: World): JsonObject {
  return JSON.parse(redact(JSON.stringify(values), world)) as JsonObject;
}
