/** What went wrong before there was an answer. Closed: nothing else is ever told to a customer. */
export type TroubleCode =
  | "blocked_address"
  | "dns_error"
  | "connect_refused"
  | "connect_timeout"
  | "connect_error"
  | "tls_error"
  | "proxy_error"
  | "timeout"
  | "connection_lost"
  | "bad_response"
  | "response_too_large";

/** How far an attempt had come. */
export type Phase = "url" | "dns" | "connect" | "tls" | "proxy" | "send" | "response";

/** Trouble on the way; its cause is for the operator. */
export class Trouble extends Error {
  override readonly name = "Trouble";
  readonly code: TroubleCode;
  readonly phase: Phase;

  constructor(code: TroubleCode, phase: Phase, cause?: unknown) {
    super(code, { cause });
    this.code = code;
    this.phase = phase;
  }
}

/** What a failure to connect was; `connected` once TCP had come through, so that TLS was next. */
export function connectTrouble(error: unknown, connected: boolean): Trouble {
  const code = codeOf(error);
  if (connected) return new Trouble(isTimeout(code) ? "timeout" : "tls_error", "tls", error);
  if (TLS.test(code)) return new Trouble("tls_error", "tls", error);
  if (code === "ECONNREFUSED") return new Trouble("connect_refused", "connect", error);
  if (isTimeout(code)) return new Trouble("connect_timeout", "connect", error);
  return new Trouble("connect_error", "connect", error);
}

/** What a failure after connecting was. */
export function answerTrouble(error: unknown): Trouble {
  const code = codeOf(error);
  if (code === "UND_ERR_HEADERS_OVERFLOW")
    return new Trouble("response_too_large", "response", error);
  const isUnparsed = error instanceof Error && error.name === "HTTPParserError";
  if (isUnparsed || /^UND_ERR_(?:RES|RESPONSE|INVALID|NOT_SUPPORTED)/.test(code)) {
    return new Trouble("bad_response", "response", error);
  }
  return new Trouble("connection_lost", "response", error);
}

/**
 * What a failure to get through a proxy was. A proxy that answers, but not with a tunnel, could not
 * or would not reach the receiver; 407 is about the proxy itself.
 */
export function proxyTrouble(error: unknown): Trouble {
  if (TLS.test(codeOf(error))) return new Trouble("tls_error", "tls", error);
  const [, status] =
    /Proxy response \((\d{3})\)/.exec(error instanceof Error ? error.message : "") ?? [];
  if (status !== undefined && status !== "407") {
    return new Trouble("connect_error", "connect", error);
  }
  return new Trouble("proxy_error", "proxy", error);
}

const TLS =
  /^(?:EPROTO|ERR_TLS_\w+|ERR_SSL_\w+|ERR_OSSL_\w+|CERT_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|UNABLE_TO_\w+|HOSTNAME_MISMATCH|INVALID_CA)$/;

const isTimeout = (code: string): boolean =>
  code === "ETIMEDOUT" || code === "UND_ERR_CONNECT_TIMEOUT";

const codeOf = (error: unknown): string => {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "";
};
