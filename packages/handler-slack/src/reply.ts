import {
  type Doubt,
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
import { APPS, meanings, type SlackError, slackError } from "./errors.ts";

/** What came back for one request. */
export type Reply = Answer | NoAnswer;

/** Somebody answered; if it was Slack, `body` is what it said. */
export interface Answer {
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
  /** Members that only some methods answer. */
  readonly [member: string]: unknown;
  readonly ok: boolean;
  readonly error?: string | undefined;
  /** The scopes that were missing, and those that are there; separated by commas. */
  readonly needed?: string | undefined;
  readonly provided?: string | undefined;
  /** What is wrong with the arguments, with JSON pointers. */
  readonly errors: readonly string[];
  readonly response_metadata?: { readonly messages: readonly string[] } | undefined;
  /** The posted message's channel, its id there, and what became of it. */
  readonly channel?: string | AnsweredChannel | undefined;
  readonly ts?: string | undefined;
  readonly message?:
    | { readonly username?: string | undefined; readonly app_id?: string | undefined }
    | undefined;
}

/** What `conversations.info` says of a channel. */
interface AnsweredChannel {
  readonly is_archived?: boolean | undefined;
  readonly is_member?: boolean | undefined;
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

/** What a reply is read with. */
export interface Reading {
  /** Which attempt of the delivery it answers, from 1. */
  readonly attempt: number;
  /** What the customer wants where nobody knows whether a message was posted. */
  readonly doubt?: Doubt | undefined;
  /** Does another channel of the workspace have to wait too, just now? */
  readonly isWorkspaceBusy?: boolean;
  /** The id of the app, if it is known: its page is where scopes are added. */
  readonly appId?: string | undefined;
}

/** What a reply means for the delivery. Pure. */
export function outcomeOf(reply: Reply, reading: Reading): Outcome {
  const { doubt } = reading;
  if (reply.status === null) return unanswered(reply, doubt);
  const { status, body } = reply;
  const details = detailsOf(reply);
  const known = slackError(body?.error ?? "");
  const broken = { details, remedy: LOOK, gate: "workspace", doubt };
  if (isLimited(reply)) return tooMany(reply, known, reading);
  if (body?.ok === false && (status < 500 || known !== undefined)) {
    return refused(reply, known, reading);
  }
  if (status >= 500) return unknown(`Slack broke down (HTTP ${status})`, broken);
  if (status >= 400) {
    // Not Slack's words: what stands between says nothing about the channel or the event.
    const note = { details, remedy: PROXY, gate: "workspace" };
    return failed(`HTTP ${status}, but not from Slack`, note);
  }
  if (status >= 300) {
    // Followed, it would carry the token to who knows where.
    return rejected(`Slack's address redirects (HTTP ${status})`, { details, remedy: PROXY });
  }
  if (body === null) return unknown("Slack's answer is unreadable", broken);
  return delivered({ details });
}

/** Does Slack ask to wait? */
export function isLimited(reply: Reply): boolean {
  if (reply.status === null) return false;
  return reply.status === 429 || slackError(reply.body?.error ?? "")?.class === "rate";
}

/** Does Slack refuse what the message contains, and only that? Then less of it may pass. */
export const refusesContent = (reply: Reply): boolean =>
  reply.status !== null &&
  reply.body?.ok === false &&
  slackError(reply.body.error ?? "")?.class === "message";

/** What Slack answered, for people, with its code. */
export function told(answer: Answer): string {
  const { body, status } = answer;
  const { error } = body ?? {};
  if (error === undefined) return `Slack answered no error code (HTTP ${status})`;
  const known = slackError(error);
  const meaning =
    known === undefined ? "Slack answered what it does not document" : meanings[known.class];
  return `${meaning} (${error})${particulars(answer)}`;
}

/** What to do about it; missing scopes are added on the app's own page. */
export const remedyOf = ({ body }: Answer, appId: string | undefined): string | undefined => {
  const remedy = slackError(body?.error ?? "")?.remedy;
  return appId === undefined ? remedy : remedy?.replace(APPS, `${APPS}/${appId}/oauth`);
};

const LOOK = "Look for the message in the channel: Slack may have posted it.";
const PROXY = "Check the handler's baseUrl, and the proxy between this server and slack.com.";
const NETWORK = "Check that this server can reach slack.com over HTTPS.";
const UNDOCUMENTED =
  "Look the code up at https://docs.slack.dev/reference/methods/chat.postMessage.";
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const WAIT_MS = 30 * SECOND;
/** A code that nobody has documented may mean anything: three attempts, further apart each time. */
const MOST_UNDOCUMENTED = 3;

const text = v.fallback(v.optional(v.string()), undefined);
const texts = v.fallback(v.optional(v.array(v.string()), []), []);

const flag = v.fallback(v.optional(v.boolean()), undefined);
const answeredChannel = v.object({ is_archived: flag, is_member: flag });

const answerBody: v.GenericSchema<unknown, AnswerBody> = v.looseObject({
  ok: v.boolean(),
  error: text,
  needed: text,
  provided: text,
  errors: texts,
  response_metadata: v.fallback(v.optional(v.object({ messages: texts })), undefined),
  channel: v.fallback(v.optional(v.union([v.string(), answeredChannel])), undefined),
  ts: text,
  message: v.fallback(v.optional(v.object({ username: text, app_id: text })), undefined),
});

function unanswered({ sent, code }: NoAnswer, doubt: Reading["doubt"]): Outcome {
  const note = { details: { error: code }, gate: "workspace" };
  return sent
    ? unknown(`Slack did not answer (${code})`, { ...note, remedy: LOOK, doubt })
    : failed(`Slack was not reached (${code})`, { ...note, remedy: NETWORK });
}

const tooMany = (
  answer: Answer,
  known: SlackError | undefined,
  { isWorkspaceBusy = false }: Reading,
): Outcome =>
  throttled({
    reason: `Slack asks to wait (${answer.body?.error ?? `HTTP ${answer.status}`})`,
    retryAfterMs: retryAfterMs(answer.headers) ?? known?.waitMs ?? WAIT_MS,
    gate: isWorkspaceBusy ? "workspace" : (known?.gate ?? "channel"),
    remedy: known?.remedy,
    details: detailsOf(answer),
  });

function refused(answer: Answer, known: SlackError | undefined, reading: Reading): Outcome {
  const reason = told(answer);
  const note = { remedy: remedyOf(answer, reading.appId), details: detailsOf(answer) };
  switch (known?.class) {
    case "auth":
      return gone(reason, { ...note, gate: "token" });
    case "destination":
    case "scope":
      return gone(reason, note);
    case "message":
    case "bug":
      return rejected(reason, note);
    case "ambiguous":
      return unknown(reason, { ...note, doubt: reading.doubt });
    case undefined: {
      const undocumented = { ...note, remedy: UNDOCUMENTED };
      if (reading.attempt >= MOST_UNDOCUMENTED) return rejected(reason, undocumented);
      return failed(reason, { ...undocumented, retryAfterMs: reading.attempt * 5 * MINUTE });
    }
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
    ...(typeof body?.channel === "string" && { channel: body.channel }),
    ...(typeof body?.["warning"] === "string" && { warning: body["warning"] }),
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
