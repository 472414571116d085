import fc from "fast-check";
import { expect, describe as group, it } from "vitest";
import { describe, redact, redactJson, safeText } from "./redact.ts";
import { MASK } from "./subscription.ts";

const secret = fc
  .string({ unit: "grapheme", minLength: 6, maxLength: 40 })
  .filter((text) => text.isWellFormed() && !MASK.includes(text[0] as string));

group("redact", () => {
  it("leaves nothing of a secret, plain, in JSON or in a URL", () => {
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (secret, before, after) => {
        const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
        for (const form of forms) {
          const text = redact(`${before}${form}${after}${form}`, [secret]);
          expect(text.includes(secret)).toBe(false);
          expect(text).toContain(MASK);
        }
      }),
    );
  });

  it("leaves a text alone that has no secret in it", () => {
    fc.assert(
      fc.property(fc.string(), secret, (text, secret) => {
        fc.pre(!text.includes(secret));
        expect(redact(text, [])).toBe(text);
        if (!/[%\\]/.test(text)) expect(redact(text, [secret])).toBe(text);
      }),
    );
  });

  it("takes a secret for a text, not for an expression", () => {
    expect(redact("a.*b a.+b$& x", ["a.+b$&"])).toBe(`a.*b ${MASK} x`);
  });

  it("masks the longer of two secrets that begin alike", () => {
    expect(redact("token abcdefghij", ["abcdef", "abcdefghij"])).toBe(`token ${MASK}`);
  });

  it("bears a secret with a lone surrogate", () => {
    expect(redact("a abcdef\ud800 b", ["abcdef\ud800"])).toBe(`a ${MASK} b`);
  });

  it("does not mask what is too short to be a secret", () => {
    expect(redact("the cat", ["", "t", "cat", "the c"])).toBe("the cat");
    expect(redact("the cats", ["e cats"])).toBe(`th${MASK}`);
  });
});

group("JSON from outside", () => {
  it("has its secrets masked in texts, keys and numbers, and keeps its shape", () => {
    const value = { id: 9_912_345_699, note: ["a 123456 b", null, true, 7], "key 123456": {} };
    expect(redactJson(value, ["123456"])).toEqual({
      id: MASK,
      note: [`a ${MASK} b`, null, true, 7],
      [`key ${MASK}`]: {},
    });
  });

  it("is not searched across its own commas and quotes", () => {
    expect(redactJson({ a: "x", b: "y" }, ['","b":"'])).toEqual({ a: "x", b: "y" });
  });

  it("stays JSON, whatever it is and whatever the secrets are", () => {
    const secrets = fc.array(fc.string({ minLength: 6, maxLength: 8 }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.json(), secrets, (text, secrets) => {
        const masked = JSON.stringify(redactJson(JSON.parse(text), secrets));
        for (const secret of secrets) {
          if (!MASK.includes(secret)) expect(JSON.parse(masked)).not.toBe(secret);
        }
      }),
    );
  });
});

group("a text from outside", () => {
  it("is always well-formed, short, and without control characters", () => {
    const part = fc.string({ unit: "binary", minLength: 1, maxLength: 30 });
    const texts = fc.tuple(part, fc.nat(500)).map(([part, times]) => part.repeat(times));
    const secrets = fc.array(secret, { maxLength: 2 });
    fc.assert(
      fc.property(texts, secrets, (text, secrets) => {
        const shown = safeText(text, secrets);
        expect(shown.isWellFormed()).toBe(true);
        expect(shown.length).toBeLessThanOrEqual(2_000);
        expect(shown).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it.each([
    ["a line of a log", '\n{"level":"fatal"}', '\ufffd{"level":"fatal"}'],
    ["a terminal's escape", "\u001b[2J", "\ufffd[2J"],
    ["text turned round", "\u202egnp.exe", "\ufffdgnp.exe"],
    ["NUL", "a\u0000b", "a\ufffdb"],
    ["half a character", "a\ud83d", "a\ufffd"],
  ])("shows %s as what it is", (_, text, shown) => {
    expect(safeText(text, [])).toBe(shown);
  });

  it("of 2,000 characters is kept, a longer one is cut, never within a character", () => {
    expect(safeText("a".repeat(2_000), [])).toBe("a".repeat(2_000));
    expect(safeText("a".repeat(2_001), [])).toBe(`${"a".repeat(1_999)}…`);
    expect(safeText(`a${"🐎".repeat(2_000)}`, [])).toMatch(/🐎…$/u);
    expect(safeText("🐎".repeat(2_000), []).isWellFormed()).toBe(true);
  });

  it("has no part of a secret where it is cut", () => {
    const secret = "S3CRET-abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (let before = 0; before < 2 * secret.length; before += 1) {
      const text = "x".repeat(before) + secret.repeat(100);
      expect(safeText(text, [secret])).not.toContain("S3");
    }
  });

  it("of ten megabytes costs next to nothing", () => {
    const text = "a".repeat(10_000_000);
    const began = performance.now();
    expect(safeText(text, ["a secret", "another"])).toHaveLength(2_000);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

group("what was thrown", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const nameless = Object.assign(new Error("no"), { name: undefined });
  const throwing = Object.defineProperty(new Error("no"), "message", {
    get: () => {
      throw new Error("never");
    },
  });

  it.each([
    ["an error", new Error("no"), "no"],
    ["an error of a kind", new TypeError("no"), "TypeError: no"],
    ["an error without a text", new Error(), ""],
    ["a frozen error", Object.freeze(new RangeError("no")), "RangeError: no"],
    ["an error with a circular cause", circle(), "no"],
    ["an error whose text is an object", odd({ code: 1 }), "[object Object]"],
    ["an error whose text is nothing", odd(undefined), "undefined"],
    ["an error without a name", nameless, "undefined: no"],
    ["a text", "no", "no"],
    ["nothing", undefined, "threw undefined"],
    ["null", null, "threw null"],
    ["a number", 7, "threw 7"],
    ["a symbol", Symbol("a"), "threw Symbol(a)"],
    ["an object", {}, "threw [object Object]"],
    ["an object without a nature", Object.create(null), "threw something that cannot be described"],
    ["a revoked proxy", revoked.proxy, "threw something that cannot be described"],
    ["an error that throws when read", throwing, "threw something that cannot be described"],
  ])("is described: %s", (_, thrown, text) => {
    expect(describe(thrown)).toBe(text);
  });
});

function odd(message: unknown): Error {
  return Object.assign(new Error(), { message });
}

function circle(): Error {
  const error = new Error("no");
  error.cause = error;
  return error;
}
