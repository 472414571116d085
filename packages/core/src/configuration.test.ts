import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  changeConfiguration,
  maskConfiguration,
  openConfiguration,
  parseConfiguration,
  refuseUnsealable,
  sealConfiguration,
} from "./configuration.ts";
import { defineHandler, delivered, type Handler } from "./handler.ts";
import { keyring } from "./secrets.ts";
import { MASK, type SubscriptionRecord } from "./subscription.ts";
import { nodeSystem } from "./system.ts";

const system = nodeSystem();
const ring = keyring([{ id: "k1", key: system.bytes(32) }], system);
const place = { organization: "acme", subscriptionId: "s1" };
const deliver = async () => delivered();
const slack = defineHandler({
  type: "slack",
  configuration: v.strictObject({
    channel: v.string(),
    token: v.pipe(v.string(), v.trim(), v.regex(/^xoxb-/)),
    secret: v.optional(v.string()),
  }),
  secrets: ["token", "secret"],
  deliver,
}) as Handler;

type Sealed = ReturnType<typeof sealConfiguration>;
const record = (sealed: Sealed): SubscriptionRecord =>
  ({ id: "s1", organization: "acme", ...sealed }) as SubscriptionRecord;

describe("a configuration", () => {
  const given = { channel: "#general", token: "xoxb-hunter2", icon: { emoji: ":horn:" } };

  it("is stored with its secrets sealed and apart, and comes back whole", () => {
    const sealed = sealConfiguration(slack, given, place, ring);
    expect(sealed.configuration).toEqual({ channel: "#general", icon: { emoji: ":horn:" } });
    expect(Object.keys(sealed.secrets)).toEqual(["token"]);
    expect(JSON.stringify(sealed)).not.toContain("hunter2");
    expect(openConfiguration(record(sealed), ring)).toEqual(given);
  });

  it("does not open as another subscription's or organization's", () => {
    const sealed = sealConfiguration(slack, given, place, ring);
    for (const stolen of [{ id: "s2" }, { organization: "globex" }]) {
      expect(() => openConfiguration({ ...record(sealed), ...stolen }, ring)).toThrow(
        expect.objectContaining({ code: "unreadable_secret" }),
      );
    }
  });

  it("does not open with one secret in another's place", () => {
    const { secrets, ...rest } = sealConfiguration(slack, { token: "a", secret: "b" }, place, ring);
    const swapped = { token: secrets["secret"] as string, secret: secrets["token"] as string };
    expect(() => openConfiguration(record({ ...rest, secrets: swapped }), ring)).toThrow(
      expect.objectContaining({ code: "unreadable_secret" }),
    );
  });

  it("is shown with a mask for every secret, whatever it is", () => {
    const sealed = sealConfiguration(slack, { ...given, secret: "" }, place, ring);
    expect(maskConfiguration(sealed)).toEqual({
      channel: "#general",
      icon: { emoji: ":horn:" },
      token: MASK,
      secret: MASK,
    });
  });

  it("keeps keys that objects have by nature as data, and gives nobody a prototype", () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":1,"token":"xoxb-a"}');
    const opened = openConfiguration(
      record(sealConfiguration(slack, hostile, place, ring)),
      ring,
    ) as object;
    expect(Object.keys(opened)).toEqual(["__proto__", "constructor", "token"]);
    expect(Object.getPrototypeOf(opened)).toBe(Object.prototype);
    expect((opened as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe("a change", () => {
  const stored = { channel: "#general", icon: 1, token: "xoxb-old", secret: "s" };
  const change = (changes: object, replace = false) =>
    changeConfiguration(slack, stored, changes as never, replace);

  it("is merged key by key", () => {
    expect(change({ channel: "#new", note: "a" })).toEqual({
      ...stored,
      channel: "#new",
      note: "a",
    });
    expect(change({})).toEqual(stored);
  });

  it("as a whole drops what it does not name, but for secrets", () => {
    expect(change({ channel: "#new" }, true)).toEqual({
      channel: "#new",
      token: "xoxb-old",
      secret: "s",
    });
  });

  it("takes the mask, and what is undefined, for what is stored", () => {
    for (const replace of [false, true]) {
      expect(change({ token: MASK, secret: undefined, channel: "#c" }, replace)).toMatchObject({
        token: "xoxb-old",
        secret: "s",
      });
    }
    expect(change({ channel: undefined })).toEqual(stored);
  });

  it("takes the mask for a text where it stands for no secret", () => {
    expect(change({ channel: MASK })).toMatchObject({ channel: MASK });
  });

  it("replaces a secret by another, and hands null on for the schema to judge", () => {
    expect(change({ token: "xoxb-new", icon: null })).toEqual({
      ...stored,
      token: "xoxb-new",
      icon: null,
    });
  });

  it("that is what was shown changes nothing", () => {
    const configuration = fc.dictionary(
      fc.constantFrom("channel", "icon", "token", "secret"),
      fc.string().filter((text) => text.isWellFormed()),
    );
    fc.assert(
      fc.property(configuration, fc.boolean(), (stored, replace) => {
        const shown = maskConfiguration(sealConfiguration(slack, stored, place, ring));
        expect(changeConfiguration(slack, stored, shown, replace)).toEqual(stored);
      }),
    );
  });

  it("does not change what is stored", () => {
    const before = structuredClone(stored);
    change({ channel: "#new", token: "xoxb-new" });
    expect(stored).toEqual(before);
  });
});

describe("a secret that cannot be sealed is refused, and not repeated", () => {
  it.each([
    [MASK, /configuration\.token: is the mask .* Send the secret itself/],
    [12_345_678, /configuration\.token: is a secret, and must be a string/],
    [{ nested: "hunter2" }, /configuration\.token: is a secret, and must be a string/],
    ["hunter2\ud800", /configuration\.token: must not contain lone surrogates/],
  ])("%j", (token, message) => {
    const refuse = () => refuseUnsealable(slack, { channel: MASK, token } as never);
    expect(refuse).toThrow(
      expect.objectContaining({
        code: "invalid_configuration",
        message: expect.stringMatching(message),
        issues: [expect.objectContaining({ path: ["configuration", "token"] })],
      }),
    );
    expect(refuse).not.toThrow(/hunter2|12345678/);
  });

  it("while others are not", () => {
    expect(() => refuseUnsealable(slack, { channel: MASK, token: "xoxb" })).not.toThrow();
  });
});

describe("what a schema makes of a configuration", () => {
  it("is its output", async () => {
    const parsed = parseConfiguration(slack, { channel: "#c", token: " xoxb-a " });
    await expect(parsed).resolves.toEqual({ channel: "#c", token: "xoxb-a" });
  });

  it("or an error that names every place below `configuration`", async () => {
    await expect(parseConfiguration(slack, { token: "xoxb-a", colour: 1 })).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringMatching(/^Invalid configuration for type "slack": configuration\./),
      issues: [
        expect.objectContaining({ path: ["configuration", "channel"] }),
        expect.objectContaining({ path: ["configuration", "colour"] }),
      ],
    });
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"])(
    "refuses %s as a key of the customer's, where schemas are strict",
    async (key) => {
      const given = JSON.parse(`{"channel":"#c","token":"xoxb-a","${key}":{"admin":true}}`);
      await expect(parseConfiguration(slack, given)).rejects.toMatchObject({
        code: "invalid_configuration",
      });
    },
  );

  const schemas = [
    ["valibot", v.strictObject({ token: v.pipe(v.string(), v.trim(), v.regex(/^xoxb-/)) })],
    [
      "zod",
      z.strictObject({ token: z.string().refine(() => false, { error: (i) => `${i.input}` }) }),
    ],
    ["arktype", type({ token: /^xoxb-/ })],
    [
      "valibot, about the whole",
      v.pipe(
        v.any(),
        v.check(
          () => false,
          (i) => JSON.stringify(i.input),
        ),
      ),
    ],
  ] as const;

  it.each(schemas)("does not repeat a secret that %s refuses", async (_, configuration) => {
    const handler = { ...slack, configuration } as Handler;
    for (const token of ["hunter2hunter2", '"hunter2"\n\\', "  hunter2 hunter2  "]) {
      const error: Error = await parseConfiguration(handler, { token }).then(
        () => expect.unreachable(),
        (error) => error,
      );
      expect(error).toMatchObject({ code: "invalid_configuration" });
      expect(JSON.stringify([error.message, error])).not.toContain("hunter2");
    }
  });
});
