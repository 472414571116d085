import { slack } from "@posthorn/handler-slack";
import { createTestBus } from "@posthorn/testing";
import { createFakeSlack, type FakeSlack } from "@posthorn/testing/slack";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { catalog } from "./catalog.ts";
import { settleInvoice } from "./invoices.ts";

const invoice = { id: "in_1", organization: "acme", cents: 4_200 };
const acme = { organization: "acme" };

// #region publish
describe("settling an invoice", () => {
  it("publishes that it was paid", async () => {
    const bus = createTestBus({ catalog, handlers: [] });
    await settleInvoice(invoice, bus);
    const { items } = await bus.events.list(acme);
    expect(items).toMatchObject([
      { type: "invoice_paid", data: { invoice: "in_1", cents: 4_200 } },
    ]);
  });

  it("publishes it once, however often it is called", async () => {
    const bus = createTestBus({ catalog, handlers: [] });
    await settleInvoice(invoice, bus);
    await settleInvoice(invoice, bus);
    expect((await bus.events.list(acme)).items).toHaveLength(1);
  });

  it("publishes nothing for an invoice that has nothing to pay", async () => {
    const bus = createTestBus({ catalog, handlers: [] });
    await expect(settleInvoice({ ...invoice, cents: 0 }, bus)).rejects.toThrow("nothing to pay");
    expect((await bus.events.list(acme)).items).toEqual([]);
  });
});
// #endregion publish

// #region slack
describe("acme's channel", () => {
  let fake: FakeSlack;
  beforeEach(async () => {
    fake = await createFakeSlack();
  });
  afterEach(() => fake.close());

  async function subscribed() {
    const bus = createTestBus({ catalog, handlers: [slack({ baseUrl: fake.url })] });
    const { id } = await bus.subscriptions.create({
      ...acme,
      name: "Payments",
      eventTypes: ["invoice_paid"],
      type: "slack",
      configuration: { token: "xoxb-fake", channel: "#general", username: "Billing" },
    });
    return { bus, webhook: { ...acme, id } };
  }

  it("hears of a paid invoice", async () => {
    const { bus } = await subscribed();
    await settleInvoice(invoice, bus);
    await bus.drain();
    expect(fake.messages("general")[0]?.text).toMatch(/^Invoice paid\nInvoice: in_1\nCents: 4200/);
  });

  it("hears of it when Slack is back", async () => {
    const { bus } = await subscribed();
    fake.fault({ times: 3, action: { type: "html", status: 503 } });
    await settleInvoice(invoice, bus);
    await bus.advance(60_000);
    expect(fake.messages("general")).toEqual([]);
    await bus.advance(60 * 60_000);
    expect(fake.messages("general")).toHaveLength(1);
  });

  it("is told what to do when its token no longer works", async () => {
    const { bus, webhook } = await subscribed();
    fake.updateToken("xoxb-fake", { state: "revoked" });
    await settleInvoice(invoice, bus);
    await bus.drain();
    const { enabled, disabledReason } = await bus.subscriptions.get(webhook);
    expect(enabled).toBe(false);
    expect(disabledReason).toContain("Install the Slack app again");
  });
});
// #endregion slack
