import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A request that a receiver got. */
export interface ReceivedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Its body as text (UTF-8), byte for byte what a signature covers. */
  readonly body: string;
  /** Epoch ms by the receiver's clock. */
  readonly receivedAt: number;
}

/** What a receiver answers: an HTTP reply (200 and empty unless it says more), or no reply at all. */
export type ReceiverReply =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string | readonly string[]>>;
      readonly body?: string;
      /** Real milliseconds before it answers. */
      readonly delayMs?: number;
    }
  /** Never answers. */
  | "hang"
  /** Cuts the connection after reading the request. */
  | "reset";

/** A function that decides each reply, or replies to give one after the other. */
export type ReceiverReplies =
  | ((request: ReceivedRequest) => ReceiverReply | Promise<ReceiverReply>)
  | readonly ReceiverReply[];

/** How a receiver is set up. */
export interface ReceiverOptions {
  /** A free one unless given. */
  readonly port?: number;
  /** Epoch ms; `Date.now` unless given. */
  readonly now?: () => number;
}

/** An HTTP server on the loopback interface that takes webhooks and remembers them. */
export interface Receiver {
  /** `http://127.0.0.1:PORT/`. */
  readonly url: string;
  /** Every request so far, in the order their bodies were complete. */
  readonly requests: readonly ReceivedRequest[];
  /** Adds replies to the queue, or replaces the function that answers when the queue is empty. */
  respond(replies: ReceiverReplies): void;
  /** Stops listening and cuts every connection, those that hang too. */
  close(): Promise<void>;
}

/** Starts a receiver that answers 200 until told otherwise. Rejects if the port is taken. */
export async function createReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { now = Date.now, port = 0 } = options;
  const requests: ReceivedRequest[] = [];
  const queue: ReceiverReply[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let decide: Exclude<ReceiverReplies, readonly ReceiverReply[]> = () => ({});

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await received(incoming, now);
    requests.push(request);
    const reply = queue.shift() ?? (await decide(request));
    if (reply === "hang") return;
    if (reply === "reset") return void incoming.socket.resetAndDestroy();

    const { status = 200, headers = {}, body = "", delayMs = 0 } = reply;
    if (delayMs > 0) {
      await new Promise<void>((resolve) => timers.add(setTimeout(resolve, delayMs)));
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.writeHead(status).end(body);
  }

  const server = createServer((incoming, response) => {
    // A reply function that throws is a mistake in the test: the sender sees it as a 500.
    serve(incoming, response).catch((error: unknown) => {
      if (response.headersSent || incoming.socket.destroyed) response.destroy();
      else response.writeHead(500).end(`The receiver failed: ${String(error)}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    respond(replies) {
      if (typeof replies === "function") decide = replies;
      else queue.push(...replies);
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

async function received(incoming: IncomingMessage, now: () => number): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? "GET",
    path: incoming.url ?? "/",
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString("utf8"),
    receivedAt: now(),
  };
}
