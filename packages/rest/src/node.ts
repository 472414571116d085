import type { IncomingMessage, ServerResponse } from "node:http";
import type { RestApi } from "./api.ts";
import { Problem, problemResponse } from "./problems.ts";

/** A request listener of `node:http`, and a middleware of Express and Connect. */
export type NodeHandler = (
  request: NodeRequest,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** What Express adds to a request. */
export type NodeRequest = IncomingMessage & {
  readonly originalUrl?: string;
  readonly body?: unknown;
};

/**
 * Serves an API from `node:http`, Express or Connect. It sees the original URL wherever it is
 * mounted, comes to terms with a body that `express.json()` has read before, and hands paths that
 * are not the API's on to `next`, if there is one.
 */
export function toNodeHandler(api: RestApi): NodeHandler {
  return (request, response, next) => {
    const target = request.originalUrl ?? request.url ?? "/";
    const [path = "/"] = target.split("?", 1);
    if (next !== undefined && !api.handles(path)) return next();
    serve(api, request, response, target).catch((error: unknown) => {
      if (next !== undefined && !response.headersSent) next(error);
      else response.destroy();
    });
  };
}

async function serve(
  api: RestApi,
  incoming: NodeRequest,
  outgoing: ServerResponse,
  target: string,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => outgoing.writableFinished || gone.abort());
  const body = bodyOf(incoming);
  const request = toRequest(incoming, target, body.content, gone.signal);
  if (body.lost) await request?.text();
  const response = request === null ? problemResponse(unreadable) : await api.fetch(request);
  const content = Buffer.from(await response.arrayBuffer());
  body.drain();
  const length = content.length > 0 ? { "content-length": content.length } : {};
  outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), ...length });
  outgoing.end(content);
}

const unreadable: Problem = new Problem("invalid_request", {
  detail: "The method, path or Host header is not valid in HTTP.",
});

/** Null for what cannot be a request: methods, hosts and targets that the fetch standard refuses. */
function toRequest(
  incoming: NodeRequest,
  target: string,
  body: ReadableStream<Uint8Array> | string | Uint8Array<ArrayBuffer> | null,
  signal: AbortSignal,
): Request | null {
  const { method = "GET", socket, headers: named } = incoming;
  const scheme = "encrypted" in socket ? "https" : "http";
  const host = named[":authority"] ?? named.host ?? "localhost";
  try {
    if (!target.startsWith("/")) return null;
    return new Request(`${scheme}://${host}${target}`, {
      method,
      headers: headersOf(incoming),
      body,
      signal,
      duplex: "half",
    });
  } catch {
    return null;
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!name.startsWith(":")) headers.append(name, value);
  }
  return headers;
}

interface IncomingBody {
  readonly content: ReadableStream<Uint8Array> | string | Uint8Array<ArrayBuffer> | null;
  /** Somebody read it and left nothing: the API is to find it read, and to say so. */
  readonly lost: boolean;
  /** Reads to the end what was not read, so that the client gets to read the answer. */
  drain(): void;
}

function bodyOf(incoming: NodeRequest): IncomingBody {
  const { method, body, readableDidRead, readableEnded } = incoming;
  const none = { content: null, lost: false, drain: () => {} };
  if (method === "GET" || method === "HEAD" || (readableEnded && !readableDidRead)) return none;
  if (!readableDidRead) return unread(incoming);
  if (body === undefined) return { ...none, content: "", lost: true };
  const raw = typeof body === "string" || body instanceof Uint8Array;
  return { ...none, content: raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) };
}

function unread(incoming: IncomingMessage): IncomingBody {
  let stop = (): void => {};
  const content = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const push = (chunk: Uint8Array): void => {
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      };
      const end = (): void => controller.close();
      const fail = (error: Error): void => controller.error(error);
      stop = () => incoming.off("data", push).off("end", end).off("error", fail);
      incoming.on("data", push).once("end", end).once("error", fail);
    },
    pull: () => void incoming.resume(),
    cancel: () => stop(),
  });
  const drain = (): void => {
    stop();
    incoming.on("error", () => {}).resume();
  };
  return { content, lost: false, drain };
}
