import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type EventData,
  failed,
  family,
  type Handler,
  type Logger,
  type Outcome,
  rejected,
  type Storage,
} from "@posthorn/core";
import { http } from "@posthorn/handler-http";
import { slack } from "@posthorn/handler-slack";
import { createRestApi, type RestApi, type RestApiOptions } from "@posthorn/rest";
import { createTestBus, type TestBus } from "@posthorn/testing";
import * as v from "valibot";

const catalog = defineCatalog({
  ...family("parameter", {
    schema: v.object({ name: v.string() }),
    example: { name: "DB_HOST" },
  }),
  ...family("project", { schema: v.object({ name: v.string() }) }),
});

/** Nobody listens there: what is saved stays unverified. */
const nobody = "http://127.0.0.1:10/";

/** A token that must appear nowhere. */
export const CANARY = "xoxb-canary-3f9a2c";

/** The document that the API was asked to implement gives this payload. */
export const seed = {
  name: "MyNewWebhook",
  event_types: ["parameter_created"],
  type: "slack",
  configuration: { token: CANARY, channel: "#general", username: "CloudTruth" },
  organization: "acme",
};

/** A handler whose schema quotes what it refuses, and whose destination does what a test says. */
interface Pager {
  readonly handler: Handler<"pager", PagerConfiguration, PagerConfiguration>;
  readonly received: { readonly key: string; readonly room: string; readonly type: string }[];
  /** What the destination says, whatever the room, or by it. */
  answer: Outcome | ((room: string) => Outcome);
}

interface PagerConfiguration {
  readonly key: string;
  readonly room: string;
  readonly urgent?: boolean | undefined;
}

export const pagerWebhook = {
  name: "Pages",
  event_types: ["*"],
  type: "pager",
  configuration: { key: `key-${CANARY}`, room: "ops" },
};

/** A webhook whose secret is made here. */
export const httpWebhook = {
  name: "Hooks",
  event_types: ["*"],
  type: "http",
  configuration: { url: "https://hooks.acme.dev/events" },
};

function createPager(): Pager {
  const received: Pager["received"] = [];
  const pager: Pager = {
    received,
    answer: delivered(),
    handler: defineHandler({
      type: "pager",
      secrets: ["key"],
      configuration: v.strictObject({
        key: v.pipe(v.string(), v.startsWith("key-")),
        room: v.string(),
        urgent: v.optional(v.boolean()),
      }),
      verify: async ({ room }) =>
        room === "nowhere"
          ? { status: "refused", issues: [{ key: "room", message: "There is no such room." }] }
          : { status: "ok" },
      deliver: async ({ configuration, event }) => {
        received.push({ ...configuration, type: event.type });
        const { answer } = pager;
        return typeof answer === "function" ? answer(configuration.room) : answer;
      },
    }),
  };
  return pager;
}

export const trouble = {
  passing: failed("The pager did not answer.", { remedy: "Switch it on.", details: { code: 7 } }),
  lasting: rejected("The pager is gone."),
};

/** What came back, read. */
interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they want.
  readonly body: any;
}

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly organization?: string | null;
}

export interface World {
  readonly bus: TestBus<
    typeof catalog,
    ReturnType<typeof slack> | ReturnType<typeof http> | Pager["handler"]
  >;
  readonly api: RestApi;
  readonly pager: Pager;
  /** Every body that was sent. */
  readonly sent: string[];
  /** Everything that was answered and logged. */
  readonly said: string[];
  readonly logged: { readonly level: string; readonly fields: object; readonly message: string }[];
  /** Asks the API as an organization, `acme` unless said otherwise; null is nobody. */
  ask(method: string, path: string, asked?: Asked): Promise<Answered>;
  /** Creates a webhook and answers its path. */
  given(webhook?: object, organization?: string): Promise<string>;
  publish(data?: EventData<typeof catalog, "project_created">): Promise<void>;
}

/** A bus, its API, and those who ask it: `Authorization: Api-Key <organization>`. */
export function createWorld({
  storage,
  ...options
}: Partial<RestApiOptions> & { readonly storage?: Storage } = {}): World {
  const sent: string[] = [];
  const said: string[] = [];
  const logged: World["logged"][number][] = [];
  const log =
    (level: string) =>
    (fields: object, message: string): void => {
      said.push(JSON.stringify([fields, message]));
      logged.push({ level, fields, message });
    };
  const logger: Logger = {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
  };
  const pager = createPager();
  const handlers = [slack({ baseUrl: nobody }), pager.handler, http()] as const;
  const inMemory = createTestBus({ catalog, handlers, logger });
  const { system } = inMemory;
  const encryptionKeys = [
    { id: "1", key: Buffer.from("a key that is good for tests and no more").subarray(0, 32) },
  ];
  const bus =
    storage === undefined
      ? inMemory
      : {
          ...inMemory,
          ...createEventBus({ catalog, handlers, logger, storage, encryptionKeys, system }),
        };
  const api = createRestApi({ bus, authenticate: accountOf, logger, ...options });

  async function ask(method: string, path: string, asked: Asked = {}): Promise<Answered> {
    sent.push(typeof asked.body === "string" ? asked.body : JSON.stringify(asked.body ?? null));
    const request = toRequest(method, path, asked);
    const response = await api.fetch(request);
    const text = await response.text();
    said.push(text, JSON.stringify([...response.headers]));
    const body = text === "" ? null : JSON.parse(text);
    return { status: response.status, headers: response.headers, text, body };
  }

  return {
    bus,
    api,
    pager,
    sent,
    said,
    logged,
    ask,
    given: async (webhook = pagerWebhook, organization = "acme") => {
      const { status, body } = await ask("POST", "/webhooks/", { body: webhook, organization });
      if (status !== 201) throw new Error(`The webhook was not created: ${JSON.stringify(body)}`);
      return `/webhooks/${body.id}/`;
    },
    publish: async (data = { name: "web" }) => {
      await bus.publish("project_created", data, { organization: "acme" });
      await bus.drain();
    },
  };
}

export function toRequest(method: string, path: string, asked: Asked = {}): Request {
  const { body, headers = {}, organization = "acme" } = asked;
  const written = typeof body === "string" || body instanceof Uint8Array || body === undefined;
  return new Request(`http://api.test/api/v1${path}`, {
    method,
    headers: {
      ...(organization === null ? {} : { authorization: `Api-Key ${organization}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: written ? ((body as string | undefined) ?? null) : JSON.stringify(body),
  });
}

export const accountOf: RestApiOptions["authenticate"] = (request) => {
  const [, organization] = /^Api-Key (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  return organization === undefined ? null : { organization, actor: { id: `${organization}-ana` } };
};
