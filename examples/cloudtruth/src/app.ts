import type { Logger } from "@posthorn/core";
import { createRestApi } from "@posthorn/rest";
import { type SlackPageOptions, slackPage } from "@posthorn/testing/slack";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { accountOf } from "./account.ts";
import type { CloudTruthBus } from "./bus.ts";
import { receiver } from "./receiver.ts";
import { environments } from "./resources/environments.ts";
import type { Host } from "./resources/host.ts";
import { parameters } from "./resources/parameters.ts";
import { projects } from "./resources/projects.ts";
import { notFound, Refusal } from "./resources/refusal.ts";
import type { Env } from "./resources/request.ts";
import { values } from "./resources/values.ts";
import { invitations } from "./slack/invitation.ts";
import type { Workspace } from "./slack/workspaces.ts";

const LARGEST_BODY_BYTES = 256 * 1024;

export interface AppOptions extends Host {
  readonly bus: CloudTruthBus;
  readonly slack: SlackPageOptions["slack"];
  readonly workspaces: readonly Workspace[];
  readonly logger?: Logger;
}

/** The app: CloudTruth's resources, the webhooks beside them, and what Slack shows of it. */
export function createApp(options: AppOptions): Hono<Env> {
  const { store, bus, baseUrl, slack, workspaces, logger } = options;
  const webhooks = createRestApi({ bus, authenticate: accountOf, publicUrl: baseUrl, logger });
  const app = new Hono<Env>();
  app.onError((error, context) => {
    if (error instanceof Refusal) return context.json(error.body, error.status, error.headers);
    logger?.error({ error }, "A request failed.");
    return context.json({ detail: "The server failed. Its log says why." }, 500);
  });
  app.notFound(() => {
    throw notFound("Not found. Every path ends with a slash.");
  });

  app.use((context, next) =>
    webhooks.handles(context.req.path) ? webhooks.fetch(context.req.raw) : next(),
  );
  app.use(
    "/api/*",
    async (context, next) => {
      const account = accountOf(context.req.raw);
      if (account === null) {
        throw new Refusal(
          401,
          { detail: "Send a valid API key: Authorization: Api-Key acme-key" },
          { "www-authenticate": "Api-Key" },
        );
      }
      context.set("account", account);
      await next();
    },
    bodyLimit({
      maxSize: LARGEST_BODY_BYTES,
      onError: () => {
        throw new Refusal(413, { detail: `At most ${LARGEST_BODY_BYTES} bytes are allowed.` });
      },
    }),
  );
  for (const resource of [projects, environments, parameters, values])
    resource(app, { store, bus, baseUrl });
  refuseOtherMethods(app);

  const invite = invitations({ workspaces, baseUrl, read: store.read });
  const channels = slackPage({ slack, invite });
  app.get("/slack/*", (context) => channels(context.req.raw));
  const receive = receiver(logger);
  app.post("/receiver/", (context) => receive(context.req.raw));
  app.get("/", (context) => context.redirect("/slack/"));
  return app;
}

/** On every path of a resource, what it does not know is 405, not 404. */
function refuseOtherMethods(app: Hono<Env>): void {
  const routes = app.routes.filter(({ path }) => path.startsWith("/api/v1/"));
  for (const [path, onPath] of Map.groupBy(routes, ({ path }) => path)) {
    const allow = onPath.map(({ method }) => method).join(", ");
    app.all(path, ({ req }) => {
      const detail = `Method "${req.method}" not allowed. This path knows ${allow}.`;
      throw new Refusal(405, { detail }, { allow });
    });
  }
}
