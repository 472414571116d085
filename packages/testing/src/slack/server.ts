import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { type ApiOptions, type ApiReply, type ApiRequest, createApi, METHODS } from "./api.ts";
import { parseArguments } from "./arguments.ts";
import { createFaults, type Fault, type FaultAction } from "./faults.ts";
import type { JsonObject } from "./json.ts";
import { createMessages, type FakeMessage } from "./messages.ts";
import { type RecordedRequest, redact, redactArguments } from "./record.ts";
import { type Head, type Spoiled, sendSpoiled } from "./spoil.ts";
import { createTokenFaults } from "./token-faults.ts";
import { type Traffic, trafficOf } from "./traffic.ts";
import {
  type ChannelOptions,
  createWorld,
  type FakeChannel,
  type FakeToken,
  type TokenOptions,
  type WorkspaceOptions,
  type World,
} from "./workspace.ts";

/** How a fake Slack is set up. Everything has a default that behaves like Slack. */
export interface FakeSlackOptions extends ApiOptions {
  /** The first workspace. */
  readonly workspace?: WorkspaceOptions;
  /** Channels of the first workspace: `general` and `random` unless given. */
  readonly channels?: readonly (ChannelOptions | string)[];
  /** Tokens: `xoxb-fake`, with the scopes to post anywhere under any name, unless given. */
  readonly tokens?: readonly (TokenOptions | string)[];
  /** A free one unless given. */
  readonly port?: number;
  /**
   * Do tokens that nobody added, such as `xoxb-fatal_error`, say what goes wrong? Then they may do
   * everything else. They are refused with `invalid_auth` unless this is set.
   */
  readonly tokenFaults?: boolean;
  /** What is shown to people who open the fake's address in a browser. Default: nothing, 404. */
  readonly page?: (slack: FakeSlack) => (request: Request) => Promise<Response>;
}

/** A Slack of one's own. The mutators take a channel's id or name. */
export interface FakeSlack
  extends Pick<
    World,
    | "addWorkspace"
    | "addChannel"
    | "updateChannel"
    | "deleteChannel"
    | "invite"
    | "kick"
    | "addToken"
    | "updateToken"
    | "rotateToken"
    | "uninstall"
    | "updateWorkspace"
    | "channel"
    | "channelsOf"
    | "workspaces"
  > {
  /** `http://127.0.0.1:PORT/api/`: takes the place of `https://slack.com/api/`. */
  readonly url: string;
  /** Every request so far, in the order they came. */
  readonly requests: readonly RecordedRequest[];
  /** The messages of a channel, in the order of their `ts`. */
  messages(channel: string): readonly FakeMessage[];
  /** What a test can claim about all that was sent so far. */
  readonly traffic: Traffic;
  /** Lets something go wrong; returns the function that takes it back. */
  fault(fault: Fault): () => void;
  /** Calls `listener` after each message; returns the function that ends it. */
  onMessage(listener: (message: FakeMessage) => void): () => void;
  /** Stops listening and cuts every connection, those that hang too. */
  close(): Promise<void>;
}

/**
 * Starts a fake of Slack's Web API on the loopback interface: `auth.test`, `chat.postMessage`,
 * `chat.update`, `chat.delete`, `conversations.info`, `.list`, `.join` and `.history`,
 * `apps.manifest.validate` and `api.test`. It is as strict as Slack about tokens, scopes, channels,
 * text, blocks, media types and rates, and it never dedupes. What is disputed is an option, whose
 * default is the stricter reading. Rejects if the port is taken.
 */
export async function createFakeSlack(options: FakeSlackOptions = {}): Promise<FakeSlack> {
  const { now = Date.now } = options;
  const world = createWorld();
  world.addWorkspace(options.workspace);
  for (const channel of options.channels ?? ["general", "random"]) world.addChannel(channel);
  for (const token of options.tokens ?? ["xoxb-fake"]) world.addToken(token);
  const messages = createMessages();
  const faults = createFaults();
  const api = createApi(world, messages, options);
  const requests: RecordedRequest[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const tokenFaults = createTokenFaults();
  let page: ((request: Request) => Promise<Response>) | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (page !== undefined && !url.pathname.startsWith("/api/")) {
      return sendResponse(response, await page(new Request(url, { headers: plain(request) })));
    }
    if (!url.pathname.startsWith("/api/")) {
      return sendRaw(response, { status: 404, body: "<!DOCTYPE html><title>Slack</title>" });
    }
    const method = url.pathname.slice("/api/".length);
    const record = newRecord(request, url, method);
    const header = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? "")?.[1];
    requests.push(record);

    if (faults.next("before_read", { method, isChannel: () => false })) {
      return void request.socket.resetAndDestroy();
    }
    const body = await readAll(request);
    const contentType = request.headers["content-type"];
    const parsed = await parseArguments({ contentType, query: url.searchParams, body });
    const presented = header ?? parsed.formToken;
    const byToken = options.tokenFaults === true ? tokenFaults(presented, world) : undefined;
    const token = presented === undefined ? undefined : world.token(presented);
    const raw = body.toString("utf8");
    record.body = redact(raw, world);
    record.arguments = redactArguments(parsed.values, world);
    record.token = token?.label ?? (presented === undefined ? undefined : "unknown");
    record.tokenIn = placesOfTokens(header, url.search, raw);

    const channel = target(parsed.values, token);
    const isChannel = (wanted: string): boolean =>
      [parsed.values["channel"], channel?.id, channel?.name, `#${channel?.name}`].includes(wanted);
    const fault = faults.next("after_read", { method, isChannel }) ?? byToken;
    record.channel = channel?.id;
    const over = (): void => {
      record.answeredAt ??= now();
    };
    response.once("close", over);
    record.inFlight = requests.filter(
      (other) => other.channel !== undefined && other.channel === channel?.id && isOpen(other),
    ).length;
    await answer({ method, record, parsed, presented, token, channel, response }, fault);
  }

  async function answer(exchange: Exchange, fault: FaultAction | undefined): Promise<void> {
    const { response, record } = exchange;
    switch (fault?.type) {
      case "hang":
        return;
      case "error":
        return send(exchange, { body: { ok: false, error: fault.error, ...fault.extra } });
      case "status":
        record.answer = { status: fault.status };
        return sendRaw(response, fault);
      case "html": {
        const status = fault.status ?? 503;
        record.answer = { status };
        return sendRaw(response, { status, body: SERVER_ERROR_PAGE });
      }
      case "redirect": {
        const status = fault.status ?? 302;
        record.answer = { status };
        return sendRaw(response, { status, headers: { location: fault.location } });
      }
      case "delay":
        await pause(fault.delayMs);
    }

    const reply = api(exchange);
    switch (fault?.type) {
      case "post_then_hang":
        return;
      case "post_then_reset":
        return void response.socket?.resetAndDestroy();
      case "post_then_status":
        record.answer = { status: fault.status };
        return sendRaw(response, fault);
      case "post_then_error":
        return send(exchange, { body: { ok: false, error: fault.error, ...fault.extra } });
      case "slow_headers":
        await pause(fault.delayMs);
        return send(exchange, reply);
      case "slow_body":
        return drip(head(exchange, reply), response, fault.byteMs);
      case undefined:
      case "delay":
        return send(exchange, reply);
      default:
        return sendSpoiled(head(exchange, reply), response, (fault as { type: Spoiled }).type);
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      timers.add(setTimeout(resolve, ms));
    });
  }

  async function drip(answer: Head, response: ServerResponse, byteMs: number): Promise<void> {
    response.writeHead(answer.status, answer.headers);
    for (const character of answer.text) {
      response.write(character);
      await pause(byteMs);
      if (response.destroyed) return;
    }
    response.end();
  }

  function target(values: JsonObject, token: FakeToken | undefined): FakeChannel | undefined {
    const channel = values["channel"];
    if (token === undefined || typeof channel !== "string") return undefined;
    return world.resolveChannel(token.workspace, channel);
  }

  function placesOfTokens(
    header: string | undefined,
    query: string,
    body: string,
  ): RecordedRequest["tokenIn"] {
    const isLeaky = (text: string): boolean =>
      redact(text, world) !== text || (header !== undefined && text.includes(header));
    const places: RecordedRequest["tokenIn"][number][] = [];
    if (header !== undefined) places.push("header");
    if (isLeaky(query)) places.push("query");
    if (isLeaky(body)) places.push("body");
    return places;
  }

  function newRecord(request: IncomingMessage, url: URL, method: string): Recording {
    const { authorization, ...headers } = request.headers;
    return {
      id: randomUUID().replaceAll("-", ""),
      method,
      httpMethod: request.method ?? "GET",
      path: redact(url.pathname + url.search, world),
      headers:
        authorization === undefined
          ? headers
          : { ...headers, authorization: authorization.replace(/\S+\s*$/, "[redacted]") },
      token: undefined,
      tokenIn: [],
      body: "",
      arguments: {},
      channel: undefined,
      inFlight: 0,
      receivedAt: now(),
    };
  }

  function send(exchange: Exchange, reply: ApiReply): void {
    const { status, headers, text } = head(exchange, reply);
    exchange.response.writeHead(status, headers);
    exchange.response.end(text);
  }

  function head({ record, token, method }: Exchange, reply: ApiReply): Head {
    const { status = 200, headers = {}, body } = reply;
    const text = JSON.stringify(body);
    const error = body["error"];
    record.answer = { status, ...(typeof error === "string" && { error }) };
    return {
      status,
      text,
      headers: {
        ...COMMON_HEADERS,
        "content-type": "application/json; charset=utf-8",
        "content-length": Buffer.byteLength(text),
        "x-slack-req-id": record.id,
        ...(token !== undefined && {
          "x-oauth-scopes": token.scopes.join(","),
          "x-accepted-oauth-scopes": METHODS.get(method)?.acceptedScopes.join(",") ?? "",
        }),
        ...headers,
      },
    };
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.headersSent || request.socket.destroyed) return void response.destroy();
      const body = `The fake Slack failed: ${error instanceof Error ? error.stack : String(error)}`;
      sendRaw(response, { status: 500, body, headers: { "content-type": "text/plain" } });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });

  const fake: FakeSlack = {
    ...world,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`,
    requests,
    messages: (channel) => messages.of(world.channel(channel).id),
    traffic: trafficOf(requests, (channel) => messages.of(world.channel(channel).id)),
    fault: (fault) => faults.add(fault),
    onMessage: (listener) => messages.onMessage(listener),
    close() {
      for (const timer of timers) clearTimeout(timer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
  page = options.page?.(fake);
  return fake;
}

const isOpen = ({ answeredAt }: RecordedRequest): boolean => answeredAt === undefined;

const plain = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

/** Ends early if the reader leaves: a page's stream of messages has no end of its own. */
async function sendResponse(response: ServerResponse, from: Response): Promise<void> {
  response.writeHead(from.status, Object.fromEntries(from.headers));
  const reader = from.body?.getReader();
  response.once("close", () => void reader?.cancel());
  for (;;) {
    const { done = true, value } = (await reader?.read()) ?? {};
    if (done || response.destroyed) break;
    response.write(value);
  }
  response.end();
}

type Recording = { -readonly [Name in keyof RecordedRequest]: RecordedRequest[Name] };

/** A request, what is recorded of it, and the way back. */
interface Exchange extends ApiRequest {
  readonly record: Recording;
  readonly response: ServerResponse;
}

const COMMON_HEADERS: OutgoingHttpHeaders = {
  "access-control-allow-origin": "*",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
  vary: "Accept-Encoding",
  "x-content-type-options": "nosniff",
  "x-slack-backend": "r",
  "x-xss-protection": "0",
};

const SERVER_ERROR_PAGE =
  "<!DOCTYPE html><html><head><title>Server Error | Slack</title></head><body></body></html>";

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sendRaw(
  response: ServerResponse,
  reply: {
    readonly status: number;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
): void {
  response.writeHead(reply.status, {
    "content-type": "text/html; charset=utf-8",
    ...reply.headers,
  });
  response.end(reply.body);
}
