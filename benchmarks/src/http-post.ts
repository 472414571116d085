import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { http as httpHandler } from "@posthorn/handler-http";
import { Agent, request } from "undici";

const TIMEOUT_MS = 15_000;

/** Sends one signed POST, and throws unless it was accepted. */
export interface Sender {
  send(payload: string, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The least that a sender does: `undici.request`, connections kept, every wait bounded. */
export function sender(url: string, secret: string, connections: number): Sender {
  const signed = signing(secret);
  const dispatcher = new Agent({
    connections,
    connectTimeout: TIMEOUT_MS,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  return {
    send: async (body, signal = AbortSignal.timeout(TIMEOUT_MS)) => {
      const headers = signed(body);
      const { statusCode, body: answer } = await request(url, {
        method: "POST",
        headers,
        body,
        signal,
        dispatcher,
      });
      await answer.text();
      if (statusCode !== 204) throw new Error(`HTTP ${statusCode}`);
    },
    close: () => dispatcher.close(),
  };
}

/** As a webhook goes out: by the handler itself, with its guard, its envelope and its signature. */
export function webhook(url: string, secret: string, connections: number): Sender {
  const guard = { allow: ["127.0.0.1"], http: true, ports: "any" } as const;
  const handler = httpHandler({ guard, connections, timeoutMs: TIMEOUT_MS });
  const configuration = {
    url,
    secret: `whsec_${secret}`,
    format: "standard",
    headers: {},
    authorization: null,
    secret_headers: {},
  } as const;
  const subscription = { id: "s", organization: "acme", name: "Hooks" };
  const occurredAt = Date.now();
  let sent = 0;
  return {
    send: async (payload, signal = AbortSignal.timeout(TIMEOUT_MS)) => {
      const id = `msg_${sent++}`;
      const type = "project_created";
      const event = { id, type, organization: "acme", occurredAt, actor: null, trace: null };
      const outcome = await handler.deliver({
        event: { ...event, payload, data: null },
        delivery: { id, attempt: 1 },
        configuration,
        subscription,
        state: null,
        signal,
        timeoutMs: TIMEOUT_MS,
        logger: silent,
      });
      if (outcome.type !== "delivered") throw new Error(outcome.reason);
    },
    close: async () => {},
  };
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** As a job usually does it: the `fetch` of Node. */
export function fetcher(url: string, secret: string): Sender {
  const signed = signing(secret);
  return {
    send: async (body) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await fetch(url, { method: "POST", headers: signed(body), body, signal });
      await answer.text();
      if (answer.status !== 204) throw new Error(`HTTP ${answer.status}`);
    },
    close: async () => {},
  };
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme */
function signing(secret: string): (payload: string) => Record<string, string> {
  const key: KeyObject = createSecretKey(Buffer.from(secret, "base64"));
  let sent = 0;
  return (payload) => {
    const id = `msg_${sent++}`;
    const at = String(Math.floor(Date.now() / 1_000));
    const signature = createHmac("sha256", key).update(`${id}.${at}.${payload}`).digest("base64");
    return {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": at,
      "webhook-signature": `v1,${signature}`,
    };
  };
}
