import type { Handler, Json } from "@posthorn/core";
import type { RestBus } from "./api.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { Problem } from "./problems.ts";
import type { ResultPage } from "./query.ts";
import type { Answer, Call } from "./routes.ts";
import type { Urls } from "./wire.ts";

/** A type of webhooks: what its configuration is, and how a customer comes by it. */
export interface WebhookType {
  readonly url: string;
  readonly type: string;
  readonly description: string | null;
  /** Of the `configuration` that a webhook of the type is created with. */
  readonly configuration: JsonSchema;
  /** Which of its keys are stored encrypted and never shown. */
  readonly secrets: readonly string[];
  /** Steps in Markdown, for what is to be done at the destination before; empty if nothing is. */
  readonly instructions: readonly string[];
  /** What the steps say to paste there. */
  readonly manifest: Json;
  /** A link that does the first steps. */
  readonly install_url: string | null;
}

export interface WebhookTypeRoutes {
  list(call: Call): Promise<Answer>;
  get(call: Call): Promise<Answer>;
}

/** @throws PosthornError `invalid_options` for a handler whose configuration is not JSON Schema's */
export function webhookTypeRoutes({ handlers }: RestBus): WebhookTypeRoutes {
  const types = new Map(handlers.map((handler) => [handler.type, describe(handler)]));
  const show = (type: string, described: Described, urls: Urls): WebhookType => ({
    url: urls.webhookType(type),
    type,
    ...described,
  });

  return {
    list: async ({ urls }) => {
      const content: ResultPage<WebhookType> = {
        next: null,
        previous: null,
        results: [...types].map(([type, described]) => show(type, described, urls)),
      };
      return { content };
    },

    get: async ({ params, urls }) => {
      const { type = "" } = params;
      const described = types.get(type);
      if (described === undefined) throw new Problem("not_found");
      return { content: show(type, described, urls) };
    },
  };
}

type Described = Omit<WebhookType, "url" | "type">;

function describe(handler: Handler): Described {
  const { type, description = null, configuration, secrets = [], setup } = handler;
  const place = `The configuration of handler "${type}"`;
  return {
    description,
    configuration: jsonSchemaOf(place, configuration, "input"),
    secrets,
    instructions: setup?.instructions ?? [],
    manifest: setup?.manifest ?? null,
    install_url: setup?.installUrl ?? null,
  };
}
