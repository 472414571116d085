import type { Catalog, EventType } from "@posthorn/core";
import type { RestBus } from "./api.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { operationalCatalog } from "./operational.ts";
import { Problem } from "./problems.ts";
import type { ResultPage } from "./query.ts";
import type { Answer, Call } from "./routes.ts";
import type { Urls } from "./wire.ts";

/** An event type that webhooks can have, as the API shows it. */
export interface WebhookEventType {
  readonly url: string;
  readonly name: string;
  readonly description: string | null;
  /** Of the data that is delivered. */
  readonly schema: JsonSchema;
  /** Data as it is delivered. */
  readonly example: unknown;
}

export interface EventTypeRoutes {
  list(call: Call): Promise<Answer>;
  get(call: Call): Promise<Answer>;
}

/** @throws PosthornError `invalid_options` for an event type whose schema is not JSON Schema's */
export function eventTypeRoutes({ catalog: own }: RestBus): EventTypeRoutes {
  const catalog = offered(own);
  const schemas = new Map(
    Object.entries(catalog).map(([name, eventType]) => [
      name,
      jsonSchemaOf(`catalog.${name}.schema`, eventType.schema, "output"),
    ]),
  );

  async function show(name: string, schema: JsonSchema, urls: Urls): Promise<WebhookEventType> {
    const { description = null } = catalog[name] as EventType;
    const example = await exampleOf(catalog[name] as EventType);
    return { url: urls.eventType(name), name, description, schema, example };
  }

  return {
    list: async ({ urls }) => {
      const shown = [...schemas].map(([name, schema]) => show(name, schema, urls));
      const content: ResultPage<WebhookEventType> = {
        next: null,
        previous: null,
        results: await Promise.all(shown),
      };
      return { content };
    },

    get: async ({ params, urls }) => {
      const { name = "" } = params;
      const schema = schemas.get(name);
      if (schema === undefined) throw new Problem("not_found");
      return { content: await show(name, schema, urls) };
    },
  };
}

/** All event types that webhooks can have. */
export const offered = (catalog: Catalog): Catalog => ({ ...catalog, ...operationalCatalog });

/** The example is written as a publisher gives it; what is delivered is its schema's output. */
export async function exampleOf({ schema, example }: EventType): Promise<unknown> {
  if (example === undefined) return null;
  const result = await schema["~standard"].validate(example);
  return result.issues === undefined ? result.value : null;
}
