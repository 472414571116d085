import type { Event, EventType, Handler } from "@posthorn/core";
import type { GenericSchema } from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import {
  code,
  type Message,
  mrkdwn,
  type SlackConfiguration,
  type SlackConfigurationInput,
  slack,
} from "./index.ts";

type Catalog = {
  readonly project_created: EventType<GenericSchema<{ name: string }>>;
  readonly value_updated: EventType<GenericSchema<{ parameter: { name: string } }>>;
};

describe("slack", () => {
  it("is a handler of type slack with its configuration", () => {
    expectTypeOf(slack()).toEqualTypeOf<
      Handler<"slack", SlackConfigurationInput, SlackConfiguration>
    >();
    expectTypeOf(slack<Catalog>({ templates: {} })).toEqualTypeOf(slack());
  });

  it("gives each template its event", () => {
    slack<Catalog>({
      templates: {
        project_created: (event) => {
          expectTypeOf(event.type).toEqualTypeOf<"project_created">();
          expectTypeOf(event.data).toEqualTypeOf<{ name: string }>();
          return { lead: mrkdwn`*Project created* ${code(event.data.name)}` };
        },
        value_updated: ({ data }) => ({ lead: data.parameter.name }),
      },
    });
  });

  it("knows no other event types", () => {
    slack<Catalog>({
      templates: {
        // @ts-expect-error no such event type
        project_create: (): Message => ({ lead: "x" }),
      },
    });
  });

  it("knows no other data", () => {
    slack<Catalog>({
      templates: {
        // @ts-expect-error a project has no title
        project_created: ({ data }) => ({ lead: data.title }),
      },
    });
  });

  it("takes templates without a catalog, for data that they must check", () => {
    slack({
      templates: {
        anything: (event) => {
          expectTypeOf(event).toEqualTypeOf<Event>();
          return { lead: event.type };
        },
        // @ts-expect-error data is unknown
        other: ({ data }) => ({ lead: data.name }),
      },
    });
  });

  it("takes messages for templates, at once", () => {
    // @ts-expect-error a promise is no message
    slack({ templates: { anything: async () => ({ lead: "x" }) } });
    // @ts-expect-error a message has a lead
    slack({ templates: { anything: () => ({ text: "x" }) } });
    // @ts-expect-error an object is no text
    slack({ templates: { anything: ({ actor }) => ({ lead: mrkdwn`${actor}` }) } });
  });
});
