import { expect, it } from "vitest";
import { createWorld, pagerWebhook, trouble } from "../test/acme.ts";
import { operationalCatalog } from "./operational.ts";

it("operational events say what their schemas say, no more and no less", async () => {
  const { bus, given, pager, publish } = createWorld();
  await given({ ...pagerWebhook });
  pager.answer = trouble.passing;
  for (let day = 0; day < 7; day += 1) {
    for (let events = 0; events < 20; events += 1) await publish();
    await bus.advance(24 * 60 * 60_000);
  }
  const { items } = await bus.events.list({ organization: "acme", limit: 100 });
  const told = items.filter(({ type }) => type.startsWith("webhook_"));
  expect(told.map(({ type }) => type)).toEqual(["webhook_disabled", "webhook_failing"]);
  for (const { type, data } of told) {
    const { schema } = operationalCatalog[type as keyof typeof operationalCatalog];
    expect(schema["~standard"].validate(data)).toMatchObject({ value: data });
  }
});
