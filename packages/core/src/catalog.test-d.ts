import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type CatalogEvent,
  defineCatalog,
  type EventData,
  type EventInput,
  type EventName,
  type EventPattern,
  family,
  type MatchedName,
} from "./index.ts";

const project = v.object({ name: v.string(), seats: v.optional(v.number(), 1) });

const catalog = defineCatalog({
  ...family("project", { schema: project, example: { name: "Apollo" } }),
  invoice_paid: {
    schema: z.object({ amount: z.number(), paidAt: z.string().transform(Number) }),
    description: "An invoice was paid.",
    example: { amount: 5, paidAt: "1767225600000" },
  },
  "audit.entry-added": { schema: type({ actor: "string", "note?": "string" }) },
  ping: { schema: v.null() },
});
type C = typeof catalog;

describe("a catalog", () => {
  it("infers its names, those of a family too", () => {
    expectTypeOf<EventName<C>>().toEqualTypeOf<
      | "project_created"
      | "project_updated"
      | "project_deleted"
      | "invoice_paid"
      | "audit.entry-added"
      | "ping"
    >();
  });

  it("infers what a publisher gives and what a listener gets, from any kind of schema", () => {
    expectTypeOf<EventInput<C, "project_created">>().toEqualTypeOf<{
      name: string;
      seats?: number | undefined;
    }>();
    expectTypeOf<EventData<C, "project_created">>().toEqualTypeOf<{
      name: string;
      seats: number;
    }>();
    expectTypeOf<EventInput<C, "invoice_paid">["paidAt"]>().toEqualTypeOf<string>();
    expectTypeOf<EventData<C, "invoice_paid">["paidAt"]>().toEqualTypeOf<number>();
    expectTypeOf<EventData<C, "audit.entry-added">>().toEqualTypeOf<{
      actor: string;
      note?: string;
    }>();
    expectTypeOf<EventInput<C, "ping">>().toEqualTypeOf<null>();
  });

  it("infers its patterns: names, beginnings that end with a separator, and everything", () => {
    expectTypeOf<EventPattern<C>>().toEqualTypeOf<
      EventName<C> | "project_*" | "invoice_*" | "audit.*" | "audit.entry-*" | "*"
    >();
  });

  it("knows which names a pattern matches", () => {
    expectTypeOf<MatchedName<C, "project_*">>().toEqualTypeOf<
      "project_created" | "project_updated" | "project_deleted"
    >();
    expectTypeOf<MatchedName<C, "audit.*">>().toEqualTypeOf<"audit.entry-added">();
    expectTypeOf<MatchedName<C, "*">>().toEqualTypeOf<EventName<C>>();
    expectTypeOf<MatchedName<C, "ping">>().toEqualTypeOf<"ping">();
    expectTypeOf<MatchedName<C, "pin">>().toEqualTypeOf<never>();
  });

  it("makes events whose type tells what their data is", () => {
    const narrowed = (event: CatalogEvent<C>): number => {
      if (event.type === "invoice_paid") return event.data.amount;
      // @ts-expect-error the data of the other types has no amount
      return event.data.amount;
    };
    expectTypeOf(narrowed).returns.toBeNumber();
  });
});

describe("a mistake in a catalog does not compile", () => {
  it("an example that its schema refuses", () => {
    defineCatalog({
      invoice_paid: {
        schema: v.object({ amount: v.number() }),
        // @ts-expect-error the amount is a number
        example: { amount: "5" },
      },
    });
    defineCatalog({
      invoice_paid: {
        schema: z.object({ amount: z.number() }),
        // @ts-expect-error the amount is missing
        example: {},
      },
    });
    defineCatalog({
      invoice_paid: {
        schema: type({ amount: "number" }),
        // @ts-expect-error the schema has no currency
        example: { amount: 5, currency: "EUR" },
      },
    });
  });

  it("an example of a family that its schema refuses", () => {
    family("project", {
      schema: project,
      // @ts-expect-error the name is a text
      example: { name: 5 },
    });
  });

  it("an event type without a schema, or with one that is none", () => {
    // @ts-expect-error a schema is required
    defineCatalog({ invoice_paid: {} });
    // @ts-expect-error a plain object is no schema
    defineCatalog({ invoice_paid: { schema: { amount: "number" } } });
  });

  it("a field that event types do not have", () => {
    defineCatalog({
      invoice_paid: {
        schema: v.null(),
        // @ts-expect-error it is called `description`
        descripton: "An invoice was paid.",
      },
    });
  });

  it("a change of a catalog that exists", () => {
    // @ts-expect-error a catalog is read-only
    catalog.ping = { schema: v.null() };
  });
});
