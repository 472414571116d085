import type { EventInput } from "@posthorn/core";
import type { Hono } from "hono";
import * as v from "valibot";
import type { CloudTruthCatalog } from "../catalog.ts";
import { type Parameter, type Rows, valueIn } from "../rows.ts";
import {
  environmentUrl,
  named,
  parameterAt,
  parameterUrl,
  projectAt,
  projectUrl,
} from "./address.ts";
import { changed, fromTo } from "./changes.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page.ts";
import { invalid } from "./refusal.ts";
import { bodyOf, description, type Env, flag, maskQuery, name, queryOf } from "./request.ts";
import { shownValue, typeProblem, valueData } from "./values.ts";

const type = v.picklist(["string", "integer", "boolean"], "Must be string, integer or boolean.");
const newParameter = v.strictObject({
  name,
  description: v.optional(description, ""),
  type: v.optional(type, "string"),
  secret: v.optional(flag, false),
});
const parameterChanges = v.strictObject({
  name: v.optional(name),
  description: v.optional(description),
  type: v.optional(type),
  secret: v.optional(flag),
});

/** `/api/v1/projects/{project}/parameters/` */
export function parameters(app: Hono<Env>, { store, bus, baseUrl }: Host): void {
  app.get("/api/v1/projects/:project/parameters/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    const project = projectAt(rows, context.req.param("project"));
    return pageOf(context, {
      baseUrl,
      query: v.strictObject({ name: v.optional(v.string()), ...maskQuery.entries }),
      rows: (query) =>
        [...rows.parameters.values()].filter(
          (parameter) =>
            parameter.projectId === project.id &&
            (query.name === undefined || parameter.name === query.name),
        ),
      show: (parameter, query) => shown(rows, parameter, baseUrl, query.mask_secrets),
    });
  });

  app.post("/api/v1/projects/:project/parameters/", async (context) => {
    const { account } = context.var;
    const { mask_secrets: mask } = queryOf(context, maskQuery);
    const given = await bodyOf(context, newParameter);
    const created = await store.write(account.organization, async (rows, tx) => {
      const project = projectAt(rows, context.req.param("project"));
      const parameter: Parameter = { ...store.row(), projectId: project.id, ...given };
      check(rows, parameter);
      rows.parameters.set(parameter.id, parameter);
      await bus.publish("parameter_created", eventData(rows, parameter, baseUrl), {
        ...account,
        tx,
      });
      return shown(rows, parameter, baseUrl, mask);
    });
    return context.json(created, 201, { location: created.url });
  });

  app.get("/api/v1/projects/:project/parameters/:parameter/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    const parameter = parameterAt(rows, context.req.param());
    return context.json(shown(rows, parameter, baseUrl, queryOf(context, maskQuery).mask_secrets));
  });

  app.patch("/api/v1/projects/:project/parameters/:parameter/", async (context) => {
    const { account } = context.var;
    const { mask_secrets: mask } = queryOf(context, maskQuery);
    const given = await bodyOf(context, parameterChanges);
    const updated = await store.write(account.organization, async (rows, tx) => {
      const parameter = parameterAt(rows, context.req.param());
      const next: Parameter = {
        ...parameter,
        name: given.name ?? parameter.name,
        description: given.description ?? parameter.description,
        type: given.type ?? parameter.type,
        secret: given.secret ?? parameter.secret,
        ...store.touch(),
      };
      check(rows, next);
      const changes = {
        ...fromTo("name", parameter.name, next.name),
        ...changed("description", parameter.description, next.description),
        ...fromTo("type", parameter.type, next.type),
        ...fromTo("secret", parameter.secret, next.secret),
      };
      if (Object.keys(changes).length === 0) return shown(rows, parameter, baseUrl, mask);
      rows.parameters.set(next.id, next);
      await bus.publish("parameter_updated", eventData(rows, next, baseUrl, changes), {
        ...account,
        tx,
      });
      return shown(rows, next, baseUrl, mask);
    });
    return context.json(updated);
  });

  app.delete("/api/v1/projects/:project/parameters/:parameter/", async (context) => {
    const { account } = context.var;
    await store.write(account.organization, async (rows, tx) => {
      const parameter = parameterAt(rows, context.req.param());
      const values = valuesOf(rows, parameter);
      for (const value of values) rows.values.delete(value.id);
      const removed = values.map((value) => ({
        type: "value_deleted" as const,
        data: valueData(rows, value, baseUrl),
        ...account,
      }));
      const data = eventData(rows, parameter, baseUrl);
      rows.parameters.delete(parameter.id);
      await bus.publishMany([...removed, { type: "parameter_deleted", data, ...account }], { tx });
    });
    return context.body(null, 204);
  });
}

function check(rows: Rows, parameter: Parameter): void {
  for (const other of rows.parameters.values()) {
    if (
      other.projectId === parameter.projectId &&
      other.name === parameter.name &&
      other.id !== parameter.id
    ) {
      throw invalid("name", "A parameter with this name exists in the project. Choose another.");
    }
  }
  for (const value of valuesOf(rows, parameter)) {
    if (typeProblem(parameter, value) !== null) {
      throw invalid("type", `A value of the parameter is no ${parameter.type}. Change it first.`);
    }
  }
}

const valuesOf = (rows: Rows, { id }: Parameter) =>
  [...rows.values.values()].filter(({ parameterId }) => parameterId === id);

function shown(rows: Rows, parameter: Parameter, baseUrl: string, mask: boolean) {
  const { id, projectId, name, description, type, secret, createdAt, modifiedAt } = parameter;
  const values = [...rows.environments.keys()].map((environmentId) => {
    const value = valueIn(rows, id, environmentId);
    return [
      environmentUrl(baseUrl, environmentId),
      value === null ? null : shownValue(rows, value, baseUrl, mask),
    ];
  });
  return {
    url: parameterUrl(baseUrl, parameter),
    id,
    name,
    description,
    type,
    secret,
    project: projectUrl(baseUrl, projectId),
    project_name: projectAt(rows, projectId).name,
    /** By environment, inherited ones included. */
    values: Object.fromEntries(values) as Record<string, ReturnType<typeof shownValue> | null>,
    created_at: new Date(createdAt).toISOString(),
    modified_at: new Date(modifiedAt).toISOString(),
  };
}

type ParameterData = EventInput<CloudTruthCatalog, "parameter_updated">;

function eventData(
  rows: Rows,
  parameter: Parameter,
  baseUrl: string,
  changes: ParameterData["changes"] = {},
): ParameterData {
  const { id, projectId, name, type, secret } = parameter;
  return {
    object: { type: "Parameter", id, url: parameterUrl(baseUrl, parameter) },
    project: named(projectAt(rows, projectId)),
    parameter: { id, name, secret },
    parameter_type: type,
    changes,
  };
}
