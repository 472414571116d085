import { randomUUID } from "node:crypto";
import type { Actor, Catalog, EventBus, Handler, Logger } from "@posthorn/core";
import { Hono } from "hono/tiny";
import { type Body, fieldErrors, readBody } from "./body.ts";
import { deliveryRoutes } from "./deliveries.ts";
import { eventTypeRoutes } from "./event-types.ts";
import { descriptionRoutes } from "./openapi.ts";
import { resolveOptions } from "./options.ts";
import { answerHeaders, Problem, problemFrom, problemResponse } from "./problems.ts";
import { parseQuery } from "./query.ts";
import { redact, redactProblem, secretsIn } from "./redact.ts";
import { replayRoutes } from "./replays.ts";
import { type Action, type Route, routeTable } from "./routes.ts";
import { webhookTypeRoutes } from "./webhook-types.ts";
import { webhookRoutes } from "./webhooks.ts";
import { urlsAt } from "./wire.ts";

/** The API of one bus, as one function. */
export interface RestApi {
  /**
   * Answers every request, and never rejects. Needs the whole URL, base path included, and an
   * unread body.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Is a path one of the API's? For hosts that ask it before their own routes. */
  readonly handles: (path: string) => boolean;
}

export interface RestApiOptions {
  readonly bus: RestBus;
  /**
   * Who asks; null for nobody. There is no default: what it answers is all that keeps one
   * organization from another's webhooks.
   */
  readonly authenticate: (request: Request) => Caller | null | Promise<Caller | null>;
  /** Where the API is on its host. Default `/api/v1`. */
  readonly basePath?: string | undefined;
  /**
   * How the host is reached from outside, such as `https://api.example.com`: the beginning of every
   * URL in answers, before the base path. Default: as the request says, which is not what clients
   * see if a proxy stands between; `X-Forwarded-*` headers are not trusted.
   */
  readonly publicUrl?: string | undefined;
  /** The largest body, in bytes. Default 262,144. */
  readonly maxBodyBytes?: number | undefined;
  /** The `WWW-Authenticate` of 401 answers. Default `Api-Key`. */
  readonly challenge?: string | undefined;
  /** Hears every change and every unexpected failure. Of pino's shape. Default: silent. */
  readonly logger?: Logger | undefined;
}

/** In whose name a request is made. */
export interface Caller {
  readonly organization: string;
  /** Who it is, for the log. */
  readonly actor?: Actor | undefined;
  /** May the caller do this? Default: everything. */
  readonly can?: ((action: Action) => boolean | Promise<boolean>) | undefined;
}

/** The part of an {@link EventBus} that the API uses. */
export type RestBus = Pick<
  EventBus<Catalog, Handler, never>,
  "catalog" | "handlers" | "subscriptions" | "deliveries" | "replays"
>;

/**
 * Makes the REST API of a bus: `webhooks/` and `event-types/` below the base path.
 *
 * @throws PosthornError `invalid_options` without `authenticate`, for options that are not valid,
 * and for an event type whose schema cannot be shown as JSON Schema
 */
export function createRestApi(options: RestApiOptions): RestApi {
  const { bus, authenticate, basePath, publicUrl, maxBodyBytes, challenge, log } =
    resolveOptions(options);
  const routes: readonly Route[] = routeTable({
    webhooks: webhookRoutes(bus),
    webhookTypes: webhookTypeRoutes(bus),
    deliveries: deliveryRoutes(bus),
    replays: replayRoutes(bus),
    eventTypes: eventTypeRoutes(bus),
    description: descriptionRoutes({ bus, challenge, routes: () => routes }),
  });
  const roots = [...new Set(routes.map(({ path }) => basePath + rootOf(path)))];
  const app = new Hono();

  for (const path of new Set(routes.map((route) => route.path))) {
    const pattern = `${basePath}${path.replaceAll(/\{(\w+)\}/g, ":$1").replace(/\/$/, "")}`;
    const here = routes.filter((route) => route.path === path);
    for (const route of here) {
      app.on(route.method, pattern, ({ req }) => answer(route, req.raw, req.param()));
    }
    app.all(pattern, () => problemResponse(methodNotAllowed(here)));
  }
  app.notFound(() => problemResponse(unknownPath(roots)));

  /** Everything that every route has in common, in the order in which a request may fail. */
  async function answer(
    route: Route,
    request: Request,
    params: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const fields: Record<string, unknown> = { method: route.method, path: route.path, ...params };
    let secrets: readonly string[] = [];
    try {
      const caller = await identify(request);
      const { organization, actor } = caller;
      Object.assign(fields, { organization, actor: actor?.id });
      await permit(caller, route.action);
      const url = new URL(request.url);
      const query = parseQuery(url.searchParams, route.query);
      const body = await bodyOf(route, request);
      secrets = secretsIn(body, bus.handlers);
      refuseFields(body, route, organization);

      const { headers } = request;
      const path = pathOf(route, params);
      const urls = urlsAt(`${publicUrl ?? url.origin}${basePath}`, path);
      const call = { organization, headers, path, params, query, body, urls };
      const { content, location } = await route.handle(call);
      if (route.method !== "GET") log("info", fields, "The REST API made a change.");
      return new Response(content === undefined ? null : JSON.stringify(content), {
        status: route.status,
        headers: {
          ...answerHeaders,
          ...(content === undefined ? {} : { "content-type": "application/json" }),
          ...(location === undefined ? {} : { location }),
        },
      });
    } catch (error) {
      const problem = problemFrom(error);
      if (problem !== null) return problemResponse(redactProblem(problem, secrets, bus.handlers));
      const reference = randomUUID();
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const failure = { ...fields, reference, error: redact(why, secrets) };
      log("error", failure, "A request to the REST API failed.");
      return problemResponse(internalError(reference), { reference });
    }
  }

  async function identify(request: Request): Promise<Caller> {
    const caller = await authenticate(request);
    if (caller === null || caller === undefined) {
      throw new Problem("unauthenticated", { headers: { "www-authenticate": challenge } });
    }
    if (typeof caller.organization !== "string" || caller.organization === "") {
      throw new TypeError("`authenticate` answered a caller without an organization.");
    }
    return caller;
  }

  const bodyOf = async (route: Route, request: Request): Promise<Body> =>
    route.method === "GET"
      ? {}
      : readBody(request, {
          maxBytes: maxBodyBytes,
          mayBeEmpty: route.body?.mayBeEmpty ?? route.body === null,
        });

  return {
    fetch: async (request) => app.fetch(request),
    handles: (path) =>
      roots.some((root) => `${path}/` === root || path === root || isBelow(path, root)),
  };
}

/** The first segment of a path, with its slash if it has one. */
const rootOf = (path: string): string => /^\/[^/]+\/?/.exec(path)?.[0] ?? path;

const isBelow = (path: string, root: string): boolean =>
  root.endsWith("/") && path.startsWith(root);

const pathOf = ({ path }: Route, params: Readonly<Record<string, string>>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));

async function permit({ can }: Caller, action: Action): Promise<void> {
  if (can === undefined || (await can(action)) === true) return;
  throw new Problem("forbidden", { detail: `The credentials do not allow "${action}".` });
}

/** @throws Problem `organization_mismatch` before anything else is said about the body */
function refuseFields(body: Body, route: Route, organization: string): void {
  const shape = route.body ?? { required: [], optional: [], readOnly: [] };
  const claimed = shape.optional.includes("organization") ? body["organization"] : undefined;
  if (typeof claimed === "string" && claimed !== organization) {
    throw new Problem("organization_mismatch");
  }
  const errors = [
    ...fieldErrors(body, shape),
    ...(claimed === undefined || typeof claimed === "string"
      ? []
      : [{ pointer: "/organization", code: "invalid", detail: "must be a string" }]),
  ];
  if (errors.length > 0) throw new Problem("invalid_webhook", { errors });
}

function methodNotAllowed(routes: readonly Route[]): Problem {
  const methods = routes.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  const allow = methods.join(", ");
  return new Problem("method_not_allowed", {
    detail: `This path knows ${allow}.`,
    headers: { allow },
  });
}

const unknownPath = (roots: readonly string[]): Problem =>
  new Problem("unknown_path", {
    detail: `There is nothing at this path. The API has ${roots.join(" and ")}.`,
  });

const internalError = (reference: string): Problem =>
  new Problem("internal_error", {
    detail: `The request failed through no fault of yours. Try again later, or name the reference ${reference} to those who run this.`,
  });
