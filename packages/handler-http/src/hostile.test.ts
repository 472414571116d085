import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Called, call, loopback } from "../test/call.ts";
import { answering, type RawServer, rawServer } from "../test/servers.ts";
import { http } from "./http.ts";

/** How long an attempt may take in these tests, and how much longer a busy machine. */
const DEADLINE_MS = 400;
const GRACE_MS = 2_500;

const head = (status: string, headers = ""): string => `HTTP/1.1 ${status}\r\n${headers}\r\n`;
const CHUNKED = "transfer-encoding: chunked\r\n";
const chunk = (data: Buffer | string): string => `${data.length.toString(16)}\r\n${data}\r\n`;

/** 50 MB of zeros in 50 KB. */
const bomb = gzipSync(Buffer.alloc(50_000_000));

/** Writes again and again, as long as anybody listens. */
function forever(socket: Socket, write: () => void, everyMs = 5): void {
  const timer = setInterval(write, everyMs);
  socket.on("close", () => clearInterval(timer));
}

const hostile: Readonly<
  Record<string, readonly [string, string | null, (socket: Socket) => void]>
> = {
  "that never answers": ["unknown", "timeout", (socket) => socket.resume()],
  "that sends headers byte by byte": [
    "unknown",
    "timeout",
    (socket) => {
      socket.resume();
      const bytes = [...`${head("200 OK", `x: ${"a".repeat(5_000)}\r\n`)}`];
      forever(socket, () => socket.write(bytes.shift() ?? ""));
    },
  ],
  "that never ends its headers": [
    "unknown",
    "response_too_large",
    (socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n");
        forever(socket, () => socket.write(`x-${"a".repeat(4_000)}: b\r\n`));
      });
    },
  ],
  "with 30 KB of headers (H15)": [
    "unknown",
    "response_too_large",
    answering(head("200 OK", `x: ${"a".repeat(30_000)}\r\n`)),
  ],
  "that drips its body": [
    "delivered",
    null,
    (socket) => {
      socket.once("data", () => {
        socket.write(head("200 OK", CHUNKED));
        forever(socket, () => socket.write(chunk("x")), 50);
      });
    },
  ],
  "whose body never ends": [
    "delivered",
    null,
    (socket) => {
      socket.once("data", () => {
        socket.write(head("200 OK", CHUNKED));
        const more = chunk("x".repeat(16_384));
        forever(socket, () => socket.write(more), 1);
      });
    },
  ],
  "whose error never ends": [
    "failed",
    "server_error",
    (socket) => {
      socket.once("data", () => {
        socket.write(head("500 No", CHUNKED));
        const more = chunk("x".repeat(16_384));
        forever(socket, () => socket.write(more), 1);
      });
    },
  ],
  "with a gzip bomb": [
    "failed",
    "server_error",
    (socket) => {
      socket.once("data", () => {
        socket.write(
          head(
            "500 No",
            `content-encoding: gzip\r\ncontent-type: text/plain\r\ncontent-length: ${bomb.length}\r\n`,
          ),
        );
        socket.write(bomb);
      });
    },
  ],
  "that resets after 200": [
    "delivered",
    null,
    (socket) => {
      socket.once("data", () =>
        socket.write(head("200 OK", CHUNKED), () => setTimeout(() => socket.resetAndDestroy(), 20)),
      );
    },
  ],
  "that resets before it answers": [
    "unknown",
    "connection_lost",
    (socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    },
  ],
  "that closes its half": [
    "unknown",
    "connection_lost",
    (socket) => {
      socket.resume();
      socket.end();
    },
  ],
  "that hints for ever (1xx, N12)": [
    "unknown",
    "bad_response",
    (socket) => {
      socket.once("data", () =>
        forever(socket, () => socket.write(head("103 Early Hints", "link: </a>\r\n")), 1),
      );
    },
  ],
  "that upgrades (N12)": [
    "unknown",
    "connection_lost",
    answering(head("101 Switching", "upgrade: websocket\r\nconnection: upgrade\r\n")),
  ],
  "that speaks no HTTP": ["unknown", "bad_response", answering("220 smtp.acme.dev ready\r\n")],
  "with a body after 204": ["delivered", null, answering(`${head("204 No Content")}surprise`)],
  "with two lengths": [
    "unknown",
    "bad_response",
    answering(`${head("200 OK", "content-length: 3\r\ncontent-length: 5\r\n")}abcde`),
  ],
  "that never ends its reason": [
    "unknown",
    "timeout",
    (socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 ");
        forever(socket, () => socket.write("a".repeat(16_384)), 1);
      });
    },
  ],
  "that never ends its trailers": [
    "delivered",
    null,
    (socket) => {
      socket.once("data", () => {
        socket.write(`${head("200 OK", CHUNKED)}0\r\n`);
        forever(socket, () => socket.write(`x-${"a".repeat(4_000)}: b\r\n`), 1);
      });
    },
  ],
  "that never ends the extension of a chunk": [
    "delivered",
    null,
    (socket) => {
      socket.once("data", () => {
        socket.write(`${head("200 OK", CHUNKED)}5;`);
        forever(socket, () => socket.write("a".repeat(16_384)), 1);
      });
    },
  ],
  "that answers twice": [
    "delivered",
    null,
    answering(
      `${head("200 OK", "content-length: 0\r\n")}${head("410 Gone", "content-length: 0\r\n")}`,
    ),
  ],
  "with Alt-Svc and Refresh (N12)": [
    "delivered",
    null,
    answering(
      head(
        "200 OK",
        'alt-svc: h2="evil.dev:443"\r\nrefresh: 0;url=http://127.0.0.1/\r\ncontent-length: 0\r\n',
      ),
    ),
  ],
};

const servers = new Map<string, RawServer>();
beforeAll(async () => {
  for (const [name, [, , serve]] of Object.entries(hostile))
    servers.set(name, await rawServer(serve));
});
afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.close()));
});
const urlOf = (server: RawServer, scheme = "http"): string =>
  `${scheme}://hooks.acme.dev:${server.port}/`;
const deadline = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(DEADLINE_MS) });

describe("a receiver", () => {
  const handler = http(loopback);
  for (const [name, [type, error]] of Object.entries(hostile)) {
    it(`${name} ends within the deadline, as ${error ?? type}`, async () => {
      const server = servers.get(name) as RawServer;
      const startedAt = performance.now();
      const called = await call(handler, urlOf(server), deadline());
      const spent = performance.now() - startedAt;
      expect(called, JSON.stringify([called.details, called.log])).toMatchObject({ type, error });
      expect(spent).toBeLessThan(DEADLINE_MS + GRACE_MS);
    });
  }

  it("that drips its body has taken the event, and is not listened to for long", async () => {
    const startedAt = performance.now();
    const called = await call(handler, urlOf(servers.get("that drips its body") as RawServer), {
      signal: AbortSignal.timeout(15_000),
    });
    expect(called.type).toBe("delivered");
    expect(performance.now() - startedAt).toBeLessThan(2_000 + GRACE_MS);
  });

  it("that never finishes TLS ends within the deadline, and has received nothing", async () => {
    const server = await rawServer((socket) => socket.resume());
    const called = await call(handler, urlOf(server, "https"), deadline());
    expect(called).toMatchObject({ type: "failed", error: "timeout" });
    await server.close();
  });

  it("whose connection was cut off is sent the next event on a new one", async () => {
    let times = 0;
    const server = await rawServer((socket) => {
      times += 1;
      if (times > 1) return answering(head("200 OK", "content-length: 0\r\n"))(socket);
      socket.once("data", () => forever(socket, () => socket.write(chunk("x".repeat(16_384))), 1));
      socket.once("data", () => socket.write(head("200 OK", CHUNKED)));
    });
    for (let nr = 0; nr < 3; nr += 1) {
      expect((await call(handler, urlOf(server))).type).toBe("delivered");
    }
    await server.close();
  });
});

describe("fifty hostile receivers at once", () => {
  it("leave memory flat, connections closed, and others alone", async () => {
    const handler = http(loopback);
    const good = await rawServer(answering(head("200 OK", "content-length: 0\r\n")));
    const bad = [...servers.values()];
    const wave = (): readonly Promise<Called>[] =>
      Array.from({ length: 50 }, (_, nr) =>
        call(handler, urlOf(bad[nr % bad.length] as RawServer), deadline()),
      );
    const heap = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };

    await Promise.all(wave());
    const before = heap();
    const spent: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const running = wave();
      while (spent.length < (round + 1) * 20) {
        const startedAt = performance.now();
        expect((await call(handler, urlOf(good))).type).toBe("delivered");
        spent.push(performance.now() - startedAt);
      }
      for (const { type } of await Promise.all(running)) {
        expect(["delivered", "failed", "unknown"]).toContain(type);
      }
    }
    const grown = heap() - before;
    await wait(100);
    const open = bad.reduce((sum, server) => sum + server.open(), 0);
    spent.sort((a, b) => a - b);
    process.stdout.write(
      `150 hostile calls: others answered in ${spent[30]?.toFixed(1)} ms (median), ${spent.at(-1)?.toFixed(1)} ms (slowest); heap ${(grown / 1e6).toFixed(1)} MB; ${open} connections open\n`,
    );
    expect(spent.at(-1)).toBeLessThan(DEADLINE_MS + GRACE_MS);
    expect(grown).toBeLessThan(20_000_000);
    expect(open).toBeLessThan(50);
    await good.close();
  });
});
