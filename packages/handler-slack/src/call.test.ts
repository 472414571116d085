import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createFakeSlack } from "@posthorn/testing/slack";
import { afterEach, describe, expect, it } from "vitest";
import { call } from "./call.ts";
import { outcomeOf } from "./reply.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A server that treats connections as it is told; answers with its base URL. */
async function serving(treat: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    treat(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const to = (baseUrl: string, signal = new AbortController().signal) =>
  call({
    baseUrl,
    method: "chat.postMessage",
    token: "xoxb-secret",
    body: { channel: "#general", text: "Hello" },
    signal,
  });

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("a request that Slack has seen nothing of", () => {
  it("has failed if nobody listens", async () => {
    const reply = await to(`http://127.0.0.1:${await closedPort()}/`);
    expect(reply).toEqual({ status: null, sent: false, code: "ECONNREFUSED" });
    expect(outcomeOf(reply, { attempt: 1 })).toMatchObject({ type: "failed" });
  });

  it("has failed if the name is unknown", async () => {
    expect(await to("http://slack.invalid/")).toMatchObject({
      sent: false,
      code: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/),
    });
  });

  it("has failed if the other side does not speak TLS", async () => {
    const url = await serving((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await to(url.replace("http:", "https:"))).toMatchObject({ sent: false });
  });

  it("has failed if it was called off before it began", async () => {
    expect(await to("http://127.0.0.1:9/", AbortSignal.abort())).toEqual({
      status: null,
      sent: false,
      code: "aborted",
    });
  });
});

describe("a request that Slack may have seen", () => {
  it.each<[string, (socket: Socket) => void]>([
    ["is reset", (socket) => socket.once("data", () => socket.resetAndDestroy())],
    ["is closed", (socket) => socket.once("data", () => socket.end())],
    ["is answered with garbage", (socket) => socket.once("data", () => socket.end("hello\r\n"))],
  ])("is unknown if its connection %s", async (_, treat) => {
    const reply = await to(await serving(treat));
    expect(reply).toMatchObject({ status: null, sent: true });
    expect(outcomeOf(reply, { attempt: 1 })).toMatchObject({ type: "unknown" });
  });

  it("is unknown if it is called off before an answer", async () => {
    const calledOff = new AbortController();
    const url = await serving((socket) => socket.once("data", () => calledOff.abort()));
    expect(await to(url, calledOff.signal)).toEqual({ status: null, sent: true, code: "aborted" });
  });

  it("is unknown if its answer breaks off", async () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    const url = await serving((socket) =>
      socket.once("data", () => socket.end(`${head}{"ok":true`)),
    );
    expect(outcomeOf(await to(url), { attempt: 1 })).toMatchObject({
      type: "unknown",
      details: { status: 200 },
    });
  });

  it("is throttled all the same if only the answer's status arrived", async () => {
    const head = "HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 100\r\n\r\n";
    const url = await serving((socket) => socket.once("data", () => socket.end(head)));
    expect(outcomeOf(await to(url), { attempt: 1 })).toMatchObject({
      type: "throttled",
      retryAfterMs: 3_000,
    });
  });
});

it("sends JSON with its charset, the token in the header alone, and says who it is", async () => {
  const fake = await createFakeSlack();
  cleanups.push(() => fake.close());
  await call({
    baseUrl: fake.url,
    method: "chat.postMessage",
    token: "xoxb-fake",
    body: { channel: "#general", text: "Hello" },
    signal: new AbortController().signal,
  });
  expect(fake.requests).toMatchObject([
    {
      method: "chat.postMessage",
      httpMethod: "POST",
      path: "/api/chat.postMessage",
      tokenIn: ["header"],
      headers: {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "posthorn-handler-slack",
      },
      answer: { status: 200 },
    },
  ]);
});
