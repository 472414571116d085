import { createReceiver } from "@posthorn/testing";
import { Webhook as Standard } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { type Called, call, loopback, SECRET } from "../test/call.ts";
import { type HttpOptions, http } from "./http.ts";
import { newSecret } from "./keys.ts";
import { verifyWebhook } from "./verify.ts";

const receiver = await createReceiver();
afterAll(() => receiver.close());
beforeEach(() => receiver.respond(() => ({})));

const handler = http(loopback);
const latest = (): (typeof receiver.requests)[number] => receiver.requests.at(-1) as never;
const answered = (
  status: number,
  headers: Record<string, string> = {},
  body = "",
): Promise<Called> => {
  receiver.respond([{ status, headers, body }]);
  return call(handler, receiver.url);
};

describe("what is sent", () => {
  it("is the event in an envelope, around the bytes that were stored", async () => {
    const payload = '{"b":1e400,"a":"\\ud800\\u0000","b":2}';
    await call(handler, receiver.url, { event: { ...someEvent, payload } });
    expect(latest().body).toBe(
      `{"type":"project_created","timestamp":"2026-01-05T14:03:00.000Z","data":${payload}}`,
    );
    expect(latest().method).toBe("POST");
    expect(latest().headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": "posthorn-handler-http",
      "accept-encoding": "identity",
      "webhook-id": someEvent.id,
    });
  });

  it("has the same id each time, and a time of its own", async () => {
    await call(handler, receiver.url, { event: someEvent });
    const first = latest().headers;
    await call(handler, receiver.url, {
      event: someEvent,
      delivery: { id: "another", attempt: 2 },
    });
    expect(latest().headers["webhook-id"]).toBe(first["webhook-id"]);
    const at = Number(latest().headers["webhook-timestamp"]);
    expect(Math.abs(Date.now() / 1_000 - at)).toBeLessThan(5);
  });

  it("is signed with every live secret", async () => {
    const [old, older] = [newSecret("v1", bytes(1)), newSecret("v1a", bytes(2))];
    await call(handler, receiver.url, { previousSecrets: [old, older] });
    const { body, headers } = latest();
    expect(String(headers["webhook-signature"]).split(" ")).toHaveLength(3);
    for (const known of [SECRET, old]) {
      expect(new Standard(known).verify(body, headers as never)).toEqual(JSON.parse(body));
      await verifyWebhook(body, headers, { secret: known });
    }
  });

  it("can be a CloudEvent, structured", async () => {
    const format = "cloudevents";
    await call(
      http({ ...loopback, source: "https://acme.test/events" }),
      { url: receiver.url, format },
      { event: someEvent },
    );
    expect(latest().headers["content-type"]).toBe("application/cloudevents+json; charset=utf-8");
    expect(JSON.parse(latest().body)).toEqual({
      specversion: "1.0",
      id: someEvent.id,
      source: "https://acme.test/events",
      type: "project_created",
      time: "2026-01-05T14:03:00.000Z",
      datacontenttype: "application/json",
      data: { name: "web" },
    });
    await verifyWebhook(latest().body, latest().headers, { secret: SECRET });
  });

  it("can be a CloudEvent, binary", async () => {
    await call(handler, { url: receiver.url, format: "cloudevents_binary" }, { event: someEvent });
    expect(latest().body).toBe(someEvent.payload);
    expect(latest().headers).toMatchObject({
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": someEvent.id,
      "ce-source": "posthorn",
      "ce-type": "project_created",
      "ce-time": "2026-01-05T14:03:00.000Z",
    });
    await verifyWebhook(latest().body, latest().headers, { secret: SECRET });
  });

  it("can be what the host makes of it, signed all the same", async () => {
    const transform: HttpOptions["transform"] = ({ type, data }) =>
      type === "project_created"
        ? { body: `<new>${JSON.stringify(data)}</new>`, contentType: "application/xml" }
        : null;
    const transforming = http({ ...loopback, transform });
    await call(transforming, receiver.url, { event: someEvent });
    expect(latest().body).toBe('<new>{"name":"web"}</new>');
    expect(latest().headers["content-type"]).toBe("application/xml");
    await verifyWebhook(latest().body, latest().headers, { secret: SECRET });
    await call(transforming, receiver.url, { event: { ...someEvent, type: "webhook_test" } });
    expect(JSON.parse(latest().body).type).toBe("webhook_test");
  });

  it("waits for a transform that throws, or makes no message, to be corrected", async () => {
    const throwing = http({
      ...loopback,
      transform: () => {
        throw new Error("no name");
      },
    });
    const empty = http({ ...loopback, transform: () => ({}) as never });
    for (const [broken, why] of [
      [throwing, "no name"],
      [empty, "it returned no message"],
    ] as const) {
      const { type, reason } = await call(broken, receiver.url);
      expect(type).toBe("failed");
      expect(reason).toContain(why);
    }
  });

  it("carries the customer's headers and credentials, and the publisher's trace", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const configuration = {
      url: receiver.url,
      headers: { "X-Team": "  blue " },
      authorization: "Bearer abc.def",
    };
    await call(handler, configuration, { event: { ...someEvent, trace: { traceparent } } });
    expect(latest().headers).toMatchObject({
      "x-team": "blue",
      authorization: "Bearer abc.def",
      traceparent,
    });
  });

  it("carries headers that nobody is shown", async () => {
    const secret_headers = "X-Api-Key: k-1\r\n\nX-Signed-By:  acme ";
    expect((await call(handler, { url: receiver.url, secret_headers })).type).toBe("delivered");
    expect(latest().headers).toMatchObject({ "x-api-key": "k-1", "x-signed-by": "acme" });
  });

  it("keeps a trace that is no header's value to itself", async () => {
    const trace = { traceparent: "a\r\nEvil: 1" };
    expect((await call(handler, receiver.url, { event: { ...someEvent, trace } })).type).toBe(
      "delivered",
    );
    expect(latest().headers["evil"]).toBeUndefined();
  });
});

describe("what follows from an answer", () => {
  it.each([200, 201, 202, 204, 299])("HTTP %i delivers", async (status) => {
    expect(await answered(status)).toMatchObject({
      type: "delivered",
      details: { status, error: null },
    });
  });

  it.each([300, 301, 302, 303, 304, 307, 308])(
    "N10 HTTP %i fails, and is not followed",
    async (status) => {
      const before = receiver.requests.length;
      const called = await answered(status, { location: new URL("/elsewhere", receiver.url).href });
      expect(called).toMatchObject({ type: "failed", error: "redirect" });
      expect(called.outcome.remedy).toContain("Give the webhook the URL");
      expect(receiver.requests.length).toBe(before + 1);
    },
  );

  it.each(["https:", "//127.0.0.1/", "file:///etc/passwd", "http://169.254.169.254/", "\u00e9"])(
    "N11 a redirect to another scheme or host is not followed, nor told: %s",
    async (place) => {
      const location = place === "https:" ? receiver.url.replace("http:", place) : place;
      const before = receiver.requests.length;
      const called = await answered(302, { location });
      expect(called).toMatchObject({ type: "failed", error: "redirect" });
      expect(JSON.stringify(called.outcome)).not.toContain(location);
      expect(receiver.requests.length).toBe(before + 1);
    },
  );

  it("HTTP 410 switches the webhook off", async () => {
    expect((await answered(410)).type).toBe("gone");
  });

  it.each([408, 425, 500, 501, 505, 599])("HTTP %i is tried again on schedule", async (status) => {
    const { outcome } = await answered(status);
    expect(outcome).toMatchObject({
      type: "failed",
      reason: `HTTP ${status}`,
      retryAfterMs: undefined,
    });
    expect(outcome.remedy).toBeUndefined();
  });

  it.each([400, 401, 403, 404, 405, 413, 415, 422])(
    "HTTP %i is tried again, and is for whoever configured it",
    async (status) => {
      const { outcome } = await answered(status);
      expect(outcome).toMatchObject({ type: "failed", reason: `HTTP ${status}` });
      expect(outcome.remedy).toBeTruthy();
      expect("gate" in outcome && outcome.gate).toBeFalsy();
    },
  );

  it.each([502, 504])("HTTP %i is given a minute", async (status) => {
    expect((await answered(status)).outcome).toMatchObject({
      type: "failed",
      retryAfterMs: 60_000,
    });
  });

  it("HTTP 429 closes the host's gate for as long as it asks, or a minute", async () => {
    const gate = "host";
    expect((await answered(429, { "retry-after": "7" })).outcome).toMatchObject({
      type: "throttled",
      retryAfterMs: 7_000,
      gate,
    });
    expect((await answered(429)).outcome).toMatchObject({
      type: "throttled",
      retryAfterMs: 60_000,
      gate,
    });
  });

  it("HTTP 503 closes it only if it says for how long", async () => {
    expect((await answered(503, { "retry-after": "7" })).outcome).toMatchObject({
      type: "throttled",
      retryAfterMs: 7_000,
    });
    expect((await answered(503)).outcome).toMatchObject({ type: "failed" });
  });
});

describe("what is recorded", () => {
  it("is status, error, phase, time and the beginning of a text", async () => {
    const { details } = await answered(500, { "content-type": "text/plain" }, "out of order");
    expect(details).toEqual({
      status: 500,
      error: "server_error",
      phase: "response",
      duration_ms: expect.any(Number),
      response: "out of order",
    });
    expect(Number(details["duration_ms"]) % 10).toBe(0);
  });

  it("has no credential in it, however the receiver repeats it", async () => {
    const configuration = {
      url: receiver.url,
      authorization: `Basic ${Buffer.from("ana:hunter2-hunter2").toString("base64")}`,
      secret_headers: "X-Api-Key: key/with?signs=1\nX-Other: another-secret",
    };
    const echoes = [
      SECRET,
      SECRET.slice(6),
      configuration.authorization,
      configuration.authorization.slice(6),
      "ana:hunter2-hunter2",
      "hunter2-hunter2",
      "key/with?signs=1",
      "key\\/with?signs=1",
      encodeURIComponent("key/with?signs=1"),
      "another-secret",
    ];
    for (const echo of echoes) {
      // Once as a whole, and once where the excerpt ends.
      for (const before of ["you sent ", "a".repeat(1_020)]) {
        receiver.respond([
          { status: 401, headers: { "content-type": "text/plain" }, body: before + echo },
        ]);
        const { details } = await call(handler, configuration);
        expect(details["response"]).toBe(`${before}********`.slice(0, 1_024));
      }
    }
    receiver.respond([{ status: 401, headers: {}, body: "Bearer tok-1234567 is unknown" }]);
    const authorization = "Bearer tok-1234567";
    const bearer = await call(handler, { url: receiver.url, authorization });
    expect(bearer.details["response"]).toBe("******** is unknown");
  });

  it("is a text of at most 1 KB, or as much as the host says", async () => {
    const long = "ä".repeat(2_000);
    expect((await answered(500, {}, long)).details["response"]).toBe("ä".repeat(512));
    receiver.respond([
      { status: 500, body: `x${long}` },
      { status: 500, body: long },
    ]);
    const few = http({ ...loopback, excerptBytes: 10 });
    expect((await call(few, receiver.url)).details["response"]).toBe("xääää");
    const none = http({ ...loopback, excerptBytes: 0 });
    expect((await call(none, receiver.url)).details).not.toHaveProperty("response");
  });

  it("has no control characters, and nothing that turns the text around", async () => {
    const { details } = await answered(500, {}, "a\u0000b\u001b[2J\u202ec\n{}\ud800");
    expect(details["response"]).toBe("a\ufffdb\ufffd[2J\ufffdc {}\ufffd");
  });

  it.each([
    { "content-type": "image/png" },
    { "content-type": "application/octet-stream" },
    { "content-encoding": "gzip" },
    { "content-type": "text/html", "content-encoding": "br" },
  ])("leaves out what is no text: %o", async (headers) => {
    expect((await answered(500, headers, "\u0001\u0002")).details).not.toHaveProperty("response");
  });

  it("tells the operator's log alone what stood behind an error", async () => {
    const { outcome, log } = await call(
      http({
        ...loopback,
        resolve: async () => {
          throw new Error("SERVFAIL at 10.0.0.53");
        },
      }),
      "https://hooks.acme.dev/",
    );
    expect(JSON.stringify(outcome)).not.toContain("10.0.0.53");
    expect(log.join()).toContain("10.0.0.53");
  });
});

describe("a handshake", () => {
  const asking = http({ ...loopback, handshake: true });
  const ask = async (): Promise<unknown> => {
    const parsed = await asking.configuration["~standard"].validate({
      url: receiver.url,
      secret: SECRET,
    });
    if (parsed.issues !== undefined) throw new Error("refused");
    const context = { organization: "acme", signal: AbortSignal.timeout(5_000), logger: console };
    return asking.verify?.(parsed.value, context);
  };
  const repeat = (body: string): string =>
    JSON.stringify({ challenge: JSON.parse(body).data.challenge });

  it("is not asked unless the host wants it", () => {
    expect(handler.verify).toBeUndefined();
  });

  it("accepts a receiver that repeats the challenge, as JSON or as it is", async () => {
    receiver.respond(({ body }) => ({ body: repeat(body) }));
    expect(await ask()).toEqual({ status: "ok" });
    receiver.respond(({ body }) => ({ body: `${JSON.parse(body).data.challenge}\n` }));
    expect(await ask()).toEqual({ status: "ok" });
    await verifyWebhook(latest().body, latest().headers, { secret: SECRET });
  });

  it("refuses one that answers anything else", async () => {
    for (const body of ["", "ok", "{}", "null", '{"challenge":"guess"}']) {
      receiver.respond(() => ({ body }));
      expect(await ask()).toMatchObject({ status: "refused", issues: [{ key: "url" }] });
    }
    receiver.respond(({ body }) => ({ status: 500, body: repeat(body) }));
    expect(await ask()).toMatchObject({ status: "refused" });
  });

  it("leaves one that cannot be reached unverified", async () => {
    receiver.respond(() => "reset");
    expect(await ask()).toMatchObject({ status: "unverified" });
  });

  it("comes before the first event, and not again once it has succeeded", async () => {
    receiver.respond(() => ({ body: "no" }));
    const before = receiver.requests.length;
    expect((await call(asking, receiver.url)).type).toBe("failed");
    expect(receiver.requests.slice(before).map(({ body }) => JSON.parse(body).type)).toEqual([
      "webhook_verification",
    ]);

    receiver.respond(({ body }) => ({ body: body.includes("challenge") ? repeat(body) : "" }));
    const { outcome } = await call(asking, receiver.url);
    expect(outcome).toMatchObject({ type: "delivered", state: { confirmed: true } });
    const asked = receiver.requests.length;
    await call(asking, receiver.url, { state: outcome.state ?? null });
    expect(receiver.requests.length).toBe(asked + 1);
  });
});

describe("options", () => {
  it.each<[HttpOptions, string]>([
    [{ source: "" }, "source"],
    [{ source: "a b" }, "source"],
    [{ excerptBytes: 4_097 }, "excerptBytes"],
    [{ excerptBytes: Number.NaN }, "excerptBytes"],
    [{ proxyUrl: "socks5://a" }, "proxyUrl"],
    [{ proxyUrl: "a" }, "proxyUrl"],
    [{ timeoutms: 5 } as HttpOptions, "timeoutms"],
    [{ guard: { denny: ["10.0.0.1"] } } as HttpOptions, "denny"],
    [{ guard: { http: "false" as never } }, "http"],
    [{ connections: 0 }, "connections"],
    [{ connections: 1.5 }, "connections"],
    [{ guard: { allow: ["127.0.0.0/invalid"] } }, "127.0.0.0/invalid"],
  ])("%o is refused", (options, named) => {
    expect(() => http(options)).toThrow(named);
  });
});

const bytes =
  (fill: number) =>
  (count: number): Uint8Array =>
    Buffer.alloc(count, fill);

const someEvent = {
  id: "019b76da-a800-7001-adfe-747d23673f27",
  type: "project_created",
  organization: "acme",
  occurredAt: Date.UTC(2026, 0, 5, 14, 3),
  actor: null,
  trace: null,
  data: { name: "web" },
  payload: '{"name":"web"}',
};
