import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { rootCertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { call, loopback } from "../test/call.ts";
import { authority, expired, ofAnother, selfSigned, valid } from "../test/certificates.ts";
import { answering, type RawServer, rawServer } from "../test/servers.ts";
import { guardedConnector } from "./connect.ts";
import type { Guard, GuardOptions } from "./guard.ts";
import { type HttpOptions, http } from "./http.ts";
import { cachedResolver, type ResolvedAddress } from "./resolver.ts";
import { Trouble } from "./trouble.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

const servers: RawServer[] = [];
async function serving(...given: Parameters<typeof rawServer>): Promise<RawServer> {
  const server = await rawServer(...given);
  servers.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const ports = "any";
const resolving = (...addresses: string[]): HttpOptions["resolve"] => {
  return async () => addresses.map((address) => ({ address, ttl: 60 }));
};

describe("a name that leads to an address of the machine's own network", () => {
  it.each<[string, string[]]>([
    ["N01 directly", ["127.0.0.1"]],
    ["N03 among good ones", ["8.8.8.8", "10.0.0.1"]],
    ["N04 mapped into IPv6", ["::ffff:169.254.169.254"]],
    ["N05 through NAT64", ["64:ff9b::7f00:1"]],
    ["N05 through 6to4", ["2002:7f00:1::"]],
    ["N05 through Teredo", ["2001:0:808:808:0:0:80ff:fffe"]],
    ["N06 behind an alias", ["169.254.169.254"]],
    ["N07 in one family only", ["2606:4700::1", "127.0.0.1"]],
    ["with a zone", ["fe80::1%lo"]],
    ["written as no address", ["localhost"]],
  ])("%s is never dialled", async (_, addresses) => {
    const server = await serving(answering(OK));
    const handler = http({ guard: { ports }, resolve: resolving(...addresses) });
    const called = await call(handler, `https://hooks.acme.dev:${server.port}/`);
    expect(called).toMatchObject({ type: "failed", error: "blocked_address" });
    expect(server.connections()).toBe(0);
    for (const address of addresses) expect(JSON.stringify(called.outcome)).not.toContain(address);
    expect(called.log.join()).toContain(addresses[0]);
  });

  it("N02 is not dialled if it led elsewhere when it was checked", async () => {
    const server = await serving(answering(OK));
    const answers = ["127.0.0.1", "10.0.0.1"];
    const resolve = vi.fn(async () => [{ address: answers.shift() ?? "10.0.0.1", ttl: 0 }]);
    const handler = http({ ...loopback, resolve });
    expect(await call(handler, `http://hooks.acme.dev:${server.port}/`)).toMatchObject({
      type: "delivered",
    });
    expect(resolve).toHaveBeenCalledTimes(1);
  });

  it("is sent nothing by an attempt that ended while it was looked up", async () => {
    let received = "";
    const server = await serving((socket) => {
      socket.on("data", (data) => {
        received += data;
        socket.write(OK);
      });
    });
    const found = Promise.withResolvers<readonly ResolvedAddress[]>();
    const resolve = vi.fn<NonNullable<HttpOptions["resolve"]>>().mockReturnValue(found.promise);
    const handler = http({ ...loopback, resolve });
    const abort = new AbortController();
    const calling = call(handler, `http://hooks.acme.dev:${server.port}/`, {
      signal: abort.signal,
    });
    await vi.waitFor(() => expect(resolve).toHaveBeenCalled());
    abort.abort();
    expect(await calling).toMatchObject({ type: "failed", error: "timeout" });
    found.resolve([{ address: "127.0.0.1", ttl: 60 }]);
    await vi.waitFor(() => expect(server.connections()).toBe(1));
    expect(await call(handler, `http://hooks.acme.dev:${server.port}/`)).toMatchObject({
      type: "delivered",
    });
    expect(received.match(/POST/g)).toHaveLength(1);
  });

  it("N09 is refused also where no name is looked up", async () => {
    const server = await serving(answering(OK));
    const url = `http://127.0.0.1:${server.port}/`;
    const saved = http(loopback).configuration["~standard"].validate({ url });
    expect(await saved).not.toHaveProperty("issues");
    const guard: GuardOptions = { ports, http: true, literalAddresses: true };
    const strict = http({ ...loopback, guard });
    const configuration = {
      url,
      secret: null,
      format: "standard",
      headers: {},
      authorization: null,
      secret_headers: {},
    } as const;
    const context = {
      configuration: { ...configuration, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    };
    const called = await call(strict, "https://8.8.8.8/", context);
    expect(called).toMatchObject({
      type: "failed",
      error: "blocked_address",
      details: { phase: "url" },
    });
    expect(server.connections()).toBe(0);
  });

  it("N16 is refused at the host's own public address or name, if the host says which that is", async () => {
    const guard = { ports, deny: ["203.0.114.9", "app.acme.dev"] } as const;
    const handler = http({ guard, resolve: resolving("203.0.114.9") });
    const url = "https://hooks.acme.dev/";
    expect(await call(handler, url)).toMatchObject({ error: "blocked_address" });
    const own = await handler.configuration["~standard"].validate({ url: "https://app.acme.dev/" });
    expect(own.issues?.[0]?.message).toContain("not allowed");
  });

  it("N17 says the same whether somebody listens there or not", async () => {
    const server = await serving(answering(OK));
    const closed = await rawServer(() => {});
    await closed.close();
    const handler = http({ guard: { ports }, resolve: resolving("127.0.0.1") });
    const told = async (port: number): Promise<unknown> => {
      const { outcome, details } = await call(handler, `https://hooks.acme.dev:${port}/`);
      expect(Number(details["duration_ms"]) % 10).toBe(0);
      return { ...outcome, details: { ...details, duration_ms: 0 } };
    };
    expect(await told(server.port)).toEqual(await told(closed.port));
    expect(server.connections()).toBe(0);
  });

  it("N20 is not asked whether it wants webhooks, when it is saved or later", async () => {
    const server = await serving(answering(OK));
    const handler = http({
      guard: { ports },
      handshake: true,
      resolve: resolving("127.0.0.1"),
    });
    const url = `https://hooks.acme.dev:${server.port}/`;
    const saved = await handler.configuration["~standard"].validate({ url });
    if (saved.issues !== undefined) throw new Error("The URL is refused, and nothing is tested.");
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const signal = AbortSignal.timeout(5_000);
    expect(await handler.verify?.(saved.value, { organization: "acme", signal, logger })).toEqual({
      status: "unverified",
      detail: "The receiver could not be asked yet.",
    });
    expect(await call(handler, url)).toMatchObject({ type: "failed", error: "blocked_address" });
    expect(server.connections()).toBe(0);
  });
});

describe("the way out", () => {
  it("N20 is one: a single file asks for requests, and a single one dials", async () => {
    const folder = new URL("./", import.meta.url);
    const names = (await readdir(folder)).filter((name) => /(?<!\.test|\.test-d)\.ts$/.test(name));
    const using = async (pattern: RegExp): Promise<readonly string[]> => {
      const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), "utf8")));
      return names.filter((_, index) => pattern.test(texts[index] as string));
    };
    expect(await using(/\b(request|dispatch|fetch)\(/)).toEqual(["send.ts"]);
    expect(await using(/\bsend\(/)).toEqual(["http.ts", "send.ts"]);
    expect(await using(/\bbuildConnector\(/)).toEqual(["connect.ts"]);
    expect(await using(/\bfetch\(|from "node:(?:http|https|http2|tls|dgram)"/)).toEqual([]);
    expect(await using(/\b(?:net|tls)\.connect\(|\bcreateConnection\(/)).toEqual([]);
  });
});

describe("a connector", () => {
  const open = (guard: Partial<Guard>, hostname: string, port: number | ""): Promise<string> =>
    new Promise((resolve) => {
      const all: Guard = {
        checkUrl: () => ({ problem: "denied" }),
        checkTarget: () => null,
        checkAddress: () => true,
        ...guard,
      };
      const connect = guardedConnector(all, async () => ["127.0.0.1"]);
      connect({ protocol: "http:", hostname, port: String(port) }, (error, socket) => {
        socket?.destroy();
        resolve(
          error instanceof Trouble ? `${error.code} at ${error.phase}` : String(error ?? "open"),
        );
      });
    });

  it("asks about the target before anything is dialled, for addresses are never looked up", async () => {
    const server = await serving(answering(OK));
    const checkTarget = vi.fn(() => "address" as const);
    expect(await open({ checkTarget }, "127.0.0.1", server.port)).toBe("blocked_address at url");
    expect(checkTarget).toHaveBeenCalledWith({
      protocol: "http:",
      hostname: "127.0.0.1",
      port: server.port,
    });
    expect(server.connections()).toBe(0);
    expect(await open({}, "127.0.0.1", server.port)).toBe("open");
  });

  it("knows the port of a URL that leaves it out, also beside an IPv6 address", async () => {
    const checkTarget = vi.fn(() => "address" as const);
    expect(await open({ checkTarget }, "::1", "")).toBe("blocked_address at url");
    expect(checkTarget).toHaveBeenCalledWith({ protocol: "http:", hostname: "::1", port: 80 });
  });

  it("looks at the far end once more, and hangs up", async () => {
    const server = await serving(answering(OK));
    const answers = [true, false];
    const checkAddress = vi.fn(() => answers.shift() ?? false);
    expect(await open({ checkAddress }, "hooks.acme.dev", server.port)).toBe(
      "blocked_address at connect",
    );
    expect(checkAddress.mock.calls).toEqual([["127.0.0.1"], ["127.0.0.1"]]);
    await vi.waitFor(() => expect(server.open()).toBe(0));
  });
});

describe("connections", () => {
  it("N08 are kept for the next event, to the address that was checked", async () => {
    const server = await serving(answering(OK));
    const handler = http(loopback);
    for (let times = 0; times < 8; times += 1) {
      expect((await call(handler, `http://hooks.acme.dev:${server.port}/`)).type).toBe("delivered");
    }
    // A second one, if the next event comes while the first answer is still being read.
    expect(server.connections()).toBeLessThanOrEqual(2);
  });

  it("N08 are a minute old at the most, and what is in flight then is not cut off", async () => {
    const requests: Socket[] = [];
    const server = await serving((socket) => {
      socket.on("data", () => void requests.push(socket));
    });
    vi.useFakeTimers({ toFake: ["performance"] });
    const handler = http({ ...loopback, connections: 1 });
    const url = `http://hooks.acme.dev:${server.port}/`;
    const signal = new AbortController().signal;
    const answered = async (nr: number): Promise<void> => {
      const called = call(handler, url, { signal });
      await vi.waitFor(() => expect(requests).toHaveLength(nr));
      requests[nr - 1]?.write(OK);
      expect((await called).type).toBe("delivered");
    };
    await answered(1);
    vi.advanceTimersByTime(59_000);
    await answered(2);
    expect(server.connections()).toBe(1);
    const slow = call(handler, url, { signal });
    await vi.waitFor(() => expect(requests).toHaveLength(3));
    vi.advanceTimersByTime(2_000);
    await answered(4);
    expect(server.connections()).toBe(2);
    requests[2]?.write(OK);
    expect((await slow).type).toBe("delivered");
    vi.useRealTimers();
  });

  it("N08 are an organization's own: none carries what another sends", async () => {
    const senders: (readonly string[])[] = [];
    const server = await serving((socket) => {
      const seen: string[] = [];
      senders.push(seen);
      socket.on("data", (data) => {
        seen.push(/\r\nx-from: (\w+)/.exec(data.toString())?.[1] ?? "nobody");
        socket.write(OK);
      });
    });
    const handler = http({ ...loopback, connections: 1 });
    const url = `http://hooks.acme.dev:${server.port}/`;
    for (const organization of ["acme", "globex", "acme", "globex"]) {
      const subscription = { id: randomUUID(), organization, name: "Hooks" };
      const headers = { "x-from": organization };
      expect((await call(handler, { url, headers }, { subscription })).type).toBe("delivered");
    }
    expect(senders.flat().toSorted()).toEqual(["acme", "acme", "globex", "globex"]);
    for (const seen of senders) expect(new Set(seen).size).toBe(1);
  });

  it("N08 that one organization keeps busy are no reason for another to wait", async () => {
    const server = await serving((socket) => {
      socket.on("data", (data) => {
        if (!data.toString().startsWith("POST /slow")) socket.write(OK);
      });
    });
    const handler = http({ ...loopback, connections: 2 });
    const url = `http://hooks.acme.dev:${server.port}/`;
    const deadline = new AbortController();
    const slow = Array.from({ length: 4 }, () =>
      call(handler, `${url}slow`, { signal: deadline.signal }),
    );
    await vi.waitFor(() => expect(server.open()).toBe(2));
    const subscription = { id: randomUUID(), organization: "globex", name: "Hooks" };
    expect((await call(handler, url, { subscription })).type).toBe("delivered");
    deadline.abort();
    await Promise.all(slow);
  });

  it("are no more to one host than the host of the bus allows", async () => {
    const server = await serving((socket) => {
      socket.on("data", () => setTimeout(() => socket.write(OK), 20));
    });
    const handler = http({ ...loopback, connections: 3 });
    const url = `http://hooks.acme.dev:${server.port}/`;
    const all = await Promise.all(Array.from({ length: 12 }, () => call(handler, url)));
    expect(all.map(({ type }) => type)).toEqual(Array(12).fill("delivered"));
    expect(server.connections()).toBe(3);
  });

  it("N15 ignore the proxy of the environment", async () => {
    const server = await serving(answering(OK));
    const proxy = await serving(answering(OK));
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"]) {
      vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
    }
    expect((await call(http(loopback), `http://hooks.acme.dev:${server.port}/`)).type).toBe(
      "delivered",
    );
    vi.unstubAllEnvs();
    expect([server.connections(), proxy.connections()]).toEqual([1, 0]);
  });

  it("go through the proxy that the host names, with names unresolved", async () => {
    const asked: string[] = [];
    const proxy = await serving((socket) => {
      socket.on("data", (data) => {
        const [line = ""] = data.toString().split("\r\n");
        asked.push(line);
        socket.write(line.startsWith("CONNECT") ? "HTTP/1.1 200 OK\r\n\r\n" : OK);
      });
    });
    const proxyUrl = `http://127.0.0.1:${proxy.port}`;
    const resolve = vi.fn();
    const guard = { http: true, ports } as const;
    const handler = http({ guard, proxyUrl, resolve });
    expect((await call(handler, "http://hooks.acme.dev/a")).type).toBe("delivered");
    expect(asked).toEqual(["CONNECT hooks.acme.dev:80 HTTP/1.1", "POST /a HTTP/1.1"]);
    expect(resolve).not.toHaveBeenCalled();
    const gates = handler.gates?.({
      url: "https://hooks.acme.dev/",
      secret: null,
      format: "standard",
      headers: {},
      authorization: null,
      secret_headers: {},
    });
    expect(gates?.map(({ name }) => name)).toEqual(["webhook", "host", "proxy"]);
  });

  it("that a proxy fails to make are the proxy's fault, or the receiver's", async () => {
    const answer = async (text: string): Promise<unknown> => {
      const proxy = await serving(answering(text));
      const handler = http({ guard: { http: true }, proxyUrl: `http://127.0.0.1:${proxy.port}` });
      const { outcome, error } = await call(handler, "http://hooks.acme.dev/");
      return [outcome.type, error, "gate" in outcome ? outcome.gate : null];
    };
    expect(await answer("HTTP/1.1 407 Authenticate\r\ncontent-length: 0\r\n\r\n")).toEqual([
      "failed",
      "proxy_error",
      "proxy",
    ]);
    expect(await answer("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")).toEqual([
      "failed",
      "connect_error",
      "host",
    ]);
    const closed = await rawServer(() => {});
    await closed.close();
    const gone = http({ guard: { http: true }, proxyUrl: `http://127.0.0.1:${closed.port}` });
    expect(await call(gone, "http://hooks.acme.dev/")).toMatchObject({ error: "proxy_error" });
  });

  it("that are refused are a failure of the host's, and nothing has arrived", async () => {
    const closed = await rawServer(() => {});
    await closed.close();
    const called = await call(http(loopback), `http://hooks.acme.dev:${closed.port}/`);
    expect(called).toMatchObject({
      type: "failed",
      error: "connect_refused",
      details: { phase: "connect" },
    });
    expect("gate" in called.outcome && called.outcome.gate).toBe("host");
  });
});

describe("TLS", () => {
  beforeAll(() => setDefaultCACertificates([...rootCertificates, authority]));
  const ask = async (certificate: object): Promise<unknown> => {
    const server = await serving(answering(OK), certificate);
    const { type, error, details } = await call(
      http(loopback),
      `https://hooks.acme.dev:${server.port}/`,
    );
    return [type, error, details["phase"]];
  };

  it("delivers to a host that has a certificate for its name", async () => {
    expect(await ask(valid)).toEqual(["delivered", null, "response"]);
  });

  it.each([
    ["signed by itself", selfSigned],
    ["that has expired", expired],
    ["for another host", ofAnother],
  ])("N14 fails with a certificate %s", async (_, certificate) => {
    expect(await ask(certificate)).toEqual(["failed", "tls_error", "tls"]);
  });

  it("N14 fails with a version that is not secure, and with what is no TLS", async () => {
    const old = { ...valid, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" };
    expect(await ask(old)).toEqual(["failed", "tls_error", "tls"]);
    const server = await serving(answering(OK));
    expect(await call(http(loopback), `https://hooks.acme.dev:${server.port}/`)).toMatchObject({
      error: "tls_error",
    });
  });
});

describe("a resolver", () => {
  const answer = (address: string, ttl: number): readonly ResolvedAddress[] => [{ address, ttl }];

  it("N13 fails an attempt that cannot be resolved, as nothing has arrived", async () => {
    const failures = [
      async () => {
        throw Object.assign(new Error("queryA ENOTFOUND"), { code: "ENOTFOUND" });
      },
      async () => {
        throw Object.assign(new Error("queryA ESERVFAIL"), { code: "ESERVFAIL" });
      },
      async () => [],
      async () => Array.from({ length: 512 }, () => ({ address: "8.8.8.8", ttl: 1 })),
    ];
    for (const resolve of failures) {
      expect(await call(http({ resolve }), "https://hooks.acme.dev/")).toMatchObject({
        type: "failed",
        error: "dns_error",
        details: { phase: "dns" },
      });
    }
  });

  it("N13 is waited for five seconds at the most", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const asked = cachedResolver(() => new Promise(() => {}))("hooks.acme.dev", "acme");
    const ended = expect(asked).rejects.toThrow("did not answer");
    await vi.advanceTimersByTimeAsync(5_000);
    await ended;
    vi.useRealTimers();
  });

  it("is asked once by many, and again when what it said is too old", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const resolve = vi.fn(async () => answer("8.8.8.8", 30));
    const ask = cachedResolver(resolve);
    await Promise.all(Array.from({ length: 100 }, () => ask("hooks.acme.dev", "acme")));
    expect(resolve).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(29_000);
    await ask("hooks.acme.dev", "acme");
    expect(resolve).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2_000);
    await ask("hooks.acme.dev", "acme");
    expect(resolve).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });

  it("is believed for a second at the least, and a minute at the most", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    for (const [ttl, known, forgotten] of [
      [0, 900, 200],
      [86_400, 59_000, 2_000],
    ] as const) {
      const resolve = vi.fn(async () => answer("8.8.8.8", ttl));
      const ask = cachedResolver(resolve);
      await ask("a.dev", "acme");
      await vi.advanceTimersByTimeAsync(known);
      await ask("a.dev", "acme");
      expect(resolve).toHaveBeenCalledTimes(1);
      await vi.advanceTimersByTimeAsync(forgotten);
      await ask("a.dev", "acme");
      expect(resolve).toHaveBeenCalledTimes(2);
    }
    vi.useRealTimers();
  });

  it("is asked 32 names of one organization at once, 256 in all, and remembers a thousand", async () => {
    let asking = 0;
    let most = 0;
    const resolve = vi.fn(async () => {
      asking += 1;
      most = Math.max(most, asking);
      await wait(1);
      asking -= 1;
      return answer("8.8.8.8", 60);
    });
    const ask = cachedResolver(resolve);
    await Promise.all(Array.from({ length: 200 }, (_, nr) => ask(`own${nr}.dev`, "acme")));
    expect(most).toBe(32);
    await Promise.all(Array.from({ length: 1_200 }, (_, nr) => ask(`h${nr}.dev`, `o${nr % 20}`)));
    expect(most).toBe(256);
    await ask("h1199.dev", "acme");
    expect(resolve).toHaveBeenCalledTimes(1_400);
    await ask("h0.dev", "acme");
    expect(resolve).toHaveBeenCalledTimes(1_401);
  });

  it("is there for all, whatever names one organization has", async () => {
    const resolve = vi.fn(async (hostname: string) =>
      hostname.startsWith("silent") ? new Promise<never>(() => {}) : answer("8.8.8.8", 60),
    );
    const ask = cachedResolver(resolve);
    for (let nr = 0; nr < 500; nr += 1) ask(`silent${nr}.dev`, "acme").catch(() => {});
    const asked = ask("hooks.globex.dev", "globex");
    await wait(0);
    expect(resolve).toHaveBeenLastCalledWith("hooks.globex.dev");
    expect(await asked).toEqual(["8.8.8.8"]);
  });
});
