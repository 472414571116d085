import { type Dispatcher, request } from "undici";
import { type Excerpt, excerptOf } from "./excerpt.ts";
import { answerTrouble, type Phase, proxyTrouble, Trouble, type TroubleCode } from "./trouble.ts";

/** One POST. */
export interface Sending {
  readonly url: URL;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** How much of the answer is kept to be shown, in bytes. */
  readonly excerptBytes: number;
  /** What must not be read in it. */
  credentials(): readonly string[];
  /** A proxy connects, so what goes wrong before may be its trouble. */
  readonly proxied: boolean;
}

/** What came back. */
export type Reply = { readonly durationMs: number } & (Answer | NoAnswer);

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly excerpt: Excerpt;
  /** The beginning of the body, whatever it is. */
  readonly body: Uint8Array;
}

export interface NoAnswer {
  readonly status: null;
  readonly trouble: TroubleCode;
  readonly phase: Phase;
  /** False if nothing can have arrived. */
  readonly sent: boolean;
  /** For the operator only. */
  readonly cause: unknown;
}

/** A body may go on for ever: it is read so far and for so long, and then cut off. */
const MOST_BYTES = 65_536;
const BODY_WITHIN_MS = 2_000;
/** Informational answers (1xx) may go on for ever, too. */
const MOST_INFORMATIONAL = 20;

/** Sends once, and tells what came back. Never rejects, and never follows a redirect. */
export async function send(dispatcher: Dispatcher, sending: Sending): Promise<Reply> {
  const startedAt = performance.now();
  const since = (): number => Math.round(performance.now() - startedAt);
  const course: Course = { controller: null, informational: 0 };
  try {
    const { url, body, headers, excerptBytes, credentials, signal } = sending;
    const response = await request(url, {
      dispatcher,
      method: "POST",
      body,
      headers,
      signal,
      opaque: course,
      onInfo: () => {
        course.informational += 1;
        if (course.informational <= MOST_INFORMATIONAL) return;
        course.controller?.abort(new Trouble("bad_response", "response"));
      },
    });
    const { statusCode, headers: answered } = response;
    const kept = await readCapped(response.body, excerptBytes);
    return {
      status: statusCode,
      retryAfter: only(answered["retry-after"]),
      excerpt: excerptOf(kept, answered, { mostBytes: excerptBytes, credentials }),
      body: kept,
      durationMs: since(),
    };
  } catch (error) {
    const sent = course.controller !== null;
    const { code, phase, cause } = troubleOf(error, sent, sending);
    return { status: null, trouble: code, phase, sent, cause, durationMs: since() };
  }
}

/** How far a request has come. */
interface Course {
  /** Set when it is written to a connection: before that, nothing can have arrived. */
  controller: Dispatcher.DispatchController | null;
  informational: number;
}

/** Has a dispatcher note how far its requests have come; {@link send} needs one that does. */
export const noting = (dispatcher: Dispatcher): Dispatcher =>
  dispatcher.compose((dispatch) => (options, handler) => {
    const { opaque } = options as { readonly opaque?: Course };
    const start = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (controller, context) => {
      if (opaque !== undefined) opaque.controller = controller;
      start?.(controller, context);
    };
    return dispatch(options, handler);
  });

function troubleOf(error: unknown, sent: boolean, { signal, proxied }: Sending): Trouble {
  if (error instanceof Trouble) return error;
  if (signal.aborted) return new Trouble("timeout", sent ? "response" : "connect", error);
  if (sent) return answerTrouble(error);
  return proxied ? proxyTrouble(error) : new Trouble("connect_error", "connect", error);
}

/** The beginning of a body, as it is: never inflated. A body that breaks off has said enough. */
function readCapped(
  body: Dispatcher.ResponseData["body"],
  excerptBytes: number,
): Promise<Uint8Array> {
  const most = excerptBytes + BEYOND;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => body.destroy(), BODY_WITHIN_MS);
    body.on("data", (chunk: Buffer) => {
      if (size < most) chunks.push(chunk);
      size += chunk.length;
      if (size > MOST_BYTES) body.destroy();
    });
    // The status stands, whatever becomes of the body.
    body.on("error", () => {});
    body.on("close", () => {
      clearTimeout(timer);
      resolve(chunks.length === 0 ? NOTHING : Buffer.concat(chunks));
    });
  });
}

const NOTHING = new Uint8Array();

/** Enough for the answer to a handshake, and for a credential that an excerpt ends in. */
const BEYOND = 8_192;

const only = (value: string | string[] | undefined): string | null =>
  typeof value === "string" ? value : null;
