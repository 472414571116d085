/** A header that a customer may not set, and why. */
export interface HeaderProblem {
  /** Null if it is about all of them. */
  readonly name: string | null;
  readonly message: string;
}

/** A name and what was given as its value. */
export type GivenHeader = readonly [name: string, value: unknown];

const MOST_HEADERS = 20;
const LONGEST_VALUE = 4_096;
const MOST_CHARACTERS = 8_192;

/** RFC 9110 §5.1: a name is a token. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Names that are ours, the connection's, or that another server on the way would act upon: with them
 * a request could be smuggled, routed elsewhere, or be taken for one from inside a cloud.
 */
const RESERVED = new RegExp(
  `^(?:${[
    "webhook-.*|svix-.*|ce-.*|content-.*|user-agent|accept|accept-encoding",
    "traceparent|tracestate|baggage",
    "host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|date|via|http2-settings",
    "proxy|proxy-.*|forwarded|x-forwarded|x-forwarded-.*|(?:.*-)?(?:real|client|connecting|remote|originating)-ip",
    "x-remote-.*|remote-.*|impersonate-.*|max-forwards|early-data|alt-used|x-envoy-.*|x-original-.*|x-rewrite-.*|x-http-method.*|x-method-override",
    "metadata|metadata-.*|x-aws-.*|x-amzn?-.*|x-google-.*|x-goog-.*|x-ms-.*|x-azure-.*",
    "cookie|set-cookie|origin|referer|sec-.*|__proto__|constructor|prototype",
  ].join("|")})$`,
);

/** Names and values under which people keep what nobody else may see. */
const CREDENTIAL_NAME =
  /auth(?!or)|token|secret|passw|passphrase|credential|session|jwt|signature|api-?key|(?:^|[-_.])key$/;
const CREDENTIAL_VALUE = /^(?:bearer|basic|digest|token|api-?key) /i;

/** What is wrong with headers that are shown, and with those that are not; empty if nothing is. */
export function headerProblems(
  shown: readonly GivenHeader[],
  secret: readonly GivenHeader[],
): { readonly shown: readonly HeaderProblem[]; readonly secret: readonly HeaderProblem[] } {
  const all = [...shown, ...secret];
  const size = all.reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
  const tooMany =
    all.length > MOST_HEADERS
      ? `There are more than ${MOST_HEADERS} headers`
      : size > MOST_CHARACTERS
        ? `The headers have more than ${MOST_CHARACTERS} characters`
        : null;
  const seen = new Set<string>();
  const problems = (headers: readonly GivenHeader[], isShown: boolean): HeaderProblem[] =>
    headers.flatMap(([name, value]) => {
      const lower = name.toLowerCase();
      const message = seen.has(lower)
        ? "is given twice; case makes no difference"
        : problemOf(name, value, isShown);
      seen.add(lower);
      return message === null ? [] : [{ name, message }];
    });
  const about = (headers: readonly GivenHeader[]): readonly HeaderProblem[] =>
    tooMany === null || headers.length === 0 ? [] : [{ name: null, message: tooMany }];
  return {
    shown: [...problems(shown, true), ...about(shown)],
    secret: [...problems(secret, false), ...about(shown.length === 0 ? secret : [])],
  };
}

function problemOf(name: string, value: unknown, isShown: boolean): string | null {
  if (!TOKEN.test(name)) return "is no name of a header";
  const lower = name.toLowerCase();
  if (lower === "authorization") {
    return "is a credential. Give it as `authorization` beside `headers`, where it is stored sealed";
  }
  // CGI, and what came after it, takes `_` for `-`.
  if (RESERVED.test(lower.replaceAll("_", "-")) || RESERVED.test(lower)) return "is reserved";
  if (typeof value !== "string") return "must be a string";
  if (!/^[\x20-\x7e]+$/.test(value) || value.trim() === "") {
    return "must have a value of visible ASCII characters";
  }
  if (value.length > LONGEST_VALUE) return `has more than ${LONGEST_VALUE} characters`;
  if (isShown && (CREDENTIAL_NAME.test(lower) || CREDENTIAL_VALUE.test(value.trim()))) {
    return "looks like a credential, and `headers` are shown. Give it in `secret_headers`, which are stored sealed";
  }
  return null;
}

/** Headers as text, one `Name: value` in a line; null if there is a line that is none. */
export function parseHeaderLines(text: string): readonly (readonly [string, string])[] | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const headers = lines.map((line) => /^([^:\s]+):(.*)$/.exec(line));
  return headers.some((header) => header === null)
    ? null
    : headers.map((header) => [header?.[1] ?? "", header?.[2] ?? ""]);
}

/** The headers as they are sent: without blanks around values. */
export const trimmed = (headers: readonly (readonly [string, string])[]): Record<string, string> =>
  Object.fromEntries(headers.map(([name, value]) => [name, value.trim()]));
