import { httpWebhook, toRequest, type World } from "../../packages/rest/test/acme.ts";
import { asked, type BadInput, badInput, creating, each } from "./case.ts";

const post = (world: World, body: unknown, headers?: Record<string, string>): Promise<string> =>
  asked(world, "POST", "/webhooks/", { body, ...(headers && { headers }) });
const text = JSON.stringify(httpWebhook);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Bodies of requests. */
export const requests: readonly BadInput[] = [
  badInput("J01", "a body that is no object", /^400 (?:invalid_body|malformed_json)$/, (world) =>
    each(["", "null", "[]", '"x"', "1"], (body) => post(world, body)),
  ),
  badInput("J02", "a body that is no JSON", "400 malformed_json", (world) =>
    each(["{", '{"a":1,}', "{'a':1}", '{"a":NaN}', '{"a":Infinity}', "{}//", "{}{}"], (body) =>
      post(world, body),
    ),
  ),
  badInput("J02", "a body that is no JSON is not repeated", "false", async ({ ask }) => {
    const { text: answer } = await ask("POST", "/webhooks/", { body: '{"token":"hush-hush",}' });
    return String(answer.includes("hush-hush"));
  }),
  badInput("J03", "bytes that are not plain UTF-8", "400 malformed_json", (world) =>
    each(
      [
        `\ufeff${text}`,
        Buffer.from(text, "utf16le"),
        bytes(0x22, 0xc3, 0x28, 0x22),
        bytes(0x22, 0xc0, 0xaf, 0x22),
      ],
      (body) => post(world, body),
    ),
  ),
  badInput("J04", "a field given twice", "400 duplicate_field /name", (world) =>
    post(world, `{"name":"a",${text.slice(1)}`),
  ),
  badInput("J05", "nesting without end", "400 too_deep", (world) =>
    each([33, 10_000, 100_000], (levels) =>
      post(world, `${"[".repeat(levels)}${"]".repeat(levels)}`),
    ),
  ),
  badInput(
    "J06",
    "more than 256 KB, however it is sent",
    "413 payload_too_large",
    async (world) => {
      const large = `{"name":"${"a".repeat(300_000)}"}`;
      const streamed = new Request(toRequest("POST", "/webhooks/"), {
        method: "POST",
        headers: { authorization: "Api-Key acme", "content-type": "application/json" },
        body: new Blob([large]).stream(),
        duplex: "half",
      } as RequestInit);
      const { status } = await world.api.fetch(streamed);
      return [
        await post(world, large),
        await post(world, "{}", { "content-length": "104857600" }),
        status === 413 ? "413 payload_too_large" : String(status),
      ];
    },
  ),
  badInput("J06", "a body that is compressed", "415 unsupported_media_type", (world) =>
    each(["gzip", "deflate", "br", "zstd"], (encoding) =>
      post(world, text, { "content-encoding": encoding }),
    ),
  ),
  badInput("J07", "a media type that is not JSON's", "415 unsupported_media_type", (world) =>
    each(["text/plain", "application/xml", "application/json; charset=utf-16", "json"], (type) =>
      post(world, text, { "content-type": type }),
    ),
  ),
  badInput("J08", "a field named __proto__", "422 invalid_webhook /__proto__", (world) =>
    post(world, `{"__proto__":{"isAdmin":true},${text.slice(1)}`),
  ),
  badInput("J09", "fields that every object has", /^422 invalid_webhook/, (world) =>
    each(["constructor", "toString", "hasOwnProperty", "__defineGetter__"], (name) =>
      post(world, { ...httpWebhook, [name]: {} }),
    ),
  ),
  badInput("J10", "fields that are not the client's", /^422 invalid_webhook/, (world) =>
    each(
      ["id", "url", "created_at", "secret", "disabled_reason", "status", "version", "tenantId"],
      (name) => post(world, { ...httpWebhook, [name]: "x" }),
    ),
  ),
  badInput("J11", "another organization", "403 organization_mismatch", (world) =>
    each(["globex", "nobody", ""], (organization) => post(world, { ...httpWebhook, organization })),
  ),
  badInput("J12", "values of another type, which are not converted", /^422 /, (world) =>
    each(
      [
        { enabled: "false" },
        { enabled: 1 },
        { name: ["a"] },
        { name: true },
        { event_types: "*" },
        { event_types: { 0: "*" } },
        { type: ["http"] },
        { configuration: "x" },
      ],
      (fields) => post(world, { ...httpWebhook, ...fields }),
    ),
  ),
  badInput("J13", "numbers that make no sense", /^422 invalid_webhook/, async (world) => {
    const path = await world.given(httpWebhook);
    return each(["-1", "1.5", "1e309", "9007199254740993", "1e-400x", '"1"'], async (number) => {
      const body = `{"overlap_seconds":${number}}`;
      const end = await asked(world, "POST", `${path}rotate-secret/`, { body });
      return end === "400 malformed_json" ? "422 invalid_webhook" : end;
    });
  }),
  badInput("J14", "names too short, too long or with NUL", "422 invalid_webhook /name", (world) =>
    each(["", " ", "a".repeat(257), "a".repeat(200_000), "a\u0000b"], (name) =>
      creating(world, {}, { name }),
    ),
  ),
  badInput("J14", "names of the least and the greatest length are fine", "201", (world) =>
    each(["a", "a".repeat(256)], (name) => creating(world, {}, { name })),
  ),
  badInput("J15", "too many event types", "422 invalid_webhook /event_types", (world) =>
    creating(world, {}, { event_types: Array.from({ length: 10_001 }, () => "*") }),
  ),
  badInput("J16", "null, which is not absence", /^422 /, async (world) => {
    const path = await world.given(httpWebhook);
    return each(
      [
        { name: null },
        { enabled: null },
        { event_types: null },
        { configuration: null },
        { configuration: { url: null } },
        { configuration: { secret: null } },
      ],
      (body) => asked(world, "PATCH", path, { body }),
    );
  }),
  badInput("J17", "changes that cross are all kept, or refused", /^(?:200|409)/, async (world) => {
    const path = await world.given(httpWebhook);
    const changes = Array.from({ length: 10 }, (_, nr) =>
      asked(world, "PATCH", path, { body: { name: `N${nr}` } }),
    );
    return Promise.all(changes);
  }),
  badInput("J18", "methods that a path does not know", "405 method_not_allowed", (world) =>
    each(["PUT", "PATCH", "DELETE", "OPTIONS"], (method) => asked(world, method, "/webhooks/")),
  ),
  badInput("J18", "a method in a header, which is ignored", "200", (world) =>
    asked(world, "GET", "/webhooks/", { headers: { "x-http-method-override": "DELETE" } }),
  ),
  badInput(
    "J19",
    "secrets that are none",
    "422 invalid_configuration /configuration/secret",
    (world) =>
      each(
        [
          "",
          "whsec_",
          `whsec_${Buffer.alloc(23).toString("base64")}`,
          `whsec_${Buffer.alloc(65).toString("base64")}`,
          "whsec_!!!!",
          `whsec_${"-_".repeat(16)}`,
          ` whsec_${Buffer.alloc(24).toString("base64")}`,
          Buffer.alloc(24).toString("base64"),
          `whsk_${Buffer.alloc(31).toString("base64")}`,
        ],
        (secret) => creating(world, { secret }),
      ),
  ),
  badInput("J20", "a secret, when it is read", "false", async (world) => {
    const { body } = await world.ask("POST", "/webhooks/", { body: httpWebhook });
    const { text: answer } = await world.ask("GET", `/webhooks/${body.id}/`);
    return String(answer.includes(body.secret) || body.secret === undefined);
  }),
];

/** Headers that a customer wants sent along, and credentials. */
const refusedHeader = "422 invalid_configuration /configuration/headers";
const withHeaders = (world: World, headers: unknown): Promise<string> =>
  creating(world, { headers });
const one = (world: World, names: readonly string[], value = "x"): Promise<readonly string[]> =>
  each(names, (name) => withHeaders(world, { [name]: value }));

export const headers: readonly BadInput[] = [
  badInput("H01", "values with line breaks or NUL", `${refusedHeader}/x-a`, (world) =>
    each(["a\r\nEvil: 1", "a\nb", "a\0b", "a\tb"], (value) => withHeaders(world, { "x-a": value })),
  ),
  badInput("H02", "names that are none", new RegExp(`^${refusedHeader}/`), (world) =>
    one(world, ["a b", "é", "", ":path", "(x)", "a\r\nb"]),
  ),
  badInput("H03", "values of Latin-1", `${refusedHeader}/x-a`, (world) =>
    one(world, ["x-a"], "café"),
  ),
  badInput("H04", "values beyond Latin-1", `${refusedHeader}/x-a`, (world) =>
    one(world, ["x-a"], "日本"),
  ),
  badInput("H05", "Host", `${refusedHeader}/Host`, (world) => one(world, ["Host"], "evil.com")),
  badInput("H06", "Content-Length", `${refusedHeader}/Content-Length`, (world) =>
    one(world, ["Content-Length"], "5"),
  ),
  badInput("H07", "headers of the connection", new RegExp(`^${refusedHeader}/`), (world) =>
    one(world, ["Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE", "Keep-Alive"]),
  ),
  badInput("H08", "headers that are ours, in any case", new RegExp(`^${refusedHeader}/`), (world) =>
    one(world, [
      "webhook-id",
      "Webhook-Timestamp",
      "WEBHOOK-SIGNATURE",
      "content-type",
      "User-Agent",
      "traceparent",
      "ce-id",
    ]),
  ),
  badInput("H09", "__proto__", `${refusedHeader}/__proto__`, (world) =>
    asked(world, "POST", "/webhooks/", {
      body: JSON.stringify({
        ...httpWebhook,
        configuration: { ...httpWebhook.configuration, headers: { marker: "x" } },
      }).replace('"marker"', '"__proto__"'),
    }),
  ),
  badInput("H10", "headers that open doors inside", new RegExp(`^${refusedHeader}/`), (world) =>
    one(world, [
      "Proxy-Authorization",
      "X-Forwarded-For",
      "Metadata",
      "Metadata-Flavor",
      "X-aws-ec2-metadata-token",
      "Proxy",
      "X_Forwarded_For",
      "webhook_id",
      "X-Client-IP",
      "CF-Connecting-IP",
      "True-Client-IP",
      "X-Remote-User",
      "Impersonate-User",
      "X-Amzn-Trace-Id",
      "Forwarded",
    ]),
  ),
  badInput("H11", "one twice, in another case", `${refusedHeader}/x-a`, (world) =>
    withHeaders(world, { "X-A": "1", "x-a": "2" }),
  ),
  badInput("H12", "too many, too long, too much", new RegExp(`^${refusedHeader}`), (world) =>
    each(
      [
        Object.fromEntries(Array.from({ length: 21 }, (_, nr) => [`x-${nr}`, "a"])),
        { "x-a": "a".repeat(8_192) },
        Object.fromEntries(Array.from({ length: 4 }, (_, nr) => [`x-${nr}`, "a".repeat(4_000)])),
      ],
      (given) => withHeaders(world, given),
    ),
  ),
  badInput(
    "H13",
    "credentials among headers, where they would be shown",
    `${refusedHeader}/Authorization`,
    (world) => one(world, ["Authorization"], "Bearer abc"),
  ),
  badInput(
    "H13",
    "credentials under other names, where they would be shown",
    new RegExp(`^${refusedHeader}/`),
    (world) =>
      one(world, ["X-Api-Key", "ApiKey", "X-Auth-Token", "X-Hub-Signature", "Secret", "X-Key"]),
  ),
  badInput(
    "H13",
    "credentials under any name, where they would be shown",
    `${refusedHeader}/x-a`,
    (world) =>
      each(["Bearer abc", "basic YTpi", "Token abc"], (value) =>
        withHeaders(world, { "x-a": value }),
      ),
  ),
  badInput("H13", "names that only sound like a credential's are fine", "201", (world) =>
    one(world, ["X-Author", "X-Keyboard", "X-Team"]),
  ),
  badInput(
    "H13",
    "secret headers, masked ever after, and kept if the mask comes back",
    "********",
    async ({ ask }) => {
      const secret_headers = "X-Api-Key: canary-7c1e\nX-Token: canary-7c1e";
      const configuration = { ...httpWebhook.configuration, secret_headers };
      const { body } = await ask("POST", "/webhooks/", { body: { ...httpWebhook, configuration } });
      const path = `/webhooks/${body.id}/`;
      const changed = await ask("PATCH", path, { body: { configuration: body.configuration } });
      const { text, body: found } = await ask("GET", path);
      return changed.status !== 200 || text.includes("canary-7c1e")
        ? `${changed.status} ${text}`
        : found.configuration.secret_headers;
    },
  ),
  badInput(
    "H13",
    "secret headers that are none",
    "422 invalid_configuration /configuration/secret_headers",
    (world) =>
      each(
        [
          "abc",
          "X-A",
          ": x",
          "X A: b",
          "X-A : b",
          "X-A: ",
          "X-A: a\nX-a: b",
          "X-A: a\n Evil: b",
          "X-A: a\rEvil: b",
          "X-A: caf\u00e9",
          "Host: evil.test",
          "Content-Length: 5",
          "Authorization: Bearer abc",
          "webhook-id: x",
          `X-A: ${"a".repeat(5_000)}`,
          "\n".repeat(20_000),
          Array.from({ length: 21 }, (_, nr) => `X-${nr}: a`).join("\n"),
          "X-A: \0",
        ],
        (secret_headers) => creating(world, { secret_headers }),
      ),
  ),
  badInput(
    "H13",
    "one header shown and secret at once",
    "422 invalid_configuration /configuration/secret_headers",
    (world) => creating(world, { headers: { "x-a": "a" }, secret_headers: "X-A: b" }),
  ),
  badInput("H13", "credentials in their place, masked ever after", "********", async ({ ask }) => {
    const configuration = { ...httpWebhook.configuration, authorization: "Bearer abc.def-ghi" };
    const { body } = await ask("POST", "/webhooks/", { body: { ...httpWebhook, configuration } });
    return body.configuration.authorization;
  }),
  badInput(
    "H13",
    "credentials that are none",
    "422 invalid_configuration /configuration/authorization",
    (world) =>
      each(
        [
          `Bearer ${"a".repeat(5_000)}`,
          "",
          "abc",
          "Bearer",
          "Bearer a b",
          "Basic user:pass",
          "Bearer a\r\nEvil: 1",
          "Digest x",
        ],
        (authorization) => creating(world, { authorization }),
      ),
  ),
  badInput("H14", "values with blanks around them are fine", "201", (world) =>
    one(world, ["x-a"], "  a  "),
  ),
  badInput("H14", "values of blanks alone", `${refusedHeader}/x-a`, (world) =>
    one(world, ["x-a"], "  "),
  ),
  badInput("H14", "headers that are no object", refusedHeader, (world) =>
    each(["x", 1, null, []], (given) => withHeaders(world, given)),
  ),
  badInput("H14", "values that are no texts", `${refusedHeader}/x-a`, (world) =>
    each([1, null, ["a"], {}], (value) => withHeaders(world, { "x-a": value })),
  ),
];
