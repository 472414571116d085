import ky from "ky";
import { type NoAnswer, parseAnswer, type Reply } from "./reply.ts";

/** One call of a method of Slack's Web API. */
export interface Call {
  /** The Web API's base URL, with a slash at its end. */
  readonly baseUrl: string;
  /** Such as `chat.postMessage`. */
  readonly method: string;
  readonly token: string;
  /** JSON: the method's arguments. */
  readonly body: object;
  readonly signal: AbortSignal;
}

/** Calls once, and tells what came back. Never rejects; never follows a redirect. */
export async function call({ baseUrl, method, token, body, signal }: Call): Promise<Reply> {
  if (signal.aborted) return { status: null, sent: false, code: "aborted" };
  try {
    const response = await ky.post(method, {
      prefix: baseUrl,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json; charset=utf-8",
        "user-agent": "posthorn-handler-slack",
      },
      body: JSON.stringify(body),
      retry: 0,
      timeout: false,
      throwHttpErrors: false,
      redirect: "manual",
      signal,
    });
    const { status, headers } = response;
    return { status, headers, body: parseAnswer(await readCapped(response)) };
  } catch (error) {
    return signal.aborted ? { status: null, sent: true, code: "aborted" } : noAnswer(error);
  }
}

/**
 * Slack echoes the message, and may write each of its 10,000 characters as `\uXXXX`: a capped echo
 * would make a message that was posted look as if it was not.
 */
const LONGEST_BODY = 131_072;

/** The body, or what came of it: the status has its meaning without. */
async function readCapped(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > LONGEST_BODY) break;
    }
  } catch {
    // The connection broke or the deadline passed.
  }
  return text;
}

/** Errors that come before anything is written: of DNS, of connecting, of TLS's handshake. */
const NOT_SENT =
  /^(?:ENOTFOUND|EAI_\w+|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT|EPROTO|ERR_TLS_\w+|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_\w*HANDSHAKE\w*|CERT_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|UNABLE_TO_\w+|HOSTNAME_MISMATCH)$/;

/** Where the first error of the chain of causes that has a code comes from. */
function noAnswer(error: unknown): NoAnswer {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (typeof code !== "string") continue;
    return { status: null, sent: !NOT_SENT.test(code) && syscall !== "connect", code };
  }
  return { status: null, sent: true, code: error instanceof Error ? error.name : "no code" };
}
