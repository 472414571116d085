import { MASK } from "@posthorn/core";
import { afterAll, describe, expect, it } from "vitest";
import { type Asked, CANARY, createWorld, pagerWebhook, seed, type World } from "../test/acme.ts";

/** What a request is, given the path of a webhook that is there. */
type Request = (webhook: string) => readonly [method: string, path: string, asked?: Asked];

/** Its name, the request, the status and code of the problem, and the places that it names. */
type Row = readonly [
  name: string,
  request: Request,
  status: number,
  code: string,
  places?: readonly string[],
  detail?: RegExp,
];

const unknownId = "01890000-0000-7000-8000-000000000000";

const post =
  (body: unknown, headers?: Asked["headers"]): Request =>
  () => ["POST", "/webhooks/", { body, ...(headers && { headers }) }];
const patch =
  (body: unknown): Request =>
  (webhook) => ["PATCH", webhook, { body }];
const put =
  (body: unknown): Request =>
  (webhook) => ["PUT", webhook, { body }];
const get =
  (path: string): Request =>
  () => ["GET", path];

const slackWith = (configuration: object): object => ({ ...seed, configuration });
const without = (field: keyof typeof seed): object => {
  const { [field]: _, ...rest } = seed;
  return rest;
};
const text = (json: unknown): string => JSON.stringify(json);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;

const bodies: readonly Row[] = [
  ["an empty body", post(""), 400, "malformed_json", [], /is empty/],
  ["no body at all", () => ["POST", "/webhooks/"], 400, "malformed_json", [], /is empty/],
  ["null", post("null"), 400, "invalid_body", [], /is null/],
  ["an array", post("[]"), 400, "invalid_body", [], /an array/],
  ["a string", post('"x"'), 400, "invalid_body", [], /a string/],
  ["a number", post("1"), 400, "invalid_body", [], /a number/],
  ["a trailing comma", post('{"name":1,}'), 400, "malformed_json", [], /line 1, column 11/],
  ["single quotes", post("{'name':1}"), 400, "malformed_json"],
  ["NaN", post('{"name":NaN}'), 400, "malformed_json"],
  ["Infinity", post('{"name":Infinity}'), 400, "malformed_json"],
  ["a comment", post("{} // no"), 400, "malformed_json"],
  ["two values", post("{}{}"), 400, "malformed_json"],
  ["half a body", post(text(seed).slice(0, 120)), 400, "malformed_json"],
  ["a byte order mark", post(`\ufeff${text(seed)}`), 400, "malformed_json"],
  ["UTF-16", post(Buffer.from(text(seed), "utf16le")), 400, "malformed_json"],
  [
    "a broken UTF-8 sequence",
    post(bytes(0x22, 0xc3, 0x28, 0x22)),
    400,
    "malformed_json",
    [],
    /UTF-8/,
  ],
  [
    "an overlong UTF-8 sequence",
    post(bytes(0x22, 0xc0, 0xaf, 0x22)),
    400,
    "malformed_json",
    [],
    /UTF-8/,
  ],
  ["a field twice", post('{"name":"a","name":"b"}'), 400, "duplicate_field", ["/name"]],
  [
    "a field twice, written differently",
    post('{"n\\u0061me":"a","name":"b"}'),
    400,
    "duplicate_field",
    ["/name"],
  ],
  [
    "a field twice, deep inside",
    post('{"configuration":{"rooms":[{},{"a":{"b":1,"b":2}}]}}'),
    400,
    "duplicate_field",
    ["/configuration/rooms/1/a/b"],
  ],
  ["33 levels", post(`{"name":${nested(32)}}`), 400, "too_deep"],
  ["ten thousand levels", post(nested(10_000)), 400, "too_deep"],
  ["half a million brackets", post("[".repeat(250_000)), 400, "malformed_json"],
  ["more than 256 KB", post({ ...seed, name: "n".repeat(262_144) }), 413, "payload_too_large"],
  [
    "more than 256 KB announced",
    post(seed, { "content-length": "262145" }),
    413,
    "payload_too_large",
  ],
  ["no media type", post(seed, { "content-type": "" }), 415, "unsupported_media_type"],
  ["text", post(seed, { "content-type": "text/plain" }), 415, "unsupported_media_type"],
  [
    "a form",
    post("name=x", { "content-type": "application/x-www-form-urlencoded" }),
    415,
    "unsupported_media_type",
  ],
  [
    "JSON of another kind",
    post(seed, { "content-type": "application/merge-patch+json" }),
    415,
    "unsupported_media_type",
  ],
  [
    "JSON in another charset",
    post(seed, { "content-type": "application/json; charset=utf-16" }),
    415,
    "unsupported_media_type",
  ],
  ["a compressed body", post(seed, { "content-encoding": "gzip" }), 415, "unsupported_media_type"],
];

const fields: readonly Row[] = [
  [
    "an unknown field",
    post({ ...seed, colour: 1 }),
    422,
    "invalid_webhook",
    ["/colour"],
    /Known: name, event_types/,
  ],
  [
    "a TypeScript name",
    post({ ...seed, eventTypes: [] }),
    422,
    "invalid_webhook",
    ["/eventTypes"],
    /Did you mean "event_types"/,
  ],
  [
    "a typo",
    post({ ...seed, nmae: "x" }),
    422,
    "invalid_webhook",
    ["/nmae"],
    /Did you mean "name"/,
  ],
  [
    "__proto__",
    post(`{"__proto__":{"enabled":false},${text(seed).slice(1)}`),
    422,
    "invalid_webhook",
    ["/__proto__"],
  ],
  ["constructor", post({ ...seed, constructor: {} }), 422, "invalid_webhook", ["/constructor"]],
  ["toString", post({ ...seed, toString: 1 }), 422, "invalid_webhook", ["/toString"]],
  [
    "a field with a slash and a tilde",
    post({ ...seed, "a/b~c": 1 }),
    422,
    "invalid_webhook",
    ["/a~1b~0c"],
  ],
  [
    "read-only fields",
    post({ ...seed, id: unknownId, url: "x", status: "ok", created_at: "x" }),
    422,
    "invalid_webhook",
    ["/id", "/url", "/status", "/created_at"],
    /is read-only/,
  ],
  [
    "nothing",
    post({}),
    422,
    "invalid_webhook",
    ["/name", "/event_types", "/type", "/configuration"],
    /is required/,
  ],
  ["no name", post(without("name")), 422, "invalid_webhook", ["/name"]],
  ["no event_types", post(without("event_types")), 422, "invalid_webhook", ["/event_types"]],
  ["no type", post(without("type")), 422, "invalid_webhook", ["/type"]],
  ["no configuration", post(without("configuration")), 422, "invalid_webhook", ["/configuration"]],
  ["a name that is a number", post({ ...seed, name: 1 }), 422, "invalid_webhook", ["/name"]],
  ["a name that is null", post({ ...seed, name: null }), 422, "invalid_webhook", ["/name"]],
  ["an empty name", post({ ...seed, name: " " }), 422, "invalid_webhook", ["/name"]],
  [
    "a name of 257 characters",
    post({ ...seed, name: "n".repeat(257) }),
    422,
    "invalid_webhook",
    ["/name"],
  ],
  ["a name with NUL", post({ ...seed, name: "a\0b" }), 422, "invalid_webhook", ["/name"]],
  [
    "a name with half a character",
    post(text(seed).replace("MyNew", "\\ud800")),
    422,
    "invalid_webhook",
    ["/name"],
  ],
  [
    "enabled as a string",
    post({ ...seed, enabled: "false" }),
    422,
    "invalid_webhook",
    ["/enabled"],
  ],
  ["enabled as a number", post({ ...seed, enabled: 1 }), 422, "invalid_webhook", ["/enabled"]],
  ["enabled as null", post({ ...seed, enabled: null }), 422, "invalid_webhook", ["/enabled"]],
  [
    "several mistakes at once",
    post({ ...seed, name: "", event_types: ["*", "nothing"], enabled: 0 }),
    422,
    "invalid_webhook",
    ["/name", "/event_types/1", "/enabled"],
  ],
];

const eventTypes: readonly Row[] = [
  ["a string", post({ ...seed, event_types: "*" }), 422, "invalid_webhook", ["/event_types"]],
  ["null", post({ ...seed, event_types: null }), 422, "invalid_webhook", ["/event_types"]],
  [
    "none",
    post({ ...seed, event_types: [] }),
    422,
    "invalid_webhook",
    ["/event_types"],
    /parameter_created/,
  ],
  [
    "one twice",
    post({ ...seed, event_types: ["parameter_created", "*", "parameter_created"] }),
    422,
    "invalid_webhook",
    ["/event_types/2"],
    /given twice/,
  ],
  [
    "an unknown one",
    post({ ...seed, event_types: ["parameter_created", "parametr_updated"] }),
    422,
    "unknown_event_type",
    ["/event_types/1"],
    /Did you mean "parameter_updated"/,
  ],
  [
    "one in other letters",
    post({ ...seed, event_types: ["Parameter_Created"] }),
    422,
    "unknown_event_type",
    ["/event_types/0"],
  ],
  [
    "a pattern that matches nothing",
    post({ ...seed, event_types: ["invoice_*"] }),
    422,
    "unknown_event_type",
    ["/event_types/0"],
  ],
  [
    "a pattern in the middle",
    post({ ...seed, event_types: ["*_created"] }),
    422,
    "unknown_event_type",
    ["/event_types/0"],
  ],
  [
    "a reserved one",
    post({ ...seed, event_types: ["webhook_test"] }),
    422,
    "unknown_event_type",
    ["/event_types/0"],
  ],
  [
    "the beginning of one that tells of webhooks",
    post({ ...seed, event_types: ["webhook_*"] }),
    422,
    "unknown_event_type",
    ["/event_types/0"],
  ],
  ["a number", post({ ...seed, event_types: [1] }), 422, "invalid_webhook", ["/event_types/0"]],
  [
    "101",
    post({ ...seed, event_types: Array.from({ length: 101 }, (_, n) => `${n}`) }),
    422,
    "invalid_webhook",
    ["/event_types"],
  ],
];

const types: readonly Row[] = [
  [
    "an unknown one",
    post({ ...seed, type: "email" }),
    422,
    "unknown_type",
    ["/type"],
    /Known: slack, pager/,
  ],
  [
    "a typo",
    post({ ...seed, type: "slak" }),
    422,
    "unknown_type",
    ["/type"],
    /Did you mean "slack"/,
  ],
  ["another case", post({ ...seed, type: "Slack" }), 422, "unknown_type", ["/type"]],
  ["null", post({ ...seed, type: null }), 422, "unknown_type", ["/type"]],
  [
    "a property of every object",
    post({ ...seed, type: "constructor" }),
    422,
    "unknown_type",
    ["/type"],
  ],
  ["another by PATCH", patch({ type: "slack" }), 409, "type_immutable"],
  ["another by PUT", put({ ...pagerWebhook, type: "slack" }), 409, "type_immutable"],
  ["none of that name by PATCH", patch({ type: "email" }), 409, "type_immutable"],
  ["null by PATCH", patch({ type: null }), 422, "invalid_webhook", ["/type"]],
];

const configurations: readonly Row[] = [
  [
    "a string",
    post({ ...seed, configuration: CANARY }),
    422,
    "invalid_webhook",
    ["/configuration"],
  ],
  ["null", post({ ...seed, configuration: null }), 422, "invalid_webhook", ["/configuration"]],
  [
    "an array",
    post({ ...seed, configuration: [CANARY] }),
    422,
    "invalid_webhook",
    ["/configuration"],
  ],
  [
    "a channel with a space",
    post(slackWith({ ...seed.configuration, channel: "two words" })),
    422,
    "invalid_configuration",
    ["/configuration/channel"],
    /channel's name/,
  ],
  [
    "no channel",
    post(slackWith({ token: CANARY, username: "u" })),
    422,
    "invalid_configuration",
    ["/configuration/channel"],
  ],
  [
    "an unknown key",
    post(slackWith({ ...seed.configuration, icon: "x" })),
    422,
    "invalid_configuration",
    ["/configuration/icon"],
  ],
  [
    "__proto__",
    post(text(seed).replace('"channel"', '"__proto__":{"x":1},"channel"')),
    422,
    "invalid_configuration",
    ["/configuration/__proto__"],
  ],
  [
    "constructor",
    post(slackWith({ ...seed.configuration, constructor: 1 })),
    422,
    "invalid_configuration",
    ["/configuration/constructor"],
  ],
  [
    "a token that is a number",
    post(slackWith({ ...seed.configuration, token: 1 })),
    422,
    "invalid_configuration",
    ["/configuration/token"],
  ],
  [
    "a token that is an object",
    post(slackWith({ ...seed.configuration, token: { is: CANARY } })),
    422,
    "invalid_configuration",
    ["/configuration/token"],
  ],
  [
    "a token of the wrong kind",
    post(slackWith({ ...seed.configuration, token: `xapp-${CANARY}` })),
    422,
    "invalid_configuration",
    ["/configuration/token"],
  ],
  [
    "a token with a line break",
    post(slackWith({ ...seed.configuration, token: `${CANARY}\n` })),
    422,
    "invalid_configuration",
    ["/configuration/token"],
  ],
  [
    "the mask, with nothing stored",
    post(slackWith({ ...seed.configuration, token: MASK })),
    422,
    "invalid_configuration",
    ["/configuration/token"],
  ],
  [
    "a secret that the schema quotes",
    post({ ...pagerWebhook, configuration: { key: CANARY, room: "ops" } }),
    422,
    "invalid_configuration",
    ["/configuration/key"],
    /^\/configuration\/key: Invalid start: Expected "key-"$/,
  ],
  [
    "a number too large for JSON",
    post(text(pagerWebhook).replace('"ops"', "1e999")),
    422,
    "invalid_webhook",
    ["/configuration/room"],
  ],
  [
    "a key with a slash",
    post({ ...pagerWebhook, configuration: { ...pagerWebhook.configuration, "a/b": 1 } }),
    422,
    "invalid_configuration",
    ["/configuration/a~1b"],
  ],
  [
    "what the destination refuses",
    post({ ...pagerWebhook, configuration: { ...pagerWebhook.configuration, room: "nowhere" } }),
    422,
    "handler_refused",
    ["/configuration/room"],
    /no such room/,
  ],
  [
    "null for a key by PATCH",
    patch({ configuration: { room: null } }),
    422,
    "invalid_configuration",
    ["/configuration/room"],
  ],
  ["null by PATCH", patch({ configuration: null }), 422, "invalid_webhook", ["/configuration"]],
  [
    "a number for a text by PATCH",
    patch({ configuration: { room: 8 } }),
    422,
    "invalid_configuration",
    ["/configuration/room"],
  ],
  [
    "too little by PUT",
    put({ name: "n", event_types: ["*"], configuration: {} }),
    422,
    "invalid_configuration",
    ["/configuration/room"],
  ],
];

const changes: readonly Row[] = [
  ["name as null", patch({ name: null }), 422, "invalid_webhook", ["/name"]],
  ["event_types as null", patch({ event_types: null }), 422, "invalid_webhook", ["/event_types"]],
  ["enabled as null", patch({ enabled: null }), 422, "invalid_webhook", ["/enabled"]],
  ["an order that is none", patch({ order: "fifo" }), 422, "invalid_webhook", ["/order"]],
  ["order as null", patch({ order: null }), 422, "invalid_webhook", ["/order"]],
  ["a read-only field", patch({ modified_at: "now" }), 422, "invalid_webhook", ["/modified_at"]],
  [
    "an option of the bus",
    patch({ replaceConfiguration: true }),
    422,
    "invalid_webhook",
    ["/replaceConfiguration"],
  ],
  ["no body", (webhook) => ["PATCH", webhook], 400, "malformed_json"],
  ["a part by PUT", put({ name: "n" }), 422, "invalid_webhook", ["/event_types", "/configuration"]],
  [
    "a body where none belongs",
    (webhook) => ["POST", `${webhook}test/`, { body: { name: 1 } }],
    422,
    "invalid_webhook",
    ["/name"],
    /No fields/,
  ],
  [
    "a body that is no JSON where none belongs",
    (webhook) => ["DELETE", webhook, { body: "{" }],
    400,
    "malformed_json",
  ],
];

const organizations: readonly Row[] = [
  [
    "another that is there",
    post({ ...seed, organization: "globex" }),
    403,
    "organization_mismatch",
  ],
  [
    "another that is not there",
    post({ ...seed, organization: "nobody" }),
    403,
    "organization_mismatch",
  ],
  [
    "another in a body that is wrong anyway",
    post({ organization: "globex", x: 1 }),
    403,
    "organization_mismatch",
  ],
  ["another by PATCH", patch({ organization: "globex" }), 403, "organization_mismatch"],
  [
    "another by PUT",
    put({ ...pagerWebhook, organization: "globex" }),
    403,
    "organization_mismatch",
  ],
  ["null", post({ ...seed, organization: null }), 422, "invalid_webhook", ["/organization"]],
  ["a number", patch({ organization: 1 }), 422, "invalid_webhook", ["/organization"]],
];

const headers: readonly Row[] = [
  ["no credentials", () => ["GET", "/webhooks/", { organization: null }], 401, "unauthenticated"],
  [
    "no credentials for what is not there",
    () => ["GET", `/webhooks/${unknownId}/`, { organization: null }],
    401,
    "unauthenticated",
  ],
  [
    "an empty Idempotency-Key",
    post(seed, { "idempotency-key": "" }),
    400,
    "invalid_idempotency_key",
  ],
  [
    "an Idempotency-Key of 256 characters",
    post(seed, { "idempotency-key": "k".repeat(256) }),
    400,
    "invalid_idempotency_key",
  ],
  [
    "two Idempotency-Keys",
    post(seed, { "idempotency-key": "a, b" }),
    400,
    "invalid_idempotency_key",
  ],
  [
    "an Idempotency-Key outside of ASCII",
    post(seed, { "idempotency-key": "\u00e9" }),
    400,
    "invalid_idempotency_key",
  ],
  [
    "an Idempotency-Key of another body",
    post({ ...pagerWebhook, name: "Two" }, { "idempotency-key": "taken" }),
    409,
    "idempotency_conflict",
  ],
];

const queries: readonly Row[] = [
  ...["0", "-1", "101", "1e9", "10abc", "", " 1", "1.5", "%C3%28"].map(
    (limit): Row => [
      `limit=${limit}`,
      get(`/webhooks/?limit=${limit}`),
      400,
      "invalid_page",
      ["limit"],
    ],
  ),
  ["limit twice", get("/webhooks/?limit=1&limit=1"), 400, "invalid_query", ["limit"]],
  ["limit as an array", get("/webhooks/?limit[]=1"), 400, "invalid_query", ["limit[]"]],
  [
    "an unknown parameter",
    get("/webhooks/?page=2"),
    400,
    "invalid_query",
    ["page"],
    /Known: limit, cursor/,
  ],
  ["a typo", get("/webhooks/?limits=2"), 400, "invalid_query", ["limits"], /Did you mean "limit"/],
  [
    "a parameter where there are none",
    (webhook) => ["GET", `${webhook}?limit=2`],
    400,
    "invalid_query",
    ["limit"],
  ],
  [
    "an unknown status",
    (webhook) => ["GET", `${webhook}deliveries/?status=failed`],
    400,
    "invalid_query",
    ["status"],
    /pending, delivered/,
  ],
  ...[
    "x",
    "",
    "%00",
    "AAAA",
    Buffer.from(`1 after ${unknownId} x`).toString("base64url"),
    "x".repeat(10_000),
  ].map(
    (cursor): Row => [
      `cursor=${cursor.slice(0, 20)}`,
      get(`/webhooks/?cursor=${cursor}`),
      400,
      "invalid_cursor",
    ],
  ),
];

const paths: readonly Row[] = [
  ["an unknown path", get("/nothing/"), 404, "unknown_path", [], /\/api\/v1\/webhooks\//],
  ["an unknown action", (webhook) => ["POST", `${webhook}run/`], 404, "unknown_path"],
  ["two slashes", get("/webhooks//"), 404, "unknown_path"],
  ["an unknown id", get(`/webhooks/${unknownId}/`), 404, "not_found"],
  ...[
    "..%2Fx",
    "%00",
    "'%20OR%201=1--",
    "1;2",
    "%F0%9F%93%AF",
    "x".repeat(10_000),
    "%ED%A0%80",
    "%",
  ].map((id): Row => [`an id like ${id.slice(0, 20)}`, get(`/webhooks/${id}/`), 404, "not_found"]),
  [
    "an id in upper case",
    (webhook) => ["GET", webhook.toUpperCase().replace("WEBHOOKS", "webhooks")],
    404,
    "not_found",
  ],
  [
    "an unknown delivery",
    (webhook) => ["GET", `${webhook}deliveries/${unknownId}/`],
    404,
    "not_found",
  ],
  ["deliveries of an unknown webhook", get(`/webhooks/${unknownId}/deliveries/`), 404, "not_found"],
  ["an unknown method", () => ["PROPFIND", "/webhooks/"], 405, "method_not_allowed"],
  ["OPTIONS", () => ["OPTIONS", "/webhooks/"], 405, "method_not_allowed"],
  [
    "DELETE of a list",
    () => ["DELETE", "/webhooks/"],
    405,
    "method_not_allowed",
    [],
    /GET, HEAD, POST/,
  ],
  [
    "GET of an action",
    (webhook) => ["GET", `${webhook}test/`],
    405,
    "method_not_allowed",
    [],
    /POST/,
  ],
];

const table = {
  bodies,
  fields,
  eventTypes,
  types,
  configurations,
  changes,
  organizations,
  headers,
  queries,
  paths,
};
const worlds: World[] = [];

for (const [what, rows] of Object.entries(table)) {
  describe(`bad ${what}`, () => {
    for (const row of rows) it(row[0], () => check(row));
  });
}

async function check([, request, status, code, places = [], detail = /./]: Row): Promise<void> {
  const world = createWorld();
  worlds.push(world);
  const webhook = await world.given();
  const headers = { "idempotency-key": "taken" };
  await world.ask("POST", "/webhooks/", { body: pagerWebhook, headers });
  const before = await world.ask("GET", "/webhooks/");

  const answer = await world.ask(...request(webhook));

  expect(answer.body).toEqual({
    type: `urn:problem-type:posthorn:${code}`,
    title: expect.stringMatching(/./),
    status,
    code,
    detail: expect.stringMatching(detail),
    ...(places.length > 0 && { errors: expect.any(Array) }),
  });
  const named = (answer.body.errors ?? []).map(
    ({ pointer, parameter }: { pointer?: string; parameter?: string }) => pointer ?? parameter,
  );
  expect(named.toSorted()).toEqual(places.toSorted());
  expect(answer.status).toBe(status);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  expect((await world.ask("GET", "/webhooks/")).body).toEqual(before.body);
}

describe("answers to bad requests", () => {
  it("are many", () => {
    expect(Object.values(table).flat().length).toBeGreaterThan(100);
  });

  it("list at most 20 errors, and say how many more there are", async () => {
    const { ask } = createWorld();
    const body = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`field${n}`, n]));
    const answer = await ask("POST", "/webhooks/", { body });
    expect(answer.body.errors).toHaveLength(20);
    expect(answer.body.detail).toMatch(/; and 984 more$/);
    expect(answer.text.length).toBeLessThan(10_000);
  });

  it("quote only the beginning of what is long", async () => {
    const { ask } = createWorld();
    for (const wrong of [{ type: "x".repeat(200_000) }, { event_types: ["x".repeat(200_000)] }]) {
      const answer = await ask("POST", "/webhooks/", { body: { ...seed, ...wrong } });
      expect([answer.status, answer.text.length < 3_000]).toEqual([422, true]);
    }
  });

  it("say which methods a path knows", async () => {
    const { ask, given } = createWorld();
    const answer = await ask("OPTIONS", await given());
    expect(answer.headers.get("allow")).toBe("GET, HEAD, PATCH, PUT, DELETE");
  });
});

afterAll(() => {
  const secret = (text: string): boolean => text.includes(CANARY.slice("xoxb-".length));
  expect(worlds.flatMap(({ sent }) => sent).filter(secret).length).toBeGreaterThan(200);
  expect(worlds.flatMap(({ said }) => said).filter(secret)).toEqual([]);
});
