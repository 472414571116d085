import {
  delivered,
  failed,
  gone,
  type Json,
  type Outcome,
  throttled,
  unknown,
} from "@posthorn/core";
import type { Answer, NoAnswer, Reply } from "./send.ts";
import type { TroubleCode } from "./trouble.ts";

/** What a reply means for the delivery. Pure. */
export function outcomeOf(reply: Reply, now: number): Outcome {
  const details = detailsOf(reply);
  if (reply.status === null) return unanswered(reply, details);
  const { status } = reply;
  const reason = `HTTP ${status}`;
  if (status >= 200 && status <= 299) return delivered({ details });
  if (status >= 300 && status <= 399) {
    const remedy = "Redirects are not followed. Give the webhook the URL that it should go to.";
    return failed(`${reason}: the receiver redirects`, { details, remedy });
  }
  if (status === 410) {
    return gone(`${reason}: the receiver wants nothing more`, {
      details,
      remedy: "If it should go on, correct the receiver and switch the webhook on.",
    });
  }
  const waitMs = retryAfterMs(reply.retryAfter, now);
  if (status === 429 || (status === 503 && waitMs !== null)) {
    return throttled({
      reason: `${reason}: the receiver asks to wait`,
      retryAfterMs: waitMs ?? WAIT_MS,
      gate: "host",
      details,
    });
  }
  const retryAfter = waitMs ?? (status === 502 || status === 504 ? WAIT_MS : undefined);
  const remedy = remedyOf(status);
  return failed(reason, { details, remedy, retryAfterMs: retryAfter });
}

/** For 429, 502 and 504 without a Retry-After: Standard Webhooks asks to go slower then. */
const WAIT_MS = 60_000;

/**
 * RFC 9110 §10.2.3: a number of seconds, or a date in the future; null for anything else. How long
 * may be asked for is core's rule.
 */
function retryAfterMs(value: string | null, now: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1_000;
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return at > now ? at - now : null;
}

function unanswered({ trouble, sent }: NoAnswer, details: Json): Outcome {
  const { reason, remedy } = troubles[trouble];
  const gate = trouble === "proxy_error" ? "proxy" : "host";
  const note = { details, remedy, gate };
  return sent ? unknown(reason, note) : failed(reason, note);
}

/** Whom a client error is about: whoever configured the webhook, or its receiver. */
function remedyOf(status: number): string | undefined {
  if (status === 401 || status === 403) {
    return "The receiver does not let the webhook in. Check its authorization, and its secret.";
  }
  if (status === 404 || status === 405)
    return "Check the webhook's URL: nothing takes events there.";
  if (status >= 400 && status <= 499 && status !== 408 && status !== 425) {
    return "The receiver refuses the event. Check how it reads webhooks.";
  }
  return undefined;
}

const REACH = "Check that the receiver can be reached from the internet.";
const ANSWER = "Look whether the event has arrived: the receiver may have taken it.";

/** Texts name no address and no system call: what they say of a network is that it did not work. */
const troubles: Readonly<
  Record<TroubleCode, { readonly reason: string; readonly remedy: string }>
> = {
  blocked_address: {
    reason: "The URL leads to an address that webhooks may not reach",
    remedy: "Give a URL whose host has only addresses of the public internet.",
  },
  dns_error: {
    reason: "The host's name could not be resolved",
    remedy: "Check the name in the webhook's URL.",
  },
  connect_refused: { reason: "The receiver refused the connection", remedy: REACH },
  connect_timeout: { reason: "The receiver did not accept a connection in time", remedy: REACH },
  connect_error: { reason: "The receiver could not be reached", remedy: REACH },
  tls_error: {
    reason: "No secure connection could be made",
    remedy: "Check the receiver's certificate: its name, its dates and its chain.",
  },
  proxy_error: {
    reason: "The way out did not work",
    remedy: "This is no fault of the receiver's.",
  },
  timeout: { reason: "The receiver did not answer in time", remedy: ANSWER },
  connection_lost: { reason: "The connection broke before there was an answer", remedy: ANSWER },
  bad_response: { reason: "The receiver's answer is not HTTP", remedy: ANSWER },
  response_too_large: {
    reason: "The receiver's answer has too large headers",
    remedy: "Answer with a status and little else.",
  },
};

/** Coarse enough that durations tell nothing of what lies between. */
const GRAIN_MS = 10;

function detailsOf(reply: Reply): Json {
  const duration_ms = Math.round(reply.durationMs / GRAIN_MS) * GRAIN_MS;
  if (reply.status === null) {
    return { status: null, error: reply.trouble, phase: reply.phase, duration_ms };
  }
  const { status, excerpt } = reply;
  return {
    status,
    error: errorOf(reply),
    phase: "response",
    duration_ms,
    ...(excerpt !== null && { response: excerpt }),
  };
}

const errorOf = ({ status }: Answer): string | null =>
  status < 300 ? null : status < 400 ? "redirect" : status < 500 ? "client_error" : "server_error";
