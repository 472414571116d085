import type { EventInput } from "@posthorn/core";
import type { Hono } from "hono";
import * as v from "valibot";
import type { CloudTruthCatalog } from "../catalog.ts";
import { type Environment, isAbove, type Rows } from "../rows.ts";
import { environmentAt, environmentUrl, named } from "./address.ts";
import { changed, fromTo } from "./changes.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page.ts";
import { conflict, invalid } from "./refusal.ts";
import { bodyOf, description, type Env, name, reference } from "./request.ts";

const newEnvironment = v.strictObject({
  name,
  description: v.optional(description, ""),
  parent: v.optional(reference),
});
const environmentChanges = v.strictObject({
  name: v.optional(name),
  description: v.optional(description),
  parent: v.optional(reference),
});

/** `/api/v1/environments/` */
export function environments(app: Hono<Env>, { store, bus, baseUrl }: Host): void {
  app.get("/api/v1/environments/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    return pageOf(context, {
      baseUrl,
      query: v.strictObject({ name: v.optional(v.string()) }),
      rows: (query) =>
        [...rows.environments.values()].filter(
          (environment) => query.name === undefined || environment.name === query.name,
        ),
      show: (environment) => shown(rows, environment, baseUrl),
    });
  });

  app.post("/api/v1/environments/", async (context) => {
    const { account } = context.var;
    const given = await bodyOf(context, newEnvironment);
    const created = await store.write(account.organization, async (rows, tx) => {
      const environment: Environment = {
        ...store.row(),
        name: given.name,
        description: given.description,
        parentId: given.parent ?? rootOf(rows).id,
      };
      check(rows, environment);
      rows.environments.set(environment.id, environment);
      await bus.publish("environment_created", eventData(rows, environment, baseUrl), {
        ...account,
        tx,
      });
      return shown(rows, environment, baseUrl);
    });
    return context.json(created, 201, { location: created.url });
  });

  app.get("/api/v1/environments/:id/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    return context.json(shown(rows, environmentAt(rows, context.req.param("id")), baseUrl));
  });

  app.patch("/api/v1/environments/:id/", async (context) => {
    const { account } = context.var;
    const given = await bodyOf(context, environmentChanges);
    const updated = await store.write(account.organization, async (rows, tx) => {
      const environment = environmentAt(rows, context.req.param("id"));
      if (environment.parentId === null && given.parent !== undefined) {
        throw invalid("parent", "The default environment has no parent: it is above all others.");
      }
      const next: Environment = {
        ...environment,
        name: given.name ?? environment.name,
        description: given.description ?? environment.description,
        parentId: given.parent ?? environment.parentId,
        ...store.touch(),
      };
      check(rows, next);
      const changes = {
        ...fromTo("name", environment.name, next.name),
        ...changed("description", environment.description, next.description),
        ...fromTo("parent", parent(rows, environment), parent(rows, next)),
      };
      if (Object.keys(changes).length === 0) return shown(rows, environment, baseUrl);
      rows.environments.set(next.id, next);
      await bus.publish("environment_updated", eventData(rows, next, baseUrl, changes), {
        ...account,
        tx,
      });
      return shown(rows, next, baseUrl);
    });
    return context.json(updated);
  });

  app.delete("/api/v1/environments/:id/", async (context) => {
    const { account } = context.var;
    await store.write(account.organization, async (rows, tx) => {
      const environment = environmentAt(rows, context.req.param("id"));
      if (environment.parentId === null) {
        throw conflict("The default environment cannot be deleted: all others inherit from it.");
      }
      const children = childrenOf(rows, environment);
      const values = [...rows.values.values()].filter(
        ({ environmentId }) => environmentId === environment.id,
      );
      if (children.length + values.length > 0) {
        throw conflict(
          `Cannot delete environment ${JSON.stringify(environment.name)}: it has ${children.length} children and ${values.length} values. Delete them first.`,
        );
      }
      rows.environments.delete(environment.id);
      await bus.publish("environment_deleted", eventData(rows, environment, baseUrl), {
        ...account,
        tx,
      });
    });
    return context.body(null, 204);
  });
}

function check(rows: Rows, { id, name, parentId }: Environment): void {
  for (const other of rows.environments.values()) {
    if (other.name === name && other.id !== id) {
      throw invalid("name", "An environment with this name exists. Choose another name.");
    }
  }
  if (parentId === null) return;
  if (!rows.environments.has(parentId)) {
    throw invalid("parent", "There is no such environment. Give the url of one of yours.");
  }
  if (isAbove(id, parentId, (above) => rows.environments.get(above)?.parentId)) {
    throw invalid("parent", "An environment cannot be below itself, directly or indirectly.");
  }
}

function rootOf(rows: Rows): Environment {
  for (const environment of rows.environments.values()) {
    if (environment.parentId === null) return environment;
  }
  throw new Error("The organization has lost its default environment.");
}

const childrenOf = (rows: Rows, { id }: Environment): readonly Environment[] =>
  [...rows.environments.values()].filter(({ parentId }) => parentId === id);

function shown(rows: Rows, environment: Environment, baseUrl: string) {
  const { id, name, description, parentId, createdAt, modifiedAt } = environment;
  return {
    url: environmentUrl(baseUrl, id),
    id,
    name,
    description,
    parent: parentId === null ? null : environmentUrl(baseUrl, parentId),
    children: childrenOf(rows, environment).map((child) => environmentUrl(baseUrl, child.id)),
    created_at: new Date(createdAt).toISOString(),
    modified_at: new Date(modifiedAt).toISOString(),
  };
}

type EnvironmentData = EventInput<CloudTruthCatalog, "environment_updated">;

const eventData = (
  rows: Rows,
  environment: Environment,
  baseUrl: string,
  changes: EnvironmentData["changes"] = {},
): EnvironmentData => ({
  object: { type: "Environment", id: environment.id, url: environmentUrl(baseUrl, environment.id) },
  environment: named(environment),
  parent: parent(rows, environment),
  changes,
});

const parent = (rows: Rows, { parentId }: Environment): EnvironmentData["parent"] =>
  parentId === null ? null : named(environmentAt(rows, parentId));
