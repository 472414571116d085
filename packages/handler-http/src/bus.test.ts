import { defineCatalog } from "@posthorn/core";
import { createReceiver, createTestBus } from "@posthorn/testing";
import * as v from "valibot";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { loopback } from "../test/call.ts";
import { http } from "./http.ts";
import { verifyWebhook } from "./verify.ts";

const catalog = defineCatalog({ project_created: { schema: v.object({ name: v.string() }) } });
const organization = "acme";

const receiver = await createReceiver();
afterAll(() => receiver.close());
beforeEach(() => receiver.respond(() => ({})));

function setup() {
  const logged: string[] = [];
  const note = (fields: object, message: string): void =>
    void logged.push(JSON.stringify([fields, message]));
  const logger = { debug: note, info: note, warn: note, error: note };
  const bus = createTestBus({ catalog, handlers: [http(loopback)], logger });
  const before = receiver.requests.length;
  return {
    bus,
    logged,
    received: () => receiver.requests.slice(before),
    create: (path = "", configuration = {}) =>
      bus.subscriptions.create({
        organization,
        name: "Hooks",
        eventTypes: ["*"],
        type: "http",
        configuration: { url: `${receiver.url}${path}`, ...configuration },
      }),
    /** Lets time pass between requests, and none during them, however long they really take. */
    pass: async (ms: number) => {
      bus.system.moveTo(bus.system.now() + ms);
      await bus.drain();
    },
    publish: async () => {
      await bus.publish("project_created", { name: "web" }, { organization });
      await bus.drain();
    },
  };
}

describe("on a bus", () => {
  it("a webhook is signed with the secret that was shown, and after a rotation with both", async () => {
    const { bus, create, publish, received } = setup();
    const { id, generatedSecret: first = "" } = await create();
    await publish();
    const { generatedSecret: second } = await bus.subscriptions.rotateSecret({ organization, id });
    await publish();
    await bus.subscriptions.revokePreviousSecrets({ organization, id });
    await publish();

    const goodWith = async (nr: number, secret: string): Promise<boolean> => {
      const { body, headers } = received()[nr] as (typeof receiver.requests)[number];
      return verifyWebhook(body, headers, { secret }).then(
        () => true,
        () => false,
      );
    };
    expect([await goodWith(0, first), await goodWith(0, second)]).toEqual([true, false]);
    expect([await goodWith(1, first), await goodWith(1, second)]).toEqual([true, true]);
    expect([await goodWith(2, first), await goodWith(2, second)]).toEqual([false, true]);
  });

  it("a rotation from one kind of signature to the other has both meanwhile", async () => {
    const { bus, create, publish, received } = setup();
    const { id } = await create();
    await bus.subscriptions.update({ organization, id }, { configuration: { signature: "v1a" } });
    const { generatedSecret } = await bus.subscriptions.rotateSecret({ organization, id });
    await publish();
    const { body, headers } = received()[0] as (typeof receiver.requests)[number];
    expect(generatedSecret).toMatch(/^whpk_/);
    expect(headers["webhook-signature"]).toMatch(/^v1a,\S+ v1,\S+$/);
    await verifyWebhook(body, headers, { secret: generatedSecret });
  });

  it("the same id and the same bytes come again after a failure, with a new signature", async () => {
    const { create, pass, publish, received } = setup();
    await create();
    receiver.respond([{ status: 500 }]);
    await publish();
    await pass(10_000);
    const [first, second] = received();
    expect(received()).toHaveLength(2);
    expect(second?.body).toBe(first?.body);
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  });

  it("a host that asks to wait is left alone by all webhooks to it, and spends no attempt", async () => {
    const { bus, create, pass, publish, received } = setup();
    await create("a");
    await create("b");
    receiver.respond(({ path }) =>
      path === "/a" ? { status: 429, headers: { "retry-after": "30" } } : {},
    );
    await publish();
    const asked = received().length;
    await publish();
    await pass(20_000);
    expect(received()).toHaveLength(asked);
    receiver.respond(() => ({}));
    await pass(60_000);
    const { items } = await bus.deliveries.list({ organization });
    expect(items.map(({ status, attempts }) => [status, attempts])).toEqual(
      Array(4).fill(["delivered", 1]),
    );
  });

  it("one wrong path holds up no other path of its host", async () => {
    const { create, publish, received } = setup();
    await create("wrong");
    await create("right");
    receiver.respond(({ path }) => ({ status: path === "/wrong" ? 404 : 200 }));
    for (let nr = 0; nr < 15; nr += 1) await publish();
    expect(received().filter(({ path }) => path === "/right")).toHaveLength(15);
  });

  it("410 switches the webhook off, with advice", async () => {
    const { bus, create, publish } = setup();
    const { id } = await create();
    receiver.respond([{ status: 410 }]);
    await publish();
    const { enabled, disabledReason } = await bus.subscriptions.get({ organization, id });
    expect(enabled).toBe(false);
    expect(disabledReason).toContain("HTTP 410");
  });

  it("no secret is in any record or log, also if the receiver repeats it", async () => {
    const { bus, create, publish, logged } = setup();
    const authorization = "Bearer canary-51f0b7c2";
    const { id, generatedSecret = "" } = await create("", { authorization });
    const { generatedSecret: second } = await bus.subscriptions.rotateSecret({ organization, id });
    receiver.respond(({ headers }) => ({
      status: 500,
      body: `${headers["authorization"]} ${generatedSecret} ${second}`,
    }));
    await publish();
    const { items } = await bus.deliveries.list({ organization });
    const told = await bus.deliveries.get({ organization, id: items[0]?.id ?? "" });
    expect(JSON.stringify(told)).toContain("********");
    for (const secret of [authorization, generatedSecret, second]) {
      expect(JSON.stringify([told, logged])).not.toContain(secret);
    }
  });
});
