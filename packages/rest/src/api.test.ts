import { createEventBus } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { describe, expect, it } from "vitest";
import { CANARY, createWorld, pagerWebhook, seed, toRequest } from "../test/acme.ts";
import { createRestApi, type RestApiOptions } from "./index.ts";

/** Every route, given the ids of a webhook and of a delivery of it. */
const routes = (webhook: string, delivery: string) =>
  [
    ["GET", "/webhooks/", "webhooks.read"],
    ["POST", "/webhooks/", "webhooks.write", pagerWebhook],
    ["GET", webhook, "webhooks.read"],
    ["PATCH", webhook, "webhooks.write", { name: "x" }],
    ["PUT", webhook, "webhooks.write", { ...pagerWebhook }],
    ["DELETE", webhook, "webhooks.write"],
    ["POST", `${webhook}test/`, "deliveries.write"],
    ["GET", `${webhook}deliveries/`, "deliveries.read"],
    ["GET", delivery, "deliveries.read"],
    ["POST", `${delivery}redeliver/`, "deliveries.write"],
    ["POST", `${delivery}cancel/`, "deliveries.write"],
    ["GET", "/event-types/", "event_types.read"],
    ["GET", "/event-types/parameter_created/", "event_types.read"],
  ] as const;

const unknownId = "01890000-0000-7000-8000-000000000000";
const unknown = routes(
  `/webhooks/${unknownId}/`,
  `/webhooks/${unknownId}/deliveries/${unknownId}/`,
);

describe("an organization", () => {
  it("cannot tell another's webhooks and deliveries from what is not there", async () => {
    const { ask, given, publish, bus } = createWorld();
    const webhook = await given();
    await publish();
    const { items } = await bus.deliveries.list({ organization: "acme" });
    const foreign = routes(webhook, `${webhook}deliveries/${items[0]?.id}/`);
    let compared = 0;
    for (const [index, [method, path, , body]] of foreign.entries()) {
      if (!path.startsWith(webhook)) continue;
      const asked = { ...(body && { body }), organization: "globex" };
      const theirs = await ask(method, path, asked);
      const nobodys = await ask(method, unknown[index]?.[1] ?? "", asked);
      expect(theirs.status).toBe(404);
      expect(theirs.text).toBe(nobodys.text);
      expect([...theirs.headers]).toEqual([...nobodys.headers]);
      compared += 1;
    }
    expect(compared).toBe(9);
    expect((await ask("GET", webhook)).body.name).toBe(pagerWebhook.name);
  });

  it("is told the same of every organization that is not its own", async () => {
    const { ask, given } = createWorld();
    await given(pagerWebhook, "globex");
    const claim = (organization: string) =>
      ask("POST", "/webhooks/", { body: { ...pagerWebhook, organization } });
    expect((await claim("globex")).text).toBe((await claim("nobody")).text);
  });
});

describe("authenticate", () => {
  it("is asked on every route, before anything else is said", async () => {
    const { ask } = createWorld({ challenge: "Bearer" });
    for (const [method, path, , body] of unknown) {
      const answer = await ask(method, path, { ...(body && { body }), organization: null });
      expect([path, answer.status, answer.body.code]).toEqual([path, 401, "unauthenticated"]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  it("says what a caller may do", async () => {
    const asked: string[] = [];
    const can = async (action: string): Promise<boolean> => asked.push(action) === 0;
    const { ask } = createWorld({ authenticate: () => ({ organization: "acme", can }) });
    for (const [method, path, action, body] of unknown) {
      const answer = await ask(method, path, { ...(body && { body }) });
      expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
      expect(answer.body.detail).toContain(`"${action}"`);
    }
    expect(asked).toEqual(unknown.map(([, , action]) => action));
  });

  it("names who made a change, in the log", async () => {
    const { ask, logged } = createWorld();
    await ask("GET", "/webhooks/");
    await ask("POST", "/webhooks/", { body: seed });
    expect(logged).toEqual([
      {
        level: "info",
        fields: { method: "POST", path: "/webhooks/", organization: "acme", actor: "acme-ana" },
        message: "The REST API made a change.",
      },
    ]);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("directory down"))],
    ["forgets the organization", () => ({ organization: "" })],
  ])("that %s lets nobody in, and tells only the log why", async (_, authenticate) => {
    const { ask, logged } = createWorld({ authenticate });
    const { status, body, text } = await ask("GET", "/webhooks/");
    expect([status, body.code]).toEqual([500, "internal_error"]);
    expect(text).not.toMatch(/directory|authenticate/);
    expect(logged).toMatchObject([{ level: "error", fields: { reference: body.reference } }]);
    expect(logged[0]?.fields).toMatchObject({ error: expect.stringMatching(/director|authentic/) });
  });
});

describe("an unexpected failure", () => {
  it("is a reference to the client, and a line without secrets in the log", async () => {
    const { bus } = createWorld();
    const broken = {
      ...bus,
      subscriptions: {
        ...bus.subscriptions,
        create: () => Promise.reject(new Error(`INSERT failed: ${JSON.stringify(seed)}`)),
      },
    };
    const { ask, said, logged } = createWorld({ bus: broken });
    const { status, body } = await ask("POST", "/webhooks/", { body: seed });
    expect([status, body.detail]).toEqual([500, expect.stringContaining(body.reference)]);
    expect(logged[0]?.fields).toMatchObject({
      reference: body.reference,
      error: expect.stringContaining("INSERT failed"),
    });
    expect(said.filter((text) => text.includes(CANARY))).toEqual([]);
  });

  it("of the logger disturbs nothing", async () => {
    const fail = (): never => {
      throw new Error("disk full");
    };
    const logger = { debug: fail, info: fail, warn: fail, error: fail };
    const { ask } = createWorld({ logger });
    expect((await ask("POST", "/webhooks/", { body: pagerWebhook })).status).toBe(201);
  });

  it("of the encryption is not for clients to mend", async () => {
    const { catalog, handlers } = createWorld().bus;
    const bus = createEventBus({ catalog, handlers, storage: memoryStorage() });
    const { ask, logged } = createWorld({ bus });
    const { status, text } = await ask("POST", "/webhooks/", { body: pagerWebhook });
    expect(status).toBe(500);
    expect(text).not.toContain("encryption");
    expect(JSON.stringify(logged)).toContain("encryption key");
  });
});

describe("every answer", () => {
  it("is not to be stored, nor guessed at", async () => {
    const { ask } = createWorld();
    for (const [method, path, , body] of unknown) {
      const { headers } = await ask(method, path, { ...(body && { body }) });
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
  });

  it("is the same without the slash at the end, and its urls have it", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    const bare = await ask("GET", path.slice(0, -1));
    expect(bare.text).toBe((await ask("GET", path)).text);
    expect(bare.body.url).toBe(`http://api.test/api/v1${path}`);
    expect((await ask("POST", "/webhooks", { body: pagerWebhook })).status).toBe(201);
  });

  it("to HEAD is that to GET without its content", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    const [head, get] = [await ask("HEAD", path), await ask("GET", path)];
    expect([head.status, head.text]).toEqual([200, ""]);
    expect([...head.headers]).toEqual([...get.headers]);
  });

  it("is to the method that was sent, whatever headers say", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    const headers = { "x-http-method-override": "DELETE" };
    expect((await ask("POST", `${path}test/`, { headers })).status).toBe(202);
    expect((await ask("GET", path, { headers })).status).toBe(200);
  });
});

describe("the base path", () => {
  it("is where the host wants it", async () => {
    const { api } = createWorld({ basePath: "/hooks/" });
    const headers = { authorization: "Api-Key acme" };
    const ask = (path: string) => api.fetch(new Request(`http://api.test${path}`, { headers }));
    expect((await ask("/hooks/webhooks/")).status).toBe(200);
    expect((await ask("/api/v1/webhooks/")).status).toBe(404);
    expect(
      ["/hooks/webhooks", "/hooks/event-types/x/", "/hooks/webhooksx", "/webhooks/"].map((path) =>
        api.handles(path),
      ),
    ).toEqual([true, true, false, false]);
  });

  it("follows the public URL in every url", async () => {
    const { ask } = createWorld({ publicUrl: "https://api.example.com/eu/" });
    const { headers, body } = await ask("POST", "/webhooks/", { body: pagerWebhook });
    expect(body.url).toBe(`https://api.example.com/eu/api/v1/webhooks/${body.id}/`);
    expect(headers.get("location")).toBe(body.url);
    await ask("POST", "/webhooks/", { body: pagerWebhook });
    const { next } = (await ask("GET", "/webhooks/?limit=1")).body;
    expect(next).toMatch(/^https:\/\/api\.example\.com\/eu\/api\/v1\/webhooks\/\?limit=1&cursor=/);
  });

  it("does not believe proxies that nobody spoke of", async () => {
    const { ask } = createWorld();
    const headers = { "x-forwarded-host": "evil.test", "x-forwarded-proto": "gopher" };
    const { body } = await ask("POST", "/webhooks/", { body: pagerWebhook, headers });
    expect(body.url).toMatch(/^http:\/\/api\.test\//);
  });
});

describe("createRestApi", () => {
  const { bus } = createWorld();
  const authenticate = () => null;
  it.each([
    ["authenticate", { bus }],
    ["bus", { authenticate }],
    ["basePath", { bus, authenticate, basePath: "api" }],
    ["basePath", { bus, authenticate, basePath: "/api/:version" }],
    ["publicUrl", { bus, authenticate, publicUrl: "api.example.com" }],
    ["publicUrl", { bus, authenticate, publicUrl: "https://a:b@api.example.com" }],
    ["publicUrl", { bus, authenticate, publicUrl: "https://api.example.com/?x=1" }],
    ["maxBodyBytes", { bus, authenticate, maxBodyBytes: 0 }],
    ["maxBodyBytes", { bus, authenticate, maxBodyBytes: Number.NaN }],
    ["challenge", { bus, authenticate, challenge: "a\r\nset-cookie: b" }],
  ])("refuses a bad %s", (option, options) => {
    expect(() => createRestApi(options as RestApiOptions)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringMatching(new RegExp(`^${option}`)),
      }),
    );
  });

  it("takes bodies as large as it is told", async () => {
    const { ask } = createWorld({ maxBodyBytes: 100 });
    expect((await ask("POST", "/webhooks/", { body: " ".repeat(100) })).status).toBe(400);
    expect((await ask("POST", "/webhooks/", { body: " ".repeat(101) })).status).toBe(413);
  });

  it("stops reading a body that is too large, however it comes", async () => {
    const { api } = createWorld();
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const { url, headers } = toRequest("POST", "/webhooks/", { body: "" });
    const init = { method: "POST", headers, body: endless, duplex: "half" } as const;
    expect((await api.fetch(new Request(url, init))).status).toBe(413);
    expect(sent).toBeLessThan(10 * 65_536);
  });

  it("says so when a body was read before", async () => {
    const { api, logged } = createWorld();
    const request = toRequest("POST", "/webhooks/", { body: seed });
    await request.text();
    expect((await api.fetch(request)).status).toBe(500);
    expect(JSON.stringify(logged)).toContain("Mount the API before what parses bodies");
  });

  it("says so when a body breaks off", async () => {
    const { api, logged } = createWorld();
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("ECONNRESET")),
    });
    const { url, headers } = toRequest("POST", "/webhooks/", { body: "" });
    const init = { method: "POST", headers, body: broken, duplex: "half" } as const;
    const response = await api.fetch(new Request(url, init));
    expect([response.status, logged]).toEqual([400, []]);
  });
});
