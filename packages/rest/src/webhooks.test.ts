import { delivered, gone, MASK } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { CANARY, createWorld, pagerWebhook, seed, trouble } from "../test/acme.ts";

describe("POST /webhooks/", () => {
  it("creates the webhook of the seed's payload, and masks its token", async () => {
    const { ask } = createWorld();
    const { status, headers, body } = await ask("POST", "/webhooks/", { body: seed });
    expect(status).toBe(201);
    expect(body).toEqual({
      url: `http://api.test/api/v1/webhooks/${body.id}/`,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: "MyNewWebhook",
      organization: "acme",
      event_types: ["parameter_created"],
      type: "slack",
      configuration: { token: MASK, channel: "#general", username: "CloudTruth" },
      order: "none",
      enabled: true,
      status: "unverified",
      status_detail: expect.stringMatching(/^Not checked with Slack: .*ECONNREFUSED/),
      status_last_checked_at: null,
      disabled_reason: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      modified_at: body.created_at,
    });
    expect(headers.get("location")).toBe(body.url);
    expect(headers.get("content-type")).toBe("application/json");
  });

  it("infers the organization", async () => {
    const { ask } = createWorld();
    const { organization: _, ...payload } = seed;
    const { body } = await ask("POST", "/webhooks/", { body: payload, organization: "globex" });
    expect(body.organization).toBe("globex");
  });

  it("creates one webhook for one Idempotency-Key, however often it is asked", async () => {
    const { ask } = createWorld();
    const again = () =>
      ask("POST", "/webhooks/", { body: seed, headers: { "idempotency-key": "once" } });
    const answers = await Promise.all(Array.from({ length: 20 }, again));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await ask("GET", "/webhooks/")).body.results).toHaveLength(1);
  });

  it("lets organizations use the same Idempotency-Key", async () => {
    const { ask } = createWorld();
    const headers = { "idempotency-key": "once" };
    const acme = await ask("POST", "/webhooks/", { body: pagerWebhook, headers });
    const globex = await ask("POST", "/webhooks/", {
      body: { ...pagerWebhook, name: "Other" },
      headers,
      organization: "globex",
    });
    expect([acme.status, globex.status]).toEqual([201, 201]);
    expect(globex.body.id).not.toBe(acme.body.id);
  });
});

describe("GET /webhooks/", () => {
  it("walks through all webhooks, newest first, and back", async () => {
    const { ask, given } = createWorld();
    const paths: string[] = [];
    for (const _ of Array(5)) paths.unshift(await given());
    const follow = (url: string) => ask("GET", url.replace("http://api.test/api/v1", ""));
    const found = (page: { results: { id: string }[] }) =>
      page.results.map(({ id }) => `/webhooks/${id}/`);

    const first = (await ask("GET", "/webhooks/?limit=2")).body;
    const second = (await follow(first.next)).body;
    const third = (await follow(second.next)).body;
    expect([first, second, third].flatMap(found)).toEqual(paths);
    expect([first.previous, third.next]).toEqual([null, null]);
    expect((await follow(third.previous)).body.results).toEqual(second.results);
    expect((await follow(second.previous)).body.results).toEqual(first.results);
  });

  it("shows an organization only its own", async () => {
    const { ask, given } = createWorld();
    await given();
    const { body } = await ask("GET", "/webhooks/", { organization: "globex" });
    expect(body).toEqual({ next: null, previous: null, results: [] });
  });
});

describe("PATCH /webhooks/{id}/", () => {
  it("changes what is given and nothing else", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    const before = (await ask("GET", path)).body;
    const { status, body } = await ask("PATCH", path, {
      body: { event_types: ["project_*"], enabled: false },
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...before,
      event_types: ["project_*"],
      enabled: false,
      modified_at: body.modified_at,
    });
    expect((await ask("GET", path)).body).toEqual(body);
  });

  it("changes the order, which PUT gives up where it is left out", async () => {
    const { ask, given } = createWorld();
    const path = await given({ ...pagerWebhook, order: "skip_dead" });
    expect((await ask("GET", path)).body.order).toBe("skip_dead");
    const body = { order: "stop_at_dead" };
    expect((await ask("PATCH", path, { body })).body.order).toBe("stop_at_dead");
    const { name, event_types, configuration } = pagerWebhook;
    const replacement = { name, event_types, configuration };
    expect((await ask("PUT", path, { body: replacement })).body.order).toBe("none");
  });

  it("merges the configuration key by key, and keeps a secret that is absent or masked", async () => {
    const { ask, given, pager, publish } = createWorld();
    const path = await given();
    await ask("PATCH", path, { body: { configuration: { room: "night" } } });
    await ask("PATCH", path, { body: { configuration: { key: MASK, urgent: true } } });
    await publish();
    expect(pager.received).toEqual([
      { key: `key-${CANARY}`, room: "night", urgent: true, type: "project_created" },
    ]);
  });

  it("takes the type and the organization that are already there", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    const body = { type: "pager", organization: "acme", name: "New" };
    expect((await ask("PATCH", path, { body })).body).toMatchObject(body);
  });
});

describe("PUT /webhooks/{id}/", () => {
  it("replaces the webhook, but for a secret that is absent", async () => {
    const { ask, given, pager, publish } = createWorld();
    const path = await given({
      ...pagerWebhook,
      enabled: false,
      configuration: { ...pagerWebhook.configuration, urgent: true },
    });
    const { status, body } = await ask("PUT", path, {
      body: { name: "All", event_types: ["project_created"], configuration: { room: "day" } },
    });
    expect([status, body.name, body.event_types, body.enabled, body.configuration]).toEqual([
      200,
      "All",
      ["project_created"],
      true,
      { key: MASK, room: "day" },
    ]);
    await publish();
    expect(pager.received).toEqual([
      { key: `key-${CANARY}`, room: "day", type: "project_created" },
    ]);
  });

  it("replaces a secret that is given", async () => {
    const { ask, given, pager, publish } = createWorld();
    const path = await given();
    const configuration = { key: "key-new", room: "day" };
    await ask("PUT", path, { body: { name: "All", event_types: ["*"], configuration } });
    await publish();
    expect(pager.received).toMatchObject([configuration]);
  });
});

describe("DELETE /webhooks/{id}/", () => {
  it("ends the webhook and what is pending, and keeps its history", async () => {
    const { ask, bus, given, publish } = createWorld();
    const path = await given({ ...pagerWebhook, enabled: false });
    await publish();
    const deleted = await ask("DELETE", path);
    expect([deleted.status, deleted.text, deleted.headers.get("content-type")]).toEqual([
      204,
      "",
      null,
    ]);
    expect((await ask("GET", path)).status).toBe(404);
    expect((await ask("GET", "/webhooks/")).body.results).toEqual([]);

    await bus.drain();
    const { results } = (await ask("GET", `${path}deliveries/`)).body;
    expect(results).toMatchObject([{ status: "canceled" }]);
    expect((await ask("GET", `${path}deliveries/?status=dead`)).body.results).toEqual([]);
    const delivery = `${path}deliveries/${results[0].id}/`;
    expect((await ask("GET", delivery)).body).toMatchObject({ status: "canceled", attempts: [] });
    const again = await ask("POST", `${delivery}redeliver/`);
    expect([again.status, again.body.code]).toEqual([409, "webhook_deleted"]);
  });

  it("is known as gone the second time", async () => {
    const { ask, given } = createWorld();
    const path = await given();
    await ask("DELETE", path);
    expect((await ask("DELETE", path)).status).toBe(404);
  });
});

describe("a webhook whose destination is in trouble", () => {
  it("shows how it stands and what helps, until it is mended", async () => {
    const { ask, bus, given, pager, publish } = createWorld();
    const path = await given({ ...pagerWebhook });
    pager.answer = trouble.passing;
    await publish();
    await bus.drain();
    const shown = (await ask("GET", path)).body;
    expect(shown).toMatchObject({
      enabled: true,
      status: "warning",
      status_detail: "The pager did not answer. Switch it on.",
      disabled_reason: null,
    });
    expect(shown.status_last_checked_at).toBe(new Date(bus.system.now()).toISOString());
    pager.answer = delivered();
    await bus.advance(60_000);
    expect((await ask("GET", path)).body).toMatchObject({ status: "ok", status_detail: null });
  });

  it("is switched off with the reason, which webhooks that ask for it hear, and can be on again", async () => {
    const { ask, bus, given, pager, publish } = createWorld();
    const path = await given({ ...pagerWebhook, name: "Pages" });
    const alarm = await ask("POST", "/webhooks/", {
      body: {
        ...pagerWebhook,
        configuration: { ...pagerWebhook.configuration, room: "alarms" },
        event_types: ["webhook_disabled", "webhook_failing"],
      },
    });
    expect([alarm.status, alarm.body.event_types]).toEqual([
      201,
      ["webhook_disabled", "webhook_failing"],
    ]);
    pager.answer = (room) =>
      room === "alarms" ? delivered() : gone("No such room", { remedy: "Choose another." });
    await publish();
    await publish();
    await bus.drain();
    const off = (await ask("GET", path)).body;
    const reason = "No such room. Choose another.";
    expect(off).toMatchObject({ enabled: false, status: "error", disabled_reason: reason });
    expect(pager.received.filter(({ room }) => room === "alarms")).toMatchObject([
      { type: "webhook_disabled" },
    ]);
    const [event] = (await bus.events.list({ organization: "acme", type: "webhook_disabled" }))
      .items;
    expect(event?.data).toMatchObject({ webhook_id: off.id, webhook_name: "Pages", reason });
    pager.answer = delivered();
    const on = await ask("PATCH", path, { body: { enabled: true } });
    expect(on.body).toMatchObject({ enabled: true, disabled_reason: null, status: "unverified" });
  });
});

describe("POST /webhooks/{id}/test/", () => {
  it("makes a delivery that can be watched at its url", async () => {
    const { ask, bus, given, pager } = createWorld();
    const path = await given({ ...pagerWebhook, event_types: ["parameter_created"] });
    const { status, headers, body } = await ask("POST", `${path}test/`);
    expect([status, body.status, body.event_type]).toEqual([202, "pending", "webhook_test"]);
    expect(headers.get("location")).toBe(body.url);
    await bus.drain();
    expect(pager.received).toMatchObject([{ type: "webhook_test" }]);
    const watched = await ask("GET", body.url.replace("http://api.test/api/v1", ""));
    expect(watched.body).toMatchObject({
      status: "delivered",
      attempts: [{ outcome: "delivered" }],
    });
  });
});
