import {
  delivered,
  failed,
  gone,
  type Json,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import * as v from "valibot";
import { type SlackError, slackError } from "./errors.ts";

/** What came back for one request. */
export type Reply = Answer | NoAnswer;

/** Somebody answered; if it was Slack, `body` is what it said. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: AnswerBody | null;
}

/** Nobody answered. */
export interface NoAnswer {
  readonly status: null;
  /** False only if it is certain that Slack has seen nothing of the request. */
  readonly sent: boolean;
  /** The code of the error, such as `ECONNREFUSED`. */
  readonly code: string;
}

/** What Slack says, good or bad. Members of another type than these are as good as absent. */
export interface AnswerBody {
  readonly ok: boolean;
  readonly error?: string | undefined;
  /** The scopes that were missing, and those that are there; separated by commas. */
  readonly needed?: string | undefined;
  readonly provided?: string | undefined;
  /** What is wrong with the arguments, with JSON pointers. */
  readonly errors: readonly string[];
  readonly response_metadata?: { readonly messages: readonly string[] } | undefined;
  /** The posted message's channel, its id there, and what became of it. */
  readonly channel?: string | undefined;
  readonly ts?: string | undefined;
  readonly message?: { readonly username?: string | undefined } | undefined;
}

/** Slack's answer; null if the text is not one. */
export function parseAnswer(json: string): AnswerBody | null {
  try {
    const result = v.safeParse(answerBody, JSON.parse(json));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

/** What a reply means for the delivery. Pure. */
export function outcomeOf(reply: Reply): Outcome {
  if (reply.status === null) return unanswered(reply);
  const { status, body } = reply;
  const details = detailsOf(reply);
  const known = slackError(body?.error ?? "");
  if (status === 429 || known?.class === "rate") return tooMany(reply, known);
  if (body?.ok === false && (status < 500 || known !== undefined)) return refused(reply, known);
  if (status >= 500) {
    return unknown(`Slack broke down (HTTP ${status})`, { details, remedy: LOOK });
  }
  if (status >= 400) {
    // Not Slack's words: what stands between says nothing about the channel or the event.
    return failed(`HTTP ${status}, but not from Slack`, { details, remedy: PROXY });
  }
  if (status >= 300) {
    // Followed, it would carry the token to who knows where.
    return rejected(`Slack's address redirects (HTTP ${status})`, { details, remedy: PROXY });
  }
  if (body === null) return unknown("Slack's answer is unreadable", { details, remedy: LOOK });
  return delivered({ details });
}

const LOOK = "Look for the message in the channel: Slack may have posted it.";
const PROXY = "Check the handler's baseUrl, and the proxy between this server and slack.com.";
const NETWORK = "Check that this server can reach slack.com over HTTPS.";
const WAIT_MS = 30_000;

const text = v.fallback(v.optional(v.string()), undefined);
const texts = v.fallback(v.optional(v.array(v.string()), []), []);

const answerBody: v.GenericSchema<unknown, AnswerBody> = v.object({
  ok: v.boolean(),
  error: text,
  needed: text,
  provided: text,
  errors: texts,
  response_metadata: v.fallback(v.optional(v.object({ messages: texts })), undefined),
  channel: text,
  ts: text,
  message: v.fallback(v.optional(v.object({ username: text })), undefined),
});

const unanswered = ({ sent, code }: NoAnswer): Outcome =>
  sent
    ? unknown(`Slack did not answer (${code})`, { details: { error: code }, remedy: LOOK })
    : failed(`Slack was not reached (${code})`, { details: { error: code }, remedy: NETWORK });

const tooMany = (answer: Answer, known: SlackError | undefined): Outcome =>
  throttled({
    reason: `Slack asks to wait (${answer.body?.error ?? `HTTP ${answer.status}`})`,
    retryAfterMs: retryAfterMs(answer.headers) ?? known?.waitMs ?? WAIT_MS,
    gate: known?.gate ?? "channel",
    remedy: known?.remedy,
    details: detailsOf(answer),
  });

function refused(answer: Answer, known: SlackError | undefined): Outcome {
  const reason = `Slack answered ${answer.body?.error ?? "no error code"}${particulars(answer)}`;
  const note = { remedy: known?.remedy, details: detailsOf(answer) };
  switch (known?.class) {
    case "auth":
    case "destination":
    case "scope":
      return gone(reason, note);
    case "message":
    case "bug":
      return rejected(reason, note);
    case "ambiguous":
      return unknown(reason, note);
    default:
      return failed(reason, { ...note, retryAfterMs: known?.waitMs });
  }
}

/** What a missing scope or a refused block is about, in Slack's words. */
function particulars({ body }: Answer): string {
  const { needed, provided, errors = [], response_metadata } = body ?? {};
  const messages = response_metadata?.messages ?? [];
  const notes = new Set([...errors, ...messages].map((note) => note.replace(/^\[\w+\] /, "")));
  // Slack still calls the scope by the name it had until 2020.
  const scope = (list: string): string => list.replace(/\bchat:write:bot\b/g, "chat:write");
  return [
    needed === undefined ? "" : `: the app needs ${scope(needed)}`,
    provided === undefined ? "" : ` and has ${scope(provided)}`,
    notes.size === 0 ? "" : `: ${[...notes].join("; ")}`,
  ].join("");
}

function detailsOf({ status, headers, body }: Answer): Json {
  const requestId = headers.get("x-slack-req-id");
  return {
    status,
    ...(body?.error !== undefined && { error: body.error }),
    ...(body?.ts !== undefined && { ts: body.ts }),
    ...(body?.channel !== undefined && { channel: body.channel }),
    ...(requestId !== null && { requestId }),
  };
}

/** RFC 9110 §10.2.3: seconds, or a date, which is compared with the answer's own. */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const waitMs = Date.parse(value) - Date.parse(headers.get("date") ?? "");
  return /[a-z]/i.test(value) && waitMs >= 0 ? waitMs : undefined;
}
