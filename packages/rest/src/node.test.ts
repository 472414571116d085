import {
  Agent,
  createServer,
  request as httpRequest,
  type RequestListener,
  type Server,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import { serve } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { CANARY, createWorld, pagerWebhook, type World } from "../test/acme.ts";
import { toNodeHandler } from "./node.ts";

/** Starts a server that the API is mounted in; answers its origin. */
type Mount = (world: World) => Promise<string>;

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function listen(server: Server): Promise<string> {
  closing.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

const serveNode = (listener: RequestListener): Promise<string> => listen(createServer(listener));

const inNode: Mount = ({ api }) => serveNode(toNodeHandler(api));

const inExpress =
  (...before: express.RequestHandler[]): Mount =>
  ({ api }) => {
    const app = express();
    if (before.length > 0) app.use(...before);
    app.use(toNodeHandler(api));
    app.get("/api/v1/projects/", (_, response) => void response.json("the host's"));
    return serveNode(app);
  };

const underPrefix: Mount = ({ api }) => {
  const app = express();
  app.use("/api/v1", express.json(), toNodeHandler(api));
  app.get("/api/v1/projects/", (_, response) => void response.json("the host's"));
  return serveNode(app);
};

const inFastify: Mount = async ({ api }) => {
  const handler = toNodeHandler(api);
  const app = fastify({ forceCloseConnections: true });
  app.get("/api/v1/projects/", async () => JSON.stringify("the host's"));
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    for (const root of ["webhooks", "event-types"]) {
      for (const path of [`/api/v1/${root}`, `/api/v1/${root}/*`]) {
        scope.all(path, (request, reply) => {
          reply.hijack();
          handler(request.raw, reply.raw);
        });
      }
    }
    done();
  });
  closing.push(() => app.close());
  return app.listen({ port: 0, host: "127.0.0.1" });
};

const inHono: Mount = ({ api }) => {
  const app = new Hono();
  app.get("/api/v1/projects/", (context) => context.json("the host's"));
  for (const root of ["webhooks", "event-types"]) {
    app.all(`/api/v1/${root}/*`, ({ req }) => api.fetch(req.raw));
  }
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
      resolve(`http://127.0.0.1:${port}`),
    ) as Server;
    closing.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
  });
};

const mounts: Readonly<Record<string, Mount>> = {
  "node:http": inNode,
  Express: inExpress(),
  "Express after express.json()": inExpress(express.json()),
  "Express after every parser": inExpress(
    express.json(),
    express.urlencoded(),
    express.text({ type: "text/*" }),
    express.raw({ type: "application/octet-stream" }),
  ),
  "Express under a prefix, after express.json()": underPrefix,
  Fastify: inFastify,
  Hono: inHono,
};

const headers = { authorization: "Api-Key acme", "content-type": "application/json" };

describe.each(Object.entries(mounts))("in %s, the API", (name, mount) => {
  async function start() {
    const world = createWorld();
    const origin = await mount(world);
    const ask = (method: string, path: string, body?: unknown, extra: object = {}) =>
      fetch(`${origin}/api/v1${path}`, {
        method,
        headers: { ...headers, ...extra },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
    return { world, origin, ask };
  }

  it("creates, shows, changes, tests and deletes a webhook", async () => {
    const { world, origin, ask } = await start();
    const created = await ask("POST", "/webhooks/", pagerWebhook);
    expect(created.status).toBe(201);
    const { url } = (await created.json()) as { url: string };
    expect(url.startsWith(`${origin}/api/v1/webhooks/`)).toBe(true);
    expect(created.headers.get("location")).toBe(url);

    const path = url.slice(`${origin}/api/v1`.length);
    const shown = await ask("GET", path);
    expect(await shown.text()).not.toContain(CANARY);
    expect(await (await ask("PATCH", path, { name: "New" })).json()).toMatchObject({ name: "New" });
    expect((await ask("POST", `${path}test/`)).status).toBe(202);
    await world.bus.drain();
    expect(world.pager.received).toMatchObject([{ key: `key-${CANARY}` }]);
    const list = await ask("GET", `${path}deliveries/?limit=1&status=delivered`);
    expect(((await list.json()) as { results: unknown[] }).results).toHaveLength(1);
    const head = await ask("HEAD", path);
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await ask("DELETE", path)).status).toBe(204);
  });

  it("answers bad requests as it does by itself", async () => {
    const { ask } = await start();
    const tried = async (...request: Parameters<typeof ask>) => {
      const response = await ask(...request);
      const { code } = (await response.json()) as { code: string };
      return [response.status, code];
    };
    expect(await tried("POST", "/webhooks/", {})).toEqual([422, "invalid_webhook"]);
    expect(await tried("POST", "/webhooks/", "")).toEqual([400, "malformed_json"]);
    expect(await tried("POST", "/webhooks/", [])).toEqual([400, "invalid_body"]);
    expect(await tried("GET", "/webhooks/?limit=1&limit=2")).toEqual([400, "invalid_query"]);
    expect(await tried("OPTIONS", "/webhooks/")).toEqual([405, "method_not_allowed"]);
    const proto = `{"__proto__":{},${JSON.stringify(pagerWebhook).slice(1)}`;
    expect(await tried("POST", "/webhooks/", proto)).toEqual([422, "invalid_webhook"]);
    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain",
      "application/octet-stream",
    ]) {
      expect(await tried("POST", "/webhooks/", "name=x", { "content-type": type })).toEqual([
        415,
        "unsupported_media_type",
      ]);
    }
  });

  it("leaves the host's own routes alone", async () => {
    const { ask } = await start();
    if (name === "node:http") return void expect((await ask("GET", "/projects/")).status).toBe(404);
    expect(await (await ask("GET", "/projects/")).json()).toBe("the host's");
  });

  it("refuses a body that is too large, and answers whoever waits for the connection", async () => {
    const { origin } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    closing.unshift(() => agent.destroy());
    const ask = (method: string, body: string) =>
      new Promise((resolve, reject) => {
        const url = `${origin}/api/v1/webhooks/`;
        const sending = httpRequest(url, { method, headers, agent }, (response) => {
          response.resume().once("end", () => resolve(response.statusCode));
        });
        sending.once("error", reject);
        sending.end(body);
      });
    const large = JSON.stringify({ ...pagerWebhook, name: "n".repeat(3_000_000) });
    expect(await Promise.all([ask("POST", large), ask("GET", "")])).toEqual([413, 200]);
  });
});

describe("toNodeHandler", () => {
  it("answers a body without end while it is still coming", async () => {
    const origin = await inNode(createWorld());
    const status = await new Promise((resolve, reject) => {
      const sending = httpRequest(`${origin}/api/v1/webhooks/`, { method: "POST", headers });
      sending.once("response", (response) => {
        resolve(response.statusCode);
        sending.destroy();
      });
      sending.once("error", reject);
      const more = (): void => {
        while (!sending.destroyed && sending.write(Buffer.alloc(65_536)));
      };
      sending.on("drain", more);
      more();
    });
    expect(status).toBe(413);
  });

  it("answers before a body that nobody needs has come", async () => {
    const origin = await inNode(createWorld());
    const status = await new Promise((resolve, reject) => {
      const { authorization: _, ...nobody } = headers;
      const sending = httpRequest(`${origin}/api/v1/webhooks/`, {
        method: "POST",
        headers: nobody,
      });
      sending.once("response", (response) => {
        resolve(response.statusCode);
        sending.destroy();
      });
      sending.once("error", reject);
      sending.write("{");
    });
    expect(status).toBe(401);
  });

  it("says so when a body was read before and left nowhere", async () => {
    const world = createWorld();
    const handler = toNodeHandler(world.api);
    const origin = await serveNode((request, response) => {
      request.resume().once("end", () => handler(request, response));
    });
    const body = JSON.stringify(pagerWebhook);
    const answer = await fetch(`${origin}/api/v1/webhooks/`, { method: "POST", headers, body });
    expect(answer.status).toBe(500);
    expect(JSON.stringify(world.logged)).toContain("The body was read before");
  });

  it.each([
    ["a Host with a space", "GET /api/v1/webhooks/ HTTP/1.1\r\nHost: a b<c>\r\n\r\n"],
    ["a Host with a password", "GET /api/v1/webhooks/ HTTP/1.1\r\nHost: a:b@c\r\n\r\n"],
    ["an absolute target", "GET http://evil.test/api/v1/webhooks/ HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["no target", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a method that fetch refuses", "TRACE /api/v1/webhooks/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  ])("refuses %s without a stack trace", async (_, head) => {
    const origin = await inNode(createWorld());
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => socket.write(head));
      socket.once("data", (data) => {
        resolve(String(data));
        socket.destroy();
      });
      socket.once("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"invalid_request"');
    expect(answer).not.toMatch(/at .*\.[jt]s/);
  });

  it("never lets a target name another host", async () => {
    const origin = await inNode(createWorld());
    const status = await new Promise((resolve) => {
      httpRequest(origin, { path: "//evil.test/api/v1/webhooks/", headers }, (response) =>
        resolve(response.statusCode),
      ).end();
    });
    expect(status).toBe(404);
  });

  it("tells the API when the client is gone", async () => {
    const gone = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const world = createWorld({
      authenticate: ({ signal }) => {
        signal.addEventListener("abort", () => gone.resolve());
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const sending = httpRequest(`${await inNode(world)}/api/v1/webhooks/`);
    sending.once("error", () => {});
    sending.end();
    await asked.promise;
    sending.destroy();
    await gone.promise;
  });
});
