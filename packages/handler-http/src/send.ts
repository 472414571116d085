import { type Dispatcher, request } from "undici";
import { type Excerpt, excerptOf } from "./excerpt.ts";
import { answerTrouble, type Phase, proxyTrouble, Trouble, type TroubleCode } from "./trouble.ts";

/** One POST. */
export interface Sending {
  readonly url: URL;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** How much of the answer is kept, in bytes. */
  readonly excerptBytes: number;
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
  let started = false;
  const flood = new AbortController();
  let informational = 0;
  try {
    const { url, body, headers, excerptBytes } = sending;
    const signal = AbortSignal.any([sending.signal, flood.signal]);
    const response = await request(url, {
      dispatcher: noting(dispatcher, () => {
        started = true;
      }),
      method: "POST",
      body,
      headers: { ...headers, "accept-encoding": "identity" },
      signal,
      onInfo: () => {
        informational += 1;
        if (informational > MOST_INFORMATIONAL) flood.abort();
      },
    });
    const { statusCode, headers: answered } = response;
    const kept = await readCapped(response.body, excerptBytes);
    return {
      status: statusCode,
      retryAfter: only(answered["retry-after"]),
      excerpt: excerptOf(kept, answered, excerptBytes),
      body: kept,
      durationMs: since(),
    };
  } catch (error) {
    const trouble = flood.signal.aborted
      ? new Trouble("bad_response", "response")
      : troubleOf(error);
    const { code, phase, cause } = trouble;
    return { status: null, trouble: code, phase, sent: started, cause, durationMs: since() };
  }

  function troubleOf(error: unknown): Trouble {
    if (error instanceof Trouble) return error;
    if (sending.signal.aborted)
      return new Trouble("timeout", started ? "response" : "connect", error);
    if (started) return answerTrouble(error);
    return sending.proxied ? proxyTrouble(error) : new Trouble("connect_error", "connect", error);
  }
}

/** Tells when a request is written to a connection: before that, nothing can have arrived. */
const noting = (dispatcher: Dispatcher, note: () => void): Dispatcher =>
  dispatcher.compose((dispatch) => (options, handler) => {
    const start = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (controller, context) => {
      note();
      start?.(controller, context);
    };
    return dispatch(options, handler);
  });

/** The beginning of a body, as it is: never inflated. A body that breaks off has said enough. */
async function readCapped(
  body: Dispatcher.ResponseData["body"],
  atLeast: number,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => body.destroy(), BODY_WITHIN_MS);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (size < Math.max(atLeast, FOR_READING)) chunks.push(chunk);
      size += chunk.length;
      if (size > MOST_BYTES) break;
    }
  } catch {
    // The status stands.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

/** Enough for the answer to a handshake. */
const FOR_READING = 1_024;

const only = (value: string | string[] | undefined): string | null =>
  typeof value === "string" ? value : null;
