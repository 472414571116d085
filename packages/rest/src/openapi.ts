import type { EventType, Handler } from "@posthorn/core";
import { answerSchemas, answerTexts, bodySchemas } from "./answer-schemas.ts";
import type { RestBus } from "./api.ts";
import type { BodyShape } from "./body.ts";
import { exampleOf, offered } from "./event-types.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { describedProblems } from "./problems.ts";
import type { QueryParameter } from "./query.ts";
import type { Answer, Call, Route } from "./routes.ts";

export interface DescriptionRoutes {
  get(call: Call): Promise<Answer>;
}

/** The OpenAPI description of the API, from its route table, and of what webhooks are sent. */
export function descriptionRoutes({
  bus,
  challenge,
  routes,
}: {
  readonly bus: RestBus;
  readonly challenge: string;
  readonly routes: () => readonly Route[];
}): DescriptionRoutes {
  const { catalog, handlers } = bus;
  return {
    get: async ({ urls }) => {
      const { schemas, configuration } = configurations(handlers);
      const types = handlers.map(({ type }) => type);
      const type = { type: "string", enum: types };
      const fields = { ...bodySchemas, type, configuration };
      const sent = types.includes("http") ? await webhooks(offered(catalog)) : null;
      return {
        content: {
          openapi: "3.1.0",
          info: {
            title: "Webhooks",
            version: "1",
            summary: "Subscribe to events, and see what was delivered.",
            description: introduction,
          },
          servers: [{ url: urls.root }],
          security: [{ credentials: [] }],
          tags: sent === null ? tags : [...tags, eventsTag],
          paths: paths(routes(), { fields, examples: examples(handlers) }),
          ...(sent !== null && { webhooks: sent.webhooks }),
          components: {
            schemas: { ...answerSchemas, ...schemas, ...sent?.schemas },
            responses: Object.fromEntries(
              problemStatuses.map((status) => [nameOf(status), problem(status)]),
            ),
            securitySchemes: { credentials: securityScheme(challenge) },
          },
        },
      };
    },
  };
}

const introduction = [
  "Lists come in pages, the newest first: follow `next` until it is null.",
  "What fails is answered with `application/problem+json` (RFC 9457): branch on its `code`, read its `detail`; `errors` says where in the body or the query.",
  "Ids and paths of another organization are answered as if there were nothing.",
].join("\n\n");

const tags = [
  { name: "Webhooks", description: "What an organization subscribes to, and how it is delivered." },
  { name: "Deliveries", description: "What a webhook was sent, and what came of it." },
  { name: "Event types", description: "What there is to subscribe to." },
];

const eventsTag = {
  name: "Events",
  description:
    "What a webhook of type `http` is sent: one POST for each event, signed as [Standard Webhooks](https://www.standardwebhooks.com) says. Verify the signature over the body as it was received before anything reads it. The same `webhook-id` may come again.",
};

const tagOf = ({ path, action }: Route): string =>
  action.startsWith("deliveries.") || path.includes("/replays/")
    ? "Deliveries"
    : action.startsWith("event_types.")
      ? "Event types"
      : "Webhooks";

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

type Fields = Readonly<Record<string, JsonSchema>>;

/** What bodies have that depends on the handlers. */
interface Bodies {
  readonly fields: Fields;
  /** Of bodies that create a webhook, by its type. */
  readonly examples: object;
}

function paths(routes: readonly Route[], bodies: Bodies): object {
  const all: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const { path, method } = route;
    all[path] = { ...all[path], [method.toLowerCase()]: operation(route, bodies) };
  }
  return all;
}

function operation(route: Route, { fields, examples }: Bodies): object {
  const { operation: operationId, summary, query, body, path, method } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: /^(?:name|type)$/.test(name) ? { type: "string" } : { type: "string", format: "uuid" },
  }));
  const parameters = [
    ...inPath,
    ...query.map(queryParameter),
    ...(operationId === "createWebhook" ? [idempotencyKey] : []),
  ];
  return {
    operationId,
    summary,
    tags: [tagOf(route)],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== null && {
      requestBody: requestBody(body, fields, operationId === "createWebhook" ? { examples } : {}),
    }),
    responses: { [route.status]: success(route), ...problems(method, inPath.length > 0, body) },
  };
}

const queryParameter = ({ name, description, values, schema }: QueryParameter): object => ({
  name,
  in: "query",
  description,
  schema: schema ?? { type: "string", ...(values !== undefined && { enum: values }) },
});

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description: "Asked again with the same key and body, the first webhook is answered.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

function requestBody(
  { required, optional, mayBeEmpty }: BodyShape,
  fields: Fields,
  more: object,
): object {
  const names = [...required, ...optional];
  const schema = {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, fieldOf(name, fields)])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
  return { required: mayBeEmpty !== true, content: { "application/json": { schema, ...more } } };
}

function fieldOf(name: string, fields: Fields): JsonSchema {
  const schema = fields[name];
  if (schema === undefined) throw new TypeError(`No schema describes the field "${name}".`);
  return schema;
}

function success({ status, answer }: Route): object {
  if (answer === null) return { description: "It is done." };
  const location = { description: "The URL of what was made.", schema: { type: "string" } };
  return {
    description: answerTexts[answer],
    ...((status === 201 || status === 202) && { headers: { Location: location } }),
    content: { "application/json": { schema: ref(answer) } },
  };
}

/** Which problems an operation can answer, by their status. */
function problems(method: Route["method"], named: boolean, body: BodyShape | null): object {
  const changes = method !== "GET";
  const statuses = [
    400,
    401,
    403,
    ...(named ? [404] : []),
    ...(changes ? [409, 413, 415] : []),
    ...(body === null ? [] : [422]),
    500,
    503,
  ];
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` }]),
  );
}

const problemStatuses = [400, 401, 403, 404, 409, 413, 415, 422, 500, 503];

const nameOf = (status: number): string => `Problem${status}`;

function problem(status: number): object {
  const { description, example } = describedProblems(status);
  return {
    description,
    content: { "application/problem+json": { schema: ref("Problem"), example } },
  };
}

function securityScheme(challenge: string): object {
  const [scheme = ""] = challenge.split(" ");
  return /^(?:bearer|basic|digest)$/i.test(scheme)
    ? { type: "http", scheme: scheme.toLowerCase() }
    : {
        type: "apiKey",
        in: "header",
        name: "Authorization",
        description: `\`${scheme}\`, a space and the key.`,
      };
}

/** A configuration is that of one of the types. */
function configurations(handlers: readonly Handler[]): {
  readonly schemas: Fields;
  readonly configuration: JsonSchema;
} {
  const known = handlers.map((handler) => {
    const name = `Configuration_${handler.type}`;
    const place = `The configuration of handler "${handler.type}"`;
    const schema = jsonSchemaOf(place, handler.configuration, "input");
    return [name, embedded(schema, name)] as const;
  });
  return {
    schemas: Object.fromEntries(known),
    configuration: { anyOf: known.map(([name]) => ref(name)) },
  };
}

/** A body that creates a webhook, for each type whose configuration has an example. */
function examples(handlers: readonly Handler[]): object {
  const known = handlers.flatMap(({ type, description, configuration: schema }) => {
    const configuration = exampleIn(
      jsonSchemaOf(`The configuration of handler "${type}"`, schema, "input"),
    );
    if (configuration === null) return [];
    const value = { name: "Releases", event_types: ["*"], type, configuration };
    return [[type, { ...(description !== undefined && { summary: description }), value }] as const];
  });
  return Object.fromEntries(known);
}

/** The example of a schema, or what those of its required properties make; null if one has none. */
function exampleIn({ examples, properties, required }: JsonSchema): unknown {
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  if (typeof properties !== "object" || !Array.isArray(required)) return null;
  const parts = required.map((key: string) => [
    key,
    exampleIn((properties as Record<string, JsonSchema>)[key] ?? {}),
  ]);
  return parts.some(([, example]) => example === null) ? null : Object.fromEntries(parts);
}

/** A schema as part of the document: what it refers to in itself is elsewhere now. */
function embedded({ $schema: _, ...schema }: JsonSchema, name: string): JsonSchema {
  const move = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(move);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) =>
        key === "$ref" && typeof inner === "string" && inner.startsWith("#")
          ? [key, `#/components/schemas/${name}${inner.slice(1)}`]
          : [key, move(inner)],
      ),
    );
  };
  return move(schema) as JsonSchema;
}

/** What each event type sends to a webhook of type `http`. */
async function webhooks(
  catalog: Readonly<Record<string, EventType>>,
): Promise<{ readonly webhooks: object; readonly schemas: Fields }> {
  const all = Object.entries(catalog).map(async ([name, eventType]) => {
    const data = `Data_${name}`;
    const example = await exampleOf(eventType);
    return {
      name,
      operation: received(name, eventType, data, example),
      schema: [
        data,
        embedded(jsonSchemaOf(`catalog.${name}.schema`, eventType.schema, "output"), data),
      ] as const,
    };
  });
  const described = await Promise.all(all);
  return {
    webhooks: Object.fromEntries(described.map(({ name, operation }) => [name, operation])),
    schemas: Object.fromEntries(described.map(({ schema }) => schema)),
  };
}

function received(name: string, eventType: EventType, data: string, example: unknown): object {
  const { description } = eventType;
  const timestamp = "2026-01-05T14:03:00.000Z";
  const type = { type: "string", const: name };
  const at = { type: "string", format: "date-time", description: "When it happened." };
  const standard = {
    type: "object",
    properties: { type, timestamp: at, data: ref(data) },
    required: ["type", "timestamp", "data"],
  };
  const cloudEvent = {
    type: "object",
    properties: {
      specversion: { type: "string", const: "1.0" },
      id: { type: "string" },
      source: { type: "string" },
      type,
      time: at,
      datacontenttype: { type: "string", const: "application/json" },
      data: ref(data),
    },
    required: ["specversion", "id", "source", "type", "data"],
  };
  return {
    post: {
      operationId: `receive_${name}`,
      summary: description === undefined ? name : `${name}: ${description}`,
      description:
        "The body depends on the webhook's `format`: the envelope of Standard Webhooks, or a CloudEvent. With `cloudevents_binary` the body is `data` alone, and `ce-` headers have the rest.",
      tags: [eventsTag.name],
      security: [],
      parameters: signatureHeaders,
      requestBody: {
        required: true,
        content: {
          "application/json": {
            schema: standard,
            ...(example !== null && { example: { type: name, timestamp, data: example } }),
          },
          "application/cloudevents+json": {
            schema: cloudEvent,
            ...(example !== null && {
              example: { ...cloudEventExample, type: name, data: example },
            }),
          },
        },
      },
      responses,
    },
  };
}

const cloudEventExample = {
  specversion: "1.0",
  id: "019b76da-a800-7001-adfe-747d23673f27",
  source: "posthorn",
  type: "",
  time: "2026-01-05T14:03:00.000Z",
  datacontenttype: "application/json",
};

const inHeader = (name: string, description: string, schema: JsonSchema): object => ({
  name,
  in: "header",
  required: true,
  description,
  schema,
});

/** Standard Webhooks 1.0. */
const signatureHeaders = [
  inHeader("webhook-id", "The same each time this event is sent.", {
    type: "string",
    examples: ["019b76da-a800-7001-adfe-747d23673f27"],
  }),
  inHeader("webhook-timestamp", "When it is sent, in seconds since 1970.", {
    type: "string",
    pattern: "^\\d+$",
    examples: ["1767621780"],
  }),
  inHeader("webhook-signature", "Signatures, separated by spaces; one of them is right.", {
    type: "string",
    pattern: "^v1a?,\\S+( v1a?,\\S+)*$",
    examples: ["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
  }),
];

const responses = {
  "2XX": { description: "It was taken." },
  "3XX": { description: "It failed: redirects are not followed." },
  "410": { description: "Nothing more is wanted: the webhook is switched off." },
  "429": { description: "It is sent again after `Retry-After`, as is all else for this host." },
  "4XX": { description: "It failed, and is sent again later." },
  "5XX": { description: "It failed, and is sent again later." },
};
