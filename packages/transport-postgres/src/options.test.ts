import { isPosthornError } from "@posthorn/core";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { fakeClient } from "../test/fake-client.ts";
import { type PostgresTransportOptions, resolveOptions } from "./options.ts";

const refusalOf = (options: unknown): string => {
  try {
    resolveOptions(options as PostgresTransportOptions);
  } catch (error) {
    return isPosthornError(error, "invalid_options") ? error.message : String(error);
  }
  return "none";
};
const createClient = () => fakeClient();

describe("options", () => {
  it.each<[string, unknown, string]>([
    ["none", undefined, "createClient must be a function, such as `() => new pg.Client(url)`."],
    ["a URL", { createClient: "postgres://" }, "createClient must be a function"],
    ["a Pool", { createClient: () => new pg.Pool() }, "createClient answered a Pool."],
    ["a promise", { createClient: async () => fakeClient() }, "without connect, query, on, end."],
    ["no client", { createClient: () => null }, "It must answer a new client of the pg package"],
    ["a channel in capitals", { createClient, channel: "Posthorn" }, 'channel is "Posthorn".'],
    ["a quoted channel", { createClient, channel: 'a"; drop' }, "lower-case letters, digits"],
    ["no channel", { createClient, channel: "" }, 'channel is "".'],
    ["a long channel", { createClient, channel: "a".repeat(64) }, "at most 63"],
    ["a number", { createClient, channel: 7 }, "channel is 7."],
    ["events as text", { createClient, events: "no" }, 'events is "no".'],
    ["a fast heart", { createClient, heartbeatMs: 999 }, "heartbeatMs is 999."],
    ["half a beat", { createClient, heartbeatMs: 1_000.5 }, "an integer from 1000 to 86400000."],
    [
      "no heart",
      { createClient, heartbeatMs: Number.POSITIVE_INFINITY },
      "heartbeatMs is Infinity",
    ],
  ])("refuse %s, and say what to give", (_, options, message) => {
    expect(refusalOf(options)).toContain(message);
  });

  it("take a client of pg, and a channel of 63 characters", () => {
    const client = new pg.Client();
    const options = resolveOptions({ createClient: () => client, channel: `_${"a1".repeat(31)}` });
    expect(options.createClient()).toBe(client);
  });

  it("throw what createClient throws", () => {
    const options = {
      createClient: () => {
        throw new Error("no such variable");
      },
    };
    expect(() => resolveOptions(options)).toThrow("no such variable");
  });
});
