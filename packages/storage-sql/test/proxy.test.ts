import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startProxy, type TcpProxy } from "./proxy.ts";

/** A server that answers everything with "ok", and remembers what it got. */
let got = "";
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    got += chunk.toString();
    socket.write("ok");
  });
});
let proxy: TcpProxy;

beforeEach(async () => {
  got = "";
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startProxy((server.address() as AddressInfo).port);
});
afterEach(async () => {
  await proxy.close();
  server.close();
  await once(server, "close");
});

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = await Promise.race([
    once(socket, "data").then(([chunk]) => [String(chunk)]),
    once(socket, "close").then(() => ["closed"]),
  ]);
  return answer as string;
}

describe("a proxy", () => {
  it("passes on what both sides say, and counts what clients send", async () => {
    const socket = await client();
    expect(await ask(socket, "hello")).toBe("ok");
    expect(proxy.sent).toBe(5);
    expect(got).toBe("hello");
  });

  it.each([0, 1, 5])("cuts after %i bytes: they arrive, nothing after them does", async (bytes) => {
    const socket = await client();
    await ask(socket, "first");
    proxy.cutAfter(bytes);
    expect(await ask(socket, "hello")).toBe("closed");
    await expect.poll(() => got).toBe(`first${"hello".slice(0, bytes)}`);
    expect(await ask(await client(), "again")).toBe("ok");
  });

  it("cuts before the server gets a text, once", async () => {
    const socket = await client();
    proxy.cutAt(/\bcommit\b/, "before");
    expect(await ask(socket, "committed")).toBe("ok");
    expect(await ask(socket, "commit")).toBe("closed");
    expect(await ask(await client(), "commit")).toBe("ok");
    expect(got).toBe("committedcommit");
  });

  it("cuts when the server has answered to a text, and keeps the answer", async () => {
    proxy.cutAt(/commit/, "answered");
    expect(await ask(await client(), "commit")).toBe("closed");
    expect(got).toBe("commit");
  });

  it("cuts everything at once", async () => {
    const socket = await client();
    await ask(socket, "hello");
    const closed = once(socket, "close");
    proxy.cut();
    await closed;
  });
});
