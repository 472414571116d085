import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import { describe, expect, it } from "vitest";
import { newSecret, type SigningKey, signingKey } from "./keys.ts";
import { signatureHeaders } from "./sign.ts";
import { type VerifyOptions, verifyWebhook, WebhookError, type WebhookHeaders } from "./verify.ts";

const NOW = 1_614_265_330_000;
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = '{"test": 2432232314}';
/** The test vector of the reference libraries. */
const vector = {
  "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const right = vector["webhook-signature"];
const wrong = `v1,${Buffer.alloc(32).toString("base64")}`;

const keyOf = (text: string): SigningKey => signingKey(text) as SigningKey;

async function verdict(
  headers: WebhookHeaders = vector,
  options: Partial<VerifyOptions> = {},
  content: string | Uint8Array = body,
): Promise<string> {
  try {
    await verifyWebhook(content, headers, { secret, now: NOW, ...options });
    return "ok";
  } catch (error) {
    return error instanceof WebhookError ? error.code : (error as Error).name;
  }
}

const signed = (signature: string): WebhookHeaders => ({
  ...vector,
  "webhook-signature": signature,
});
const at = (timestamp: string): WebhookHeaders => {
  return {
    ...vector,
    "webhook-timestamp": timestamp,
    "webhook-signature": keyOf(secret).sign(
      `${vector["webhook-id"]}.${timestamp}.`,
      Buffer.from(body),
    ),
  };
};

describe("a receiver", () => {
  it("takes the vector of the reference libraries, from any kind of headers", async () => {
    const webhook = await verifyWebhook(body, vector, { secret, now: NOW });
    expect(webhook.id).toBe(vector["webhook-id"]);
    expect(webhook.sentAt).toEqual(new Date(NOW));
    expect(webhook.json()).toEqual({ test: 2_432_232_314 });
    expect(await verdict(new Headers(vector))).toBe("ok");
    expect(
      await verdict({ ...vector, "webhook-id": undefined, "Webhook-Id": vector["webhook-id"] }),
    ).toBe("ok");
    expect(await verdict(vector, {}, Buffer.from(body))).toBe("ok");
  });

  const cases: Readonly<Record<string, readonly [string, () => Promise<string>]>> = {
    "S01 a header that is missing": [
      "missing_header",
      () => verdict({ ...vector, "webhook-id": undefined }),
    ],
    "S01 a header that is empty": ["missing_header", () => verdict(signed(""))],
    "S02 a signature that is empty": ["wrong_signature", () => verdict(signed("v1,"))],
    "S03 signatures of an unknown version": ["no_known_signature", () => verdict(signed("v2,xxx"))],
    "S04 two hundred signatures": [
      "too_many_signatures",
      () => verdict(signed(Array(200).fill(right).join(" "))),
    ],
    "S05 the right signature after three wrong ones": [
      "ok",
      () => verdict(signed(`${wrong} ${wrong} ${wrong} ${right}`)),
    ],
    "S06 299 seconds old": ["ok", () => verdict(at(String(NOW / 1_000 - 299)))],
    "S06 299 seconds ahead": ["ok", () => verdict(at(String(NOW / 1_000 + 299)))],
    "S06 301 seconds old": ["too_old", () => verdict(at(String(NOW / 1_000 - 301)))],
    "S06 301 seconds ahead": ["too_new", () => verdict(at(String(NOW / 1_000 + 301)))],
    "S07 a timestamp that goes on with letters": [
      "invalid_timestamp",
      () => verdict(at("1614265330abc")),
    ],
    "S07 a timestamp with a sign": ["invalid_timestamp", () => verdict(at("+1614265330"))],
    "S08 a timestamp in milliseconds": ["invalid_timestamp", () => verdict(at(String(NOW)))],
    "S09 a body that was parsed": ["TypeError", () => verdict(vector, {}, JSON.parse(body))],
    "S09 a body that was written again": [
      "wrong_signature",
      () => verdict(vector, {}, JSON.stringify(JSON.parse(body))),
    ],
    "S11 a signature of another length": ["wrong_signature", () => verdict(signed("v1,AAAA"))],
    "S11 a signature that is no base64": ["wrong_signature", () => verdict(signed("v1,!!!!"))],
    "S12 an id with a dot": [
      "invalid_id",
      () => verdict({ ...vector, "webhook-id": "a.1614265330" }),
    ],
    "S13 a header given as one": [
      "ok",
      () => verdict({ ...vector, "webhook-id": [vector["webhook-id"]] }),
    ],
    "S13 a header given twice": [
      "repeated_header",
      () => verdict({ ...vector, "webhook-id": ["a", "b"] }),
    ],
    "S13 a header given twice, and joined": [
      "repeated_header",
      () => verdict({ ...vector, "webhook-id": "a, b" }),
    ],
    "S14 an id that was seen": ["replayed", () => verdict(vector, { seen: async () => true })],
    "S14 an id that was not seen": ["ok", () => verdict(vector, { seen: () => false })],
    "S15 a private key for a secret": [
      "TypeError",
      () => verdict(vector, { secret: newSecret("v1a", randomBytes) }),
    ],
    "S15 a secret without a prefix": [
      "TypeError",
      () => verdict(vector, { secret: secret.slice(6) }),
    ],
    "S15 an HMAC secret as a public key": [
      "TypeError",
      () => verdict(vector, { secret: secret.replace("whsec_", "whpk_") }),
    ],
    "S15 a v1 signature for a public key": [
      "no_known_signature",
      () => verdict(vector, { secret: keyOf(newSecret("v1a", randomBytes)).shown }),
    ],
    "no secret at all": ["TypeError", () => verdict(vector, { secret: [] })],
    "a clock that is not a number": ["too_old", () => verdict(vector, { now: Number.NaN })],
  };
  for (const [name, [expected, run]] of Object.entries(cases)) {
    it(`${name}: ${expected}`, async () => expect(await run()).toBe(expected));
  }

  it("S10 takes bytes as bytes: a BOM, and what is no UTF-8", async () => {
    for (const bytes of [Buffer.from("\ufeff{}"), Buffer.from([0xc3, 0x28, 0, 0xff])]) {
      const headers = signatureHeaders({ id: "msg_1", body: bytes, at: NOW }, [keyOf(secret)]);
      expect(await verdict({ ...headers }, {}, bytes)).toBe("ok");
    }
  });

  it("is told by a wrong signature what to look at", async () => {
    await expect(verifyWebhook("{}", vector, { secret, now: NOW })).rejects.toThrow("not parsed");
    await expect(verifyWebhook({} as string, vector, { secret })).rejects.toThrow("request.text()");
  });

  it("takes bytes that another realm made, as test runners have them", async () => {
    for (const made of ["Uint8Array.from(bytes)", "Uint8Array.from(bytes).buffer"]) {
      const foreign = runInNewContext(made, { bytes: [...Buffer.from(body)] });
      expect(foreign instanceof Uint8Array || foreign instanceof ArrayBuffer).toBe(false);
      expect(await verdict(vector, {}, foreign)).toBe("ok");
    }
    const within = new Uint8Array(Buffer.from(`..${body}..`)).subarray(2, 2 + body.length);
    expect(await verdict(vector, {}, within)).toBe("ok");
  });

  it("imports nothing, so that it runs where there is no Node", () => {
    const source = readFileSync(new URL("verify.ts", import.meta.url), "utf8");
    expect(source).not.toMatch(/\bfrom "|\bimport\(|\bBuffer\b|\bprocess\b|\brequire\(/);
  });
});

describe("what we sign", () => {
  const content = fc.tuple(fc.string({ unit: "binary" }), fc.uuid());
  const now = Date.now();

  it("is the vector of the reference libraries for their secret", () => {
    const id = vector["webhook-id"];
    expect(signatureHeaders({ id, body: Buffer.from(body), at: NOW }, [keyOf(secret)])).toEqual(
      vector,
    );
  });

  it("is verified by the official packages, with the old secret and the new one", async () => {
    const [old, fresh] = [newSecret("v1", randomBytes), newSecret("v1", randomBytes)];
    await fc.assert(
      fc.asyncProperty(content, async ([text, id]) => {
        const sent = Buffer.from(JSON.stringify({ text: text.toWellFormed() }));
        const headers = {
          ...signatureHeaders({ id, body: sent, at: now }, [keyOf(fresh), keyOf(old)]),
        };
        for (const known of [old, fresh]) {
          expect(new Standard(known).verify(sent, headers)).toEqual(JSON.parse(sent.toString()));
          // It answers nothing, and throws at what is wrong.
          new Svix(known).verify(sent, headers);
          expect(() => new Svix(known).verify(`${sent} `, headers)).toThrow("No matching");
          expect(await verdict(headers, { secret: known, now }, sent)).toBe("ok");
        }
        expect(await verdict(headers, { secret: [old], now }, `${sent} `)).toBe("wrong_signature");
      }),
    );
  });

  it("is what the official packages sign, byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(content, async ([text, id]) => {
        const headers = signatureHeaders({ id, body: Buffer.from(text.toWellFormed()), at: now }, [
          keyOf(secret),
        ]);
        for (const official of [new Standard(secret), new Svix(secret)]) {
          const signature = official.sign(id, new Date(now), text.toWellFormed());
          expect(headers["webhook-signature"]).toBe(signature);
          expect(
            await verdict(
              { ...headers, "webhook-signature": signature },
              { now },
              text.toWellFormed(),
            ),
          ).toBe("ok");
        }
      }),
    );
  });

  it("can be verified with ed25519, by a public key alone", async () => {
    const key = keyOf(newSecret("v1a", randomBytes));
    expect(key.shown).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    const headers = {
      ...signatureHeaders({ id: "msg_1", body: Buffer.from(body), at: now }, [key, keyOf(secret)]),
    };
    expect(headers["webhook-signature"]).toMatch(/^v1a,\S{88} v1,\S{44}$/);
    expect(await verdict(headers, { secret: key.shown, now })).toBe("ok");
    expect(await verdict(headers, { now })).toBe("ok");
    expect(await verdict(headers, { secret: key.shown, now }, `${body} `)).toBe("wrong_signature");
    expect(new Standard(secret).verify(body, headers)).toEqual(JSON.parse(body));
  });

  it("has the signature that RFC 8032 gives for its first test key", () => {
    const seed = Buffer.from(
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "hex",
    );
    const signature = keyOf(`whsk_${seed.toString("base64")}`).sign("", new Uint8Array());
    expect(Buffer.from(signature.slice(4), "base64").toString("hex")).toBe(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
  });
});

describe("a secret", () => {
  it("is 24 to 64 bytes, written as base64 and not otherwise", () => {
    const of = (bytes: number): string => `whsec_${randomBytes(bytes).toString("base64")}`;
    for (const bytes of [24, 32, 64]) expect(signingKey(of(bytes))).not.toBeNull();
    for (const bytes of [0, 1, 23, 65]) expect(signingKey(of(bytes))).toBeNull();
    const odd = `whsec_${"-_".repeat(16)}`;
    for (const text of [
      "",
      "whsec_",
      "whsec_!!!!",
      odd,
      ` ${of(24)}`,
      `${of(24)} `,
      of(24).slice(6),
    ]) {
      expect(signingKey(text)).toBeNull();
    }
  });

  it("is an ed25519 key whose halves belong together", () => {
    const whole = newSecret("v1a", randomBytes);
    const bytes = Buffer.from(whole.slice(5), "base64");
    const seed = `whsk_${bytes.subarray(0, 32).toString("base64")}`;
    expect(bytes).toHaveLength(64);
    expect(signingKey(seed)?.shown).toBe(keyOf(whole).shown);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    expect(signingKey(`whsk_${bytes.toString("base64")}`)).toBeNull();
    expect(signingKey(`whsk_${randomBytes(31).toString("base64")}`)).toBeNull();
  });

  it("is another each time", () => {
    for (const version of ["v1", "v1a"] as const) {
      const made = Array.from({ length: 20 }, () => newSecret(version, randomBytes));
      expect(new Set(made).size).toBe(20);
      expect(made.every((text) => signingKey(text) !== null)).toBe(true);
    }
  });
});
