import type { Dispatcher } from "undici";
import { type Excerpt, excerptOf, type Headers } from "./excerpt.ts";
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

/**
 * Sends once, and tells what came back. Never rejects, and never follows a redirect. The answer is
 * never inflated, and its status stands, whatever becomes of its body.
 */
export function send(dispatcher: Dispatcher, sending: Sending): Promise<Reply> {
  const { url, body, headers, signal, excerptBytes, credentials } = sending;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    /** Set when it is written to a connection: before that, nothing can have arrived. */
    let controller: Dispatcher.DispatchController | null = null;
    let head: { readonly status: number; readonly headers: Headers } | null = null;
    let informational = 0;
    const chunks: Buffer[] = [];
    let size = 0;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;

    function end(reply: Answer | NoAnswer): void {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", interrupt);
      resolve({ ...reply, durationMs: Math.round(performance.now() - startedAt) });
    }
    function fail(error: unknown): void {
      const sent = controller !== null;
      const { code, phase, cause } = troubleOf(error, sent, sending);
      end({ status: null, trouble: code, phase, sent, cause });
    }
    function answer({ status, headers }: NonNullable<typeof head>): void {
      const kept = chunks.length === 0 ? NOTHING : Buffer.concat(chunks);
      const excerpt = excerptOf(kept, headers, { mostBytes: excerptBytes, credentials });
      end({ status, retryAfter: only(headers["retry-after"]), excerpt, body: kept });
    }
    function breakOff(reason: unknown): void {
      if (head === null) fail(reason);
      else answer(head);
    }
    function cutOff(reason: Error): void {
      breakOff(reason);
      controller?.abort(reason);
    }
    function interrupt(): void {
      cutOff(signal.reason as Error);
    }

    if (signal.aborted) {
      fail(signal.reason);
      return;
    }
    signal.addEventListener("abort", interrupt);
    const path = `${url.pathname}${url.search}`;
    dispatcher.dispatch(
      { origin: url.origin, path, method: "POST", body, headers },
      {
        onRequestStart: (started) => {
          controller = started;
          if (isOver) started.abort(new Trouble("timeout", "connect"));
        },
        onResponseStart: (_, status, headers) => {
          if (status >= 200) {
            head = { status, headers };
            timer = setTimeout(() => cutOff(new Trouble("timeout", "response")), BODY_WITHIN_MS);
          } else {
            informational += 1;
            const isFlood = informational > MOST_INFORMATIONAL;
            if (isFlood) cutOff(new Trouble("bad_response", "response"));
          }
        },
        onResponseData: (_, chunk) => {
          if (size < excerptBytes + BEYOND) chunks.push(chunk);
          size += chunk.length;
          if (size > MOST_BYTES) cutOff(new Trouble("bad_response", "response"));
        },
        onResponseEnd: () => {
          if (head !== null) answer(head);
        },
        onResponseError: (_, error) => breakOff(error),
      },
    );
  });
}

function troubleOf(error: unknown, sent: boolean, { signal, proxied }: Sending): Trouble {
  if (error instanceof Trouble) return error;
  if (signal.aborted) return new Trouble("timeout", sent ? "response" : "connect", error);
  if (sent) return answerTrouble(error);
  return proxied ? proxyTrouble(error) : new Trouble("connect_error", "connect", error);
}

const NOTHING = new Uint8Array();

/** Enough for the answer to a handshake, and for a credential that an excerpt ends in. */
const BEYOND = 8_192;

const only = (value: string | string[] | undefined): string | null =>
  typeof value === "string" ? value : null;
