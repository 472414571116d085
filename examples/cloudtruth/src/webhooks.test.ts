import { createReceiver } from "@posthorn/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signedPayload, webhookPayload } from "./commands.ts";
import { baseUrl, type Rehearsal, rehearse } from "./rehearsal.ts";

let example: Rehearsal;
let send: Rehearsal["send"];
beforeEach(async () => {
  example = await rehearse();
  send = example.send;
});
afterEach(() => example.stop());

const payload = {
  token: "xoxb-fake-acme",
  channel: "#config-changes",
  organization: "acme",
};

describe("a webhook", () => {
  it("is created from the product team's payload, and hides its token", async () => {
    const body = webhookPayload(payload);
    const answer = await send("POST", "/api/v1/webhooks/", { body });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      ...body,
      url: `http://localhost:4000/api/v1/webhooks/${answer.body.id}/`,
      configuration: { token: "********", channel: "#config-changes", username: "CloudTruth" },
    });
  });

  it("is refused for the payload with its placeholders, since no organization is named so", async () => {
    const body = webhookPayload({ token: "string", channel: "string", organization: "string" });
    const answer = await send("POST", "/api/v1/webhooks/", { body });
    expect(answer).toMatchObject({ status: 403, body: { code: "organization_mismatch" } });
  });

  it("hears of its own organization's changes, and of no other's", async () => {
    await send("POST", "/api/v1/webhooks/", {
      body: webhookPayload({ ...payload, eventTypes: ["project_*"] }),
    });
    await send("POST", "/api/v1/projects/", { body: { name: "theirs" }, apiKey: "globex-key" });
    await send("POST", "/api/v1/projects/", { body: { name: "ours" } });
    await example.advance(3_000);
    const [message, ...others] = example.slack.messages("config-changes");
    expect(message?.text).toMatch(/^Project created ours\nBy: Ana Diaz\n/);
    expect(others).toEqual([]);
  });

  it("of type http posts events that its receiver takes, and nobody can change", async () => {
    const server = await createReceiver();
    const { configuration, ...webhook } = signedPayload(baseUrl) as { configuration: object };
    const answer = await send("POST", "/api/v1/webhooks/", {
      body: { ...webhook, configuration: { ...configuration, url: server.url } },
    });
    expect(answer).toMatchObject({ status: 201, body: { configuration: { secret: "********" } } });
    await send("POST", "/api/v1/projects/", { body: { name: "web" } });
    await example.bus.drain();
    const [request] = server.requests;
    await server.close();
    const receive = (body = request?.body ?? ""): Promise<Response> =>
      example.fetch(
        new Request(`${baseUrl}/receiver/`, {
          method: "POST",
          headers: Object.entries(request?.headers ?? {}).map(([name, value]) => [
            name,
            String(value),
          ]),
          body,
        }),
      );
    expect((await receive()).status).toBe(204);
    expect((await receive(`${request?.body} `)).status).toBe(401);
    expect(JSON.stringify(example.logged)).toContain("took project_created");
  });

  it("says why nothing arrives in an archived channel", async () => {
    const { body: webhook } = await send("POST", "/api/v1/webhooks/", {
      body: webhookPayload({ ...payload, channel: "#old-releases", eventTypes: ["*"] }),
    });
    await send("POST", "/api/v1/projects/", { body: { name: "web" } });
    await example.advance(3_000);
    const { body } = await send("GET", webhook.url);
    expect(body).toMatchObject({
      enabled: false,
      status: "error",
      status_detail: expect.stringContaining("is_archived"),
    });
  });
});
