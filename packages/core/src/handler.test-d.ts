import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type DeliverContext,
  type DeliverItem,
  defineHandler,
  delivered,
  failed,
  gone,
  type Handler,
  type Outcome,
  type SecretKey,
  throttled,
} from "./index.ts";

const deliver = async (): Promise<Outcome> => delivered();

describe("a handler", () => {
  it("infers its type and its configuration, as given and as parsed", () => {
    const slack = defineHandler({
      type: "slack",
      configuration: v.strictObject({
        channel: v.string(),
        token: v.string(),
        retries: v.optional(v.number(), 3),
      }),
      secrets: ["token"],
      gates: (configuration) => {
        expectTypeOf(configuration.retries).toEqualTypeOf<number>();
        return [{ name: "channel", key: configuration.channel, limit: 1, perMs: 1_000 }];
      },
      deliver: async ({ configuration }) => {
        expectTypeOf(configuration).toEqualTypeOf<{
          channel: string;
          token: string;
          retries: number;
        }>();
        return delivered();
      },
    });
    expectTypeOf(slack).toEqualTypeOf<
      Handler<
        "slack",
        { channel: string; token: string; retries?: number | undefined },
        { channel: string; token: string; retries: number }
      >
    >();
  });

  it("gives a call for several the configuration and the items", () => {
    defineHandler({
      type: "digest",
      configuration: v.strictObject({ channel: v.string() }),
      deliver,
      batch: {
        max: 20,
        deliver: async ({ configuration, items, state, ...context }) => {
          expectTypeOf(configuration).toEqualTypeOf<{ channel: string }>();
          expectTypeOf(items).toEqualTypeOf<readonly DeliverItem[]>();
          expectTypeOf(context).not.toHaveProperty("event");
          expectTypeOf(context).not.toHaveProperty("delivery");
          return delivered({ state });
        },
      },
    });
    // @ts-expect-error -- without a most
    defineHandler({ type: "a", configuration: v.string(), deliver, batch: { deliver } });
  });

  it("takes schemas of any kind", () => {
    defineHandler({
      type: "http",
      configuration: z.strictObject({ url: z.url(), secret: z.string() }),
      secrets: ["secret", "url"],
      deliver: async ({ configuration }) => {
        expectTypeOf(configuration).toEqualTypeOf<{ url: string; secret: string }>();
        return failed("no");
      },
    });
    defineHandler({
      type: "mail",
      configuration: type({ "+": "reject", to: "string", "password?": "string" }),
      secrets: ["password"],
      deliver: async ({ configuration }) => {
        expectTypeOf(configuration.to).toEqualTypeOf<string>();
        return delivered();
      },
    });
  });

  it("may name as secrets the keys whose values are texts, required or not", () => {
    expectTypeOf<
      SecretKey<{ a: string; b?: string; c: number; d: string[]; e: string | null; f: "x" }>
    >().toEqualTypeOf<"a" | "b" | "e" | "f">();
  });

  it("learns of an event whose data it cannot know", () => {
    expectTypeOf<DeliverContext["event"]["data"]>().toEqualTypeOf<unknown>();
    expectTypeOf<DeliverContext["event"]["payload"]>().toEqualTypeOf<string>();
    expectTypeOf<DeliverContext["configuration"]>().toEqualTypeOf<unknown>();
  });
});

describe("a mistake in a handler does not compile", () => {
  it("a secret that its configuration does not have", () => {
    defineHandler({
      type: "slack",
      configuration: v.strictObject({ token: v.string() }),
      // @ts-expect-error it is called `token`
      secrets: ["tokn"],
      deliver,
    });
    defineHandler({
      type: "slack",
      configuration: z.strictObject({ token: z.string() }),
      // @ts-expect-error it is called `token`
      secrets: ["token", "password"],
      deliver,
    });
    defineHandler({
      type: "slack",
      configuration: type({ token: "string" }),
      // @ts-expect-error it is called `token`
      secrets: ["tokn"],
      deliver,
    });
  });

  it("a secret that is not a text", () => {
    defineHandler({
      type: "slack",
      configuration: v.strictObject({ retries: v.number() }),
      // @ts-expect-error a number cannot be sealed
      secrets: ["retries"],
      deliver,
    });
  });

  it("no deliver, no type, no configuration", () => {
    // @ts-expect-error `deliver` is required
    defineHandler({ type: "slack", configuration: v.strictObject({}) });
    // @ts-expect-error `type` is required
    defineHandler({ configuration: v.strictObject({}), deliver });
    // @ts-expect-error `configuration` is required
    defineHandler({ type: "slack", deliver });
  });

  it("a deliver that reports no outcome", () => {
    defineHandler({
      type: "slack",
      configuration: v.strictObject({}),
      // @ts-expect-error a status is no outcome
      deliver: async () => ({ status: 200 }),
    });
    defineHandler({
      type: "slack",
      configuration: v.strictObject({}),
      // @ts-expect-error nothing is no outcome
      deliver: async () => {},
    });
  });

  it("an outcome that lacks what it must say", () => {
    // @ts-expect-error a failure has a reason
    failed();
    // @ts-expect-error a throttle says how long
    throttled({});
    // @ts-expect-error a success has no reason
    delivered({ reason: "why not" });
    // @ts-expect-error what is gone is not tried again
    gone("status 410", { retryAfterMs: 5 });
  });
});
