/** A header that a customer may not set, and why. */
export interface HeaderProblem {
  /** Null if it is about all of them. */
  readonly name: string | null;
  readonly message: string;
}

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
    "proxy-.*|forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-rewrite-.*|x-http-method.*|x-method-override",
    "metadata|metadata-.*|x-aws-.*|x-amz-.*|x-google-.*|x-goog-.*|x-ms-.*|x-azure-.*",
    "cookie|set-cookie|origin|referer|sec-.*|__proto__|constructor|prototype",
  ].join("|")})$`,
);

/** What is wrong with the headers that a customer wants sent along; empty if nothing is. */
export function headerProblems(headers: object): readonly HeaderProblem[] {
  const entries = Object.entries(headers);
  const problems: HeaderProblem[] = entries.flatMap(([name, value]) => {
    const message = problemOf(name, value);
    return message === null ? [] : [{ name, message }];
  });
  const seen = new Set<string>();
  for (const [name] of entries) {
    const lower = name.toLowerCase();
    if (seen.has(lower))
      problems.push({ name, message: "is given twice; case makes no difference" });
    seen.add(lower);
  }
  const size = entries.reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
  if (entries.length > MOST_HEADERS) {
    problems.push({ name: null, message: `There are more than ${MOST_HEADERS} headers` });
  } else if (size > MOST_CHARACTERS) {
    problems.push({
      name: "",
      message: `The headers have more than ${MOST_CHARACTERS} characters`,
    });
  }
  return problems;
}

function problemOf(name: string, value: unknown): string | null {
  if (!TOKEN.test(name)) return "is no name of a header";
  const lower = name.toLowerCase();
  if (lower === "authorization") {
    return "is a credential. Give it as `authorization` beside `headers`, where it is stored sealed";
  }
  if (RESERVED.test(lower)) return "is reserved";
  if (typeof value !== "string") return "must be a string";
  if (!/^[\x20-\x7e]+$/.test(value) || value.trim() === "") {
    return "must have a value of visible ASCII characters";
  }
  return value.length > LONGEST_VALUE ? `has more than ${LONGEST_VALUE} characters` : null;
}

/** The headers as they are sent: without blanks around values. */
export const trimmed = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()]));
