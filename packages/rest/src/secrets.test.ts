import { MASK } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { createWorld, httpWebhook, pagerWebhook, type World } from "../test/acme.ts";

const SECRET = /^whsec_[A-Za-z0-9+/]{43}=$/;

async function given(
  configuration: object = {},
): Promise<World & { path: string; secret: string }> {
  const world = createWorld();
  const body = {
    ...httpWebhook,
    configuration: { ...httpWebhook.configuration, ...configuration },
  };
  const created = await world.ask("POST", "/webhooks/", { body });
  return { ...world, path: `/webhooks/${created.body.id}/`, secret: created.body.secret };
}

describe("a webhook whose secret is made here", () => {
  it("shows it when it is created, and never again", async () => {
    const { ask, path, secret, said } = await given();
    expect(secret).toMatch(SECRET);
    const before = said.length;
    const shown = await ask("GET", path);
    await ask("PATCH", path, { body: { name: "Other" } });
    await ask("PUT", path, { body: { ...httpWebhook } });
    await ask("GET", "/webhooks/");
    expect(shown.body.configuration).toEqual({ ...httpWebhook.configuration, secret: MASK });
    expect(shown.body).not.toHaveProperty("secret");
    expect(said.slice(before).join()).not.toContain(secret);
  });

  it("does not show it when it is created again with the same Idempotency-Key", async () => {
    const { ask } = createWorld();
    const create = () =>
      ask("POST", "/webhooks/", { body: httpWebhook, headers: { "idempotency-key": "once" } });
    const [first, second] = [await create(), await create()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.id).toBe(first.body.id);
    expect(first.body.secret).toMatch(SECRET);
    expect(second.body).not.toHaveProperty("secret");
  });

  it("shows the public key of an ed25519 secret", async () => {
    const { secret, said } = await given({ signature: "v1a" });
    expect(secret).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    expect(said.join()).not.toContain("whsk_");
  });

  it("shows none that its owner has given", async () => {
    const own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const { secret, said } = await given({ secret: own });
    expect(secret).toBeUndefined();
    expect(said.join()).not.toContain(own);
  });

  it("can have none that a client made too short, too long or otherwise wrong", async () => {
    const { ask } = createWorld();
    const of = (count: number): string => `whsec_${Buffer.alloc(count, 7).toString("base64")}`;
    const wrong = ["", "whsec_", of(23), of(65), "whsec_!!!!", of(24).slice(6), ` ${of(24)}`, MASK];
    for (const secret of [...wrong, null, 5]) {
      const configuration = { ...httpWebhook.configuration, secret };
      const { status, body } = await ask("POST", "/webhooks/", {
        body: { ...httpWebhook, configuration },
      });
      expect([status, body.code], String(secret)).toEqual([422, "invalid_configuration"]);
      expect(body.errors[0].pointer).toBe("/configuration/secret");
    }
  });
});

describe("POST …/rotate-secret/", () => {
  it("answers a new secret this once, and until when the old one is good", async () => {
    const { ask, path, secret } = await given();
    const { status, body } = await ask("POST", `${path}rotate-secret/`);
    expect(status).toBe(200);
    expect(body.secret).toMatch(SECRET);
    expect(body.secret).not.toBe(secret);
    const lasts = Date.parse(body.previous_secret_expires_at) - Date.parse(body.modified_at);
    expect(lasts).toBe(24 * 3_600_000);
    expect((await ask("GET", path)).body.configuration.secret).toBe(MASK);
    expect(Object.keys((await ask("GET", path)).body.configuration)).toEqual(["url", "secret"]);
  });

  it("lets the client say for how long", async () => {
    const { ask, path } = await given();
    const { body } = await ask("POST", `${path}rotate-secret/`, { body: { overlap_seconds: 60 } });
    expect(Date.parse(body.previous_secret_expires_at) - Date.parse(body.modified_at)).toBe(60_000);
    for (const overlap_seconds of [-1, 1.5, "60", null, 604_801]) {
      const wrong = await ask("POST", `${path}rotate-secret/`, { body: { overlap_seconds } });
      expect([wrong.status, wrong.body.code]).toEqual([422, "invalid_webhook"]);
    }
  });

  it("keeps at most three secrets, until the previous ones are revoked", async () => {
    const { ask, path } = await given();
    for (const expected of [200, 200, 409]) {
      expect((await ask("POST", `${path}rotate-secret/`)).status).toBe(expected);
    }
    expect((await ask("POST", `${path}rotate-secret/`)).body.code).toBe("too_many_secrets");
    const revoked = await ask("POST", `${path}revoke-previous-secret/`);
    expect(revoked.status).toBe(200);
    expect(revoked.body).not.toHaveProperty("secret");
    expect((await ask("POST", `${path}rotate-secret/`)).status).toBe(200);
  });

  it("is a conflict where no secret is made here", async () => {
    const world = createWorld();
    const path = await world.given(pagerWebhook);
    const { status, body } = await world.ask("POST", `${path}rotate-secret/`);
    expect([status, body.code]).toEqual([409, "nothing_to_rotate"]);
  });

  it("tells the log that it happened, and no secret", async () => {
    const { ask, path, secret, logged } = await given();
    const { body } = await ask("POST", `${path}rotate-secret/`);
    expect(logged.at(-1)?.fields).toMatchObject({
      path: "/webhooks/{id}/rotate-secret/",
      actor: "acme-ana",
    });
    expect(JSON.stringify(logged)).not.toContain(secret);
    expect(JSON.stringify(logged)).not.toContain(body.secret);
  });
});
