import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { createWorld, httpWebhook, pagerWebhook, seed, trouble } from "../test/acme.ts";
import { routeTable } from "./routes.ts";

// biome-ignore lint/suspicious/noExplicitAny: the document is looked at everywhere.
type Document = any;

const describing = async (): Promise<Document> => {
  const { ask } = createWorld();
  const { status, body } = await ask("GET", "/openapi.json");
  expect(status).toBe(200);
  return body;
};

describe("the OpenAPI document", () => {
  it("lints clean", async () => {
    const config = await createConfig({
      extends: ["recommended"],
      rules: {
        // As all paths of the API that it stands beside.
        "no-path-trailing-slash": "off",
        // It is the host's to say.
        "info-license": "off",
      },
    });
    const lint = async (document: Document): Promise<readonly string[]> => {
      const problems = await lintFromString({ source: JSON.stringify(document), config });
      return problems.map(
        ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer}`,
      );
    };
    const document = await describing();
    // No id is "types": what is written out goes before what has a parameter (OpenAPI 3.1, "Paths").
    const ambiguous = /^no-ambiguous-paths: .*\/webhooks\/types\//;
    const problems = await lint(document);
    expect(problems.filter((problem) => !ambiguous.test(problem))).toEqual([]);

    delete document.components.schemas.Delivery;
    expect((await lint(document)).join()).toContain("no-unresolved-refs");
  });

  it("has every route, and a name for each", async () => {
    const { paths, servers } = await describing();
    const operations = Object.entries(paths as Record<string, Record<string, Document>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, { operationId }]) => [method, path, operationId]),
    );
    expect(servers).toEqual([{ url: "http://api.test/api/v1" }]);
    const nothing = new Proxy({}, { get: () => async () => ({}) }) as never;
    const routes = routeTable({
      webhooks: nothing,
      webhookTypes: nothing,
      deliveries: nothing,
      replays: nothing,
      eventTypes: nothing,
      description: nothing,
    });
    expect(operations).toEqual(
      routes.map(({ method, path, operation }) => [method.toLowerCase(), path, operation]),
    );
    expect(new Set(operations.map(([, , id]) => id)).size).toBe(operations.length);
    expect(operations).toContainEqual([
      "post",
      "/webhooks/{id}/rotate-secret/",
      "rotateWebhookSecret",
    ]);
    expect(operations).toContainEqual(["get", "/openapi.json", "getDescription"]);
  });

  it("describes what a body may have, and no more", async () => {
    const { paths } = await describing();
    const { schema } = paths["/webhooks/"].post.requestBody.content["application/json"];
    expect(schema.required).toEqual(["name", "event_types", "type", "configuration"]);
    expect(schema.additionalProperties).toBe(false);
    expect(schema.properties.type).toEqual({ type: "string", enum: ["slack", "pager", "http"] });
    expect(Object.keys(schema.properties)).not.toContain("id");
  });

  it("shows a body for each type whose configuration has examples, which the API takes", async () => {
    const { ask } = createWorld();
    const { paths } = (await ask("GET", "/openapi.json")).body;
    const { examples } = paths["/webhooks/"].post.requestBody.content["application/json"];
    expect(Object.keys(examples)).toEqual(["slack", "http"]);
    for (const { value } of Object.values<Document>(examples)) {
      // Documentation's own domain is no receiver: the guard refuses it, and nothing else does.
      const url = value.configuration.url?.replace("example.com", "acme.dev");
      const configuration = { ...value.configuration, ...(url !== undefined && { url }) };
      const body = { ...value, configuration };
      expect(await ask("POST", "/webhooks/", { body })).toMatchObject({ status: 201 });
    }
  });

  it("tells problems apart by their status", async () => {
    const { components } = await describing();
    expect(Object.keys(components.responses)).toContain("Problem422");
    for (const [name, response] of Object.entries<Document>(components.responses)) {
      const { example } = response.content["application/problem+json"];
      expect(name).toBe(`Problem${example.status}`);
      expect(response.description).toContain(`\`${example.code}\``);
    }
  });

  it("describes what each event type sends", async () => {
    const { webhooks, components } = await describing();
    expect(Object.keys(webhooks)).toEqual([
      "parameter_created",
      "parameter_updated",
      "parameter_deleted",
      "project_created",
      "project_updated",
      "project_deleted",
      "webhook_disabled",
      "webhook_failing",
    ]);
    const { post } = webhooks.parameter_created;
    expect(post.parameters.map(({ name }: { name: string }) => name)).toEqual([
      "webhook-id",
      "webhook-timestamp",
      "webhook-signature",
    ]);
    expect(post.requestBody.content["application/json"].example).toEqual({
      type: "parameter_created",
      timestamp: "2026-01-05T14:03:00.000Z",
      data: { name: "DB_HOST" },
    });
    expect(components.schemas.Data_parameter_created).toEqual({
      type: "object",
      properties: { name: { type: "string" } },
      required: ["name"],
    });
    expect(Object.keys(post.responses)).toEqual(
      expect.arrayContaining(["2XX", "410", "429", "5XX"]),
    );
  });

  it("is true of what the API answers and takes", async () => {
    const { ask, pager, publish, bus } = createWorld();
    const { body: document } = await ask("GET", "/openapi.json");
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(ajv);
    ajv.addSchema({ ...document, $id: "https://api.test/" });
    const check = (name: string, value: unknown): void => {
      const validate = ajv.compile({ $ref: `https://api.test/#/components/schemas/${name}` });
      expect(validate(value) ? [] : validate.errors, `${name}: ${JSON.stringify(value)}`).toEqual(
        [],
      );
    };
    const takes = ajv.compile({
      $ref: "https://api.test/#/paths/~1webhooks~1/post/requestBody/content/application~1json/schema",
    });
    for (const body of [seed, pagerWebhook, httpWebhook])
      expect(takes(body), JSON.stringify(takes.errors)).toBe(true);
    expect(takes({ ...httpWebhook, secret: "x" })).toBe(false);

    const created = (await ask("POST", "/webhooks/", { body: httpWebhook })).body;
    check("WebhookWithSecret", created);
    check("RotatedWebhook", (await ask("POST", `/webhooks/${created.id}/rotate-secret/`)).body);
    await ask("PATCH", `/webhooks/${created.id}/`, { body: { enabled: false } });
    const { body: pages } = await ask("POST", "/webhooks/", { body: pagerWebhook });
    pager.answer = trouble.passing;
    await publish();
    const path = `/webhooks/${pages.id}/`;
    check("Webhook", (await ask("GET", path)).body);
    check("WebhookPage", (await ask("GET", "/webhooks/?limit=1")).body);
    const deliveries = (await ask("GET", `${path}deliveries/`)).body;
    check("DeliveryPage", deliveries);
    const one = (await ask("GET", `${path}deliveries/${deliveries.results[0].id}/`)).body;
    expect(one.attempts.length).toBeGreaterThan(0);
    check("DeliveryWithAttempts", one);
    const from = new Date(bus.system.now() - 60_000).toISOString();
    const replay = (await ask("POST", `${path}replays/`, { body: { from } })).body;
    check("Replay", replay);
    check("ReplayPage", (await ask("GET", `${path}replays/`)).body);
    check("EventTypePage", (await ask("GET", "/event-types/")).body);
    check("WebhookTypePage", (await ask("GET", "/webhooks/types/")).body);
    check("Problem", (await ask("POST", "/webhooks/", { body: {} })).body);
    check("Problem", (await ask("GET", "/webhooks/x/")).body);
  });

  it("is only for those who may see the event types", async () => {
    const { ask } = createWorld();
    expect((await ask("GET", "/openapi.json", { organization: null })).status).toBe(401);
    const strict = createWorld({
      authenticate: () => ({ organization: "acme", can: () => false }),
    });
    expect((await strict.ask("GET", "/openapi.json")).status).toBe(403);
  });
});
