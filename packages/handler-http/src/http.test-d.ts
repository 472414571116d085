import { createEventBus, defineCatalog } from "@posthorn/core";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { http } from "./http.ts";

const catalog = defineCatalog({
  project_created: { schema: v.object({ name: v.string() }) },
  invoice_paid: { schema: v.object({ cents: v.number() }) },
});

describe("a transform", () => {
  it("is given the events of the catalog", () => {
    http<typeof catalog>({
      transform: (event) => {
        if (event.type === "invoice_paid")
          expectTypeOf(event.data).toEqualTypeOf<{ cents: number }>();
        // @ts-expect-error: no event of the catalog has this type.
        if (event.type === "invoice_payed") return null;
        return event.type === "project_created" ? { body: event.data.name } : null;
      },
    });
  });

  it("answers a body, or null", () => {
    http({ transform: ({ data }) => ({ body: JSON.stringify(data), contentType: "text/plain" }) });
    // @ts-expect-error: a body is text or bytes.
    http({ transform: () => ({ body: 1 }) });
  });
});

describe("a webhook of type http", () => {
  it("needs a url, and takes what there is beside it", () => {
    const bus = createEventBus({ catalog, storage: {} as never, handlers: [http()] });
    const more = { organization: "acme", name: "N", eventTypes: ["*"], type: "http" } as const;
    void bus.subscriptions.create({ ...more, configuration: { url: "https://a.dev/" } });
    void bus.subscriptions.create({
      ...more,
      configuration: { url: "https://a.dev/", signature: "v1a", format: "cloudevents" },
    });
    // @ts-expect-error: the url is missing.
    void bus.subscriptions.create({ ...more, configuration: {} });
    // @ts-expect-error: there is no such format.
    void bus.subscriptions.create({ ...more, configuration: { url: "", format: "xml" } });
  });
});
