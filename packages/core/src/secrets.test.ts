import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Gate } from "./gate.ts";
import { keyring, type SecretPlace, sealedWith } from "./secrets.ts";
import { nodeSystem } from "./system.ts";

const system = nodeSystem();
const bytes = (fill: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + fill) % 256);
const first = { id: "2026-01", key: bytes(1) };
const second = { id: "2026-02", key: bytes(2) };
const place: SecretPlace = { organization: "acme", subscriptionId: "s1", field: "token" };

const text = fc.string({ unit: "binary", maxLength: 60 });
const wellFormed = text.map((drawn) => drawn.toWellFormed());
const code = (code: string) => expect.objectContaining({ code });
const invalid = (message: string) =>
  expect.objectContaining({ code: "invalid_options", message: expect.stringContaining(message) });

describe("a sealed secret", () => {
  const ring = keyring([first], system);

  it("opens in its place", () => {
    fc.assert(
      fc.property(wellFormed, (secret) => {
        expect(ring.open(ring.seal(secret, place), place)).toBe(secret);
      }),
    );
  });

  it.each([
    ["another organization", { ...place, organization: "globex" }],
    ["another subscription", { ...place, subscriptionId: "s2" }],
    ["another field", { ...place, field: "secret" }],
    ["nowhere", { organization: "", subscriptionId: "", field: "" }],
  ])("does not open for %s", (_, elsewhere) => {
    expect(() => ring.open(ring.seal("secret", place), elsewhere)).toThrow(
      code("unreadable_secret"),
    );
  });

  it("is bound to its place part by part: no other cut of the same letters opens it", () => {
    const cut = fc.tuple(fc.nat(6), fc.nat(6)).map(([a, b]): SecretPlace => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      return {
        organization: "abcdef".slice(0, from),
        subscriptionId: "abcdef".slice(from, to),
        field: "abcdef".slice(to),
      };
    });
    fc.assert(
      fc.property(cut, cut, (here, there) => {
        const open = () => ring.open(ring.seal("secret", here), there);
        if (JSON.stringify(here) === JSON.stringify(there)) expect(open()).toBe("secret");
        else expect(open).toThrow(code("unreadable_secret"));
      }),
    );
  });

  it("does not open once any byte of it is altered", () => {
    const [format, id, body] = ring.seal("a secret", place).split(".") as [string, string, string];
    const sealed = Buffer.from(body, "base64url");
    for (let index = 0; index < sealed.length; index += 1) {
      for (const flip of [0x01, 0x80]) {
        const altered = Buffer.from(sealed);
        altered[index] = (altered[index] as number) ^ flip;
        expect(() => ring.open(`${format}.${id}.${altered.toString("base64url")}`, place)).toThrow(
          code("unreadable_secret"),
        );
      }
      const cut = sealed.subarray(0, index).toString("base64url");
      expect(() => ring.open(`${format}.${id}.${cut}`, place)).toThrow(code("unreadable_secret"));
    }
  });

  it.each<[string, (sealed: string) => string]>([
    ["a part more", (sealed) => `${sealed}.x`],
    ["an empty part more", (sealed) => `${sealed}.`],
    ["a line break", (sealed) => `${sealed.slice(0, 20)}\n${sealed.slice(20)}`],
    ["padding", (sealed) => `${sealed}=`],
    ["space around it", (sealed) => ` ${sealed}`],
  ])("does not open with %s in its text", (_, alter) => {
    expect(() => ring.open(alter(ring.seal("secret", place)), place)).toThrow(
      code("unreadable_secret"),
    );
  });

  it("does not open with its last character changed, though its bytes stay the same", () => {
    const sealed = ring.seal("secret", place);
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const letter of letters.replace(sealed.at(-1) as string, "")) {
      expect(() => ring.open(sealed.slice(0, -1) + letter, place)).toThrow(
        code("unreadable_secret"),
      );
    }
  });

  it("does not open with another key of the same id", () => {
    const other = keyring([{ id: first.id, key: second.key }], system);
    expect(() => other.open(ring.seal("secret", place), place)).toThrow(code("unreadable_secret"));
  });

  it("asks for its key by id where that is missing, and names those that are there", () => {
    const sealed = ring.seal("secret", place);
    expect(() => keyring([second], system).open(sealed, place)).toThrow(
      expect.objectContaining({
        code: "missing_encryption_key",
        message: expect.stringMatching(/"2026-01".*it has: 2026-02/),
      }),
    );
    expect(() => keyring([], system).open(sealed, place)).toThrow(/it has: none/);
  });

  it.each(["", ".", "..", "plain text", "v2.2026-01.AAAA", "v1.2026-01", "v1.2026-01.AAAA"])(
    "is not taken for one if it is %j",
    (sealed) => {
      expect(() => ring.open(sealed, place)).toThrow(code("unreadable_secret"));
    },
  );

  it("is different each time, says with which key it was sealed, and shows nothing else", () => {
    const one = ring.seal("hunter2hunter2", place);
    expect(one).not.toBe(ring.seal("hunter2hunter2", place));
    expect(sealedWith(one)).toBe("2026-01");
    expect(Buffer.from(one.split(".")[2] as string, "base64url").toString("latin1")).not.toContain(
      "hunter2",
    );
  });

  it("takes 12 new bytes of chance for its nonce", () => {
    const asked: number[] = [];
    const counted = keyring([first], {
      bytes: (length) => {
        asked.push(length);
        return new Uint8Array(length).fill(asked.length);
      },
    });
    expect(counted.seal("a", place).slice(0, 24)).not.toBe(counted.seal("a", place).slice(0, 24));
    expect(asked).toEqual([12, 12]);
  });

  it("never appears in an error", () => {
    const failures = [
      () => ring.open(ring.seal("hunter2hunter2", place), { ...place, field: "other" }),
      () => keyring([], system).seal("hunter2hunter2", place),
      () => keyring([second], system).open(ring.seal("hunter2hunter2", place), place),
    ];
    for (const fail of failures) {
      expect(fail).toThrow();
      expect(fail).not.toThrow(/hunter2/);
    }
  });
});

describe("a keyring", () => {
  it("seals with its first key and opens with all", () => {
    const old = keyring([first], system).seal("secret", place);
    const rotated = keyring([second, first], system);
    expect(rotated.sealingId).toBe("2026-02");
    expect(rotated.ids).toEqual(["2026-02", "2026-01"]);
    expect(sealedWith(rotated.seal("secret", place))).toBe("2026-02");
    expect(rotated.open(old, place)).toBe("secret");
  });

  it("without keys seals nothing, and says how to make one", () => {
    const none = keyring([], system);
    expect(none).toMatchObject({ ids: [], sealingId: null });
    expect(() => none.seal("secret", place)).toThrow(
      expect.objectContaining({
        code: "missing_encryption_key",
        message: expect.stringMatching(/^"token" is a secret.*randomBytes\(32\)/),
      }),
    );
  });

  it("takes a key in base64 for the same as its bytes, and copies those", () => {
    const own = bytes(1);
    const ring = keyring([{ id: "a", key: own }], system);
    const sealed = ring.seal("secret", place);
    own.fill(0);
    const text = Buffer.from(bytes(1)).toString("base64");
    expect(keyring([{ id: "a", key: text }], system).open(sealed, place)).toBe("secret");
    expect(ring.open(ring.seal("again", place), place)).toBe("again");
  });

  const base64 = Buffer.from(bytes(1)).toString("base64");

  it.each([
    ["31 bytes", bytes(1).subarray(1)],
    ["33 bytes", new Uint8Array(33).map((_, index) => index)],
    ["no bytes", new Uint8Array()],
    ["zeroes", new Uint8Array(32)],
    ["the same byte again and again", new Uint8Array(32).fill(7)],
    ["hex", Buffer.from(bytes(1)).toString("hex")],
    ["base64url", Buffer.from(bytes(250)).toString("base64url")],
    ["base64 without its padding", base64.replace("=", "")],
    ["base64 with a line break", `${base64}\n`],
    ["a pass phrase", "correct horse battery staple ..."],
    ["nothing", ""],
  ])("refuses a key of %s without repeating it", (_, key) => {
    const make = () => keyring([first, { id: "bad", key }], system);
    expect(make).toThrow(invalid("encryptionKeys[1].key must be 32 random bytes, in base64."));
    if (typeof key === "string" && key !== "") {
      expect(make).not.toThrow(expect.objectContaining({ message: expect.stringContaining(key) }));
    }
  });

  it.each(["", "a b", "a.b", "ä", "a".repeat(33), "a\n", "../a"])("refuses the id %j", (id) => {
    expect(() => keyring([{ ...first, id }], system)).toThrow(
      invalid('encryptionKeys[0].id must be 1 to 32 letters, digits, "_" or "-".'),
    );
  });

  it("refuses an id that is used twice", () => {
    expect(() => keyring([first, { ...second, id: first.id }], system)).toThrow(
      invalid('encryptionKeys[1].id "2026-01" is used twice.'),
    );
  });
});

describe("a gate's id", () => {
  const ring = keyring([first], system);
  const gate = (name: string, key: string): Gate => ({ name, key });

  it("is the same for the same gate, whoever asks", () => {
    const id = ring.gateId("acme", "slack", { ...gate("channel", "C1"), limit: 1, perMs: 1_000 });
    expect(keyring([first], system).gateId("acme", "slack", gate("channel", "C1"))).toBe(id);
  });

  it("is another for everything that makes another gate", () => {
    const ids = [
      ring.gateId("acme", "slack", gate("channel", "C1")),
      ring.gateId("globex", "slack", gate("channel", "C1")),
      ring.gateId("acme", "http", gate("channel", "C1")),
      ring.gateId("acme", "slack", gate("workspace", "C1")),
      ring.gateId("acme", "slack", gate("channel", "C2")),
      keyring([second], system).gateId("acme", "slack", gate("channel", "C1")),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("never confuses two gates that read alike when written in a row", () => {
    const cuts = fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)).map((cuts) => {
      const [a = 0, b = 0, c = 0] = cuts.toSorted();
      const text = "a.\u0000a";
      return [text.slice(0, a), text.slice(a, b), text.slice(b, c), text.slice(c)] as const;
    });
    const id = ([organization, type, name, key]: readonly [string, string, string, string]) =>
      ring.gateId(organization, type, gate(name, key));
    fc.assert(
      fc.property(cuts, cuts, (one, other) => {
        expect(id(one) === id(other)).toBe(one.join("|") === other.join("|"));
      }),
    );
  });

  it("shows nothing of what it stands for, whatever its length", () => {
    fc.assert(
      fc.property(wellFormed, (key) => {
        const id = ring.gateId("acme", "slack", gate("token", `xoxb${key}`));
        expect(id).toMatch(/^[\w-]{43}$/);
        expect(id).not.toContain("xoxb");
      }),
    );
  });
});

describe("fingerprints", () => {
  it("tell values apart, and find what an earlier key made", () => {
    const old = keyring([first], system).fingerprints(["a", { token: "secret" }]);
    const rotated = keyring([second, first], system);
    expect(rotated.fingerprints(["a", { token: "secret" }])).toHaveLength(2);
    expect(rotated.fingerprints(["a", { token: "secret" }])[1]).toBe(old[0]);
    expect(rotated.fingerprints(["a", { token: "other" }])).not.toContain(old[0]);
    expect(keyring([], system).fingerprints("a")).toHaveLength(1);
  });

  it("are not a gate's id, though they are made of the same key", () => {
    const ring = keyring([first], system);
    expect(ring.fingerprints("a")[0]).not.toBe(ring.gateId("", "", { name: "", key: "a" }));
    expect(ring.fingerprints("hunter2hunter2")[0]).not.toContain("hunter2");
  });
});
