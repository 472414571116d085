import type { EventInput } from "@posthorn/core";
import type { Hono } from "hono";
import * as v from "valibot";
import type { CloudTruthCatalog } from "../catalog.ts";
import { type Parameter, type Rows, type Value, valueIn } from "../rows.ts";
import {
  environmentAt,
  environmentUrl,
  named,
  parameterAt,
  projectAt,
  valueAt,
  valueUrl,
} from "./address.ts";
import { changed, fromTo } from "./changes.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page.ts";
import { invalid } from "./refusal.ts";
import { bodyOf, type Env, maskQuery, queryOf, reference } from "./request.ts";

/** What CloudTruth shows in place of a secret. */
const MASK = "*****";

const internalValue = v.pipe(
  v.string("Must be a string."),
  v.maxLength(65_536, "Ensure this field has no more than 65536 characters."),
);
const externalFqn = v.pipe(
  v.string("Must be a string."),
  v.nonEmpty("This field may not be blank."),
  v.maxLength(1_024, "Ensure this field has no more than 1024 characters."),
  v.regex(/^\P{Cc}*$/u, "Control characters are not allowed."),
);
const newValue = v.strictObject({
  environment: reference,
  internal_value: v.optional(internalValue),
  external_fqn: v.optional(externalFqn),
});
const valueChanges = v.strictObject({
  internal_value: v.optional(internalValue),
  external_fqn: v.optional(externalFqn),
});

/** `/api/v1/projects/{project}/parameters/{parameter}/values/` */
export function values(app: Hono<Env>, { store, bus, baseUrl }: Host): void {
  app.get("/api/v1/projects/:project/parameters/:parameter/values/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    const parameter = parameterAt(rows, context.req.param());
    return pageOf(context, {
      baseUrl,
      query: v.strictObject({ environment: v.optional(reference), ...maskQuery.entries }),
      rows: ({ environment }) =>
        [...rows.values.values()].filter(
          ({ parameterId, environmentId }) =>
            parameterId === parameter.id &&
            (environment === undefined || environmentId === environment),
        ),
      show: (value, query) => shownValue(rows, value, baseUrl, query.mask_secrets),
    });
  });

  app.post("/api/v1/projects/:project/parameters/:parameter/values/", async (context) => {
    const { account } = context.var;
    const { mask_secrets: mask } = queryOf(context, maskQuery);
    const given = await bodyOf(context, newValue);
    const created = await store.write(account.organization, async (rows, tx) => {
      const parameter = parameterAt(rows, context.req.param());
      if (!rows.environments.has(given.environment)) {
        throw invalid("environment", "There is no such environment. Give the url of one of yours.");
      }
      const taken = valueIn(rows, parameter.id, given.environment);
      if (taken?.environmentId === given.environment) {
        throw invalid("environment", "The parameter has a value there. Change that with PATCH.");
      }
      const value: Value = {
        ...store.row(),
        parameterId: parameter.id,
        environmentId: given.environment,
        ...content(given, null),
      };
      check(parameter, value);
      rows.values.set(value.id, value);
      await bus.publish("value_created", valueData(rows, value, baseUrl), { ...account, tx });
      return shownValue(rows, value, baseUrl, mask);
    });
    return context.json(created, 201, { location: created.url });
  });

  app.get("/api/v1/projects/:project/parameters/:parameter/values/:id/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    const value = valueAt(rows, context.req.param());
    const { mask_secrets: mask } = queryOf(context, maskQuery);
    return context.json(shownValue(rows, value, baseUrl, mask));
  });

  app.patch("/api/v1/projects/:project/parameters/:parameter/values/:id/", async (context) => {
    const { account } = context.var;
    const { mask_secrets: mask } = queryOf(context, maskQuery);
    const given = await bodyOf(context, valueChanges);
    const updated = await store.write(account.organization, async (rows, tx) => {
      const value = valueAt(rows, context.req.param());
      const next: Value = { ...value, ...content(given, value), ...store.touch() };
      check(parameterOf(rows, next), next);
      const changes = {
        ...changed("internal_value", value.internalValue, next.internalValue),
        ...changed("external_fqn", value.externalFqn, next.externalFqn),
        ...fromTo("kind", kindOf(value), kindOf(next)),
      };
      if (Object.keys(changes).length === 0) return shownValue(rows, value, baseUrl, mask);
      rows.values.set(next.id, next);
      await bus.publish("value_updated", valueData(rows, next, baseUrl, changes), {
        ...account,
        tx,
      });
      return shownValue(rows, next, baseUrl, mask);
    });
    return context.json(updated);
  });

  app.delete("/api/v1/projects/:project/parameters/:parameter/values/:id/", async (context) => {
    const { account } = context.var;
    await store.write(account.organization, async (rows, tx) => {
      const value = valueAt(rows, context.req.param());
      rows.values.delete(value.id);
      await bus.publish("value_deleted", valueData(rows, value, baseUrl), { ...account, tx });
    });
    return context.body(null, 204);
  });
}

/** What is wrong with a value of the parameter's type, or null. External ones nobody knows. */
export function typeProblem(
  { type }: Pick<Parameter, "type">,
  { internalValue }: Pick<Value, "internalValue">,
): string | null {
  if (internalValue === null) return null;
  if (type === "integer" && !/^-?\d+$/.test(internalValue)) return "The parameter is an integer.";
  if (type === "boolean" && !/^(true|false)$/.test(internalValue)) {
    return "The parameter is a boolean: true or false.";
  }
  return null;
}

/** A value as the API shows it; a secret masked if that is asked for. */
export function shownValue(rows: Rows, value: Value, baseUrl: string, mask: boolean) {
  const { id, environmentId, parameterId, externalFqn, createdAt, modifiedAt } = value;
  const parameter = parameterOf(rows, value);
  const { secret } = parameter;
  const internalValue = mask && secret && value.internalValue !== null ? MASK : value.internalValue;
  return {
    url: valueUrl(baseUrl, parameter, value),
    id,
    environment: environmentUrl(baseUrl, environmentId),
    environment_name: environmentAt(rows, environmentId).name,
    parameter_id: parameterId,
    external: externalFqn !== null,
    external_fqn: externalFqn,
    internal_value: internalValue,
    secret,
    created_at: new Date(createdAt).toISOString(),
    modified_at: new Date(modifiedAt).toISOString(),
  };
}

type ValueData = EventInput<CloudTruthCatalog, "value_updated">;

/** What an event tells of a value: everything but the value. */
export function valueData(
  rows: Rows,
  value: Value,
  baseUrl: string,
  changes: ValueData["changes"] = {},
): ValueData {
  const parameter = parameterOf(rows, value);
  const environment = environmentAt(rows, value.environmentId);
  const inherited = valueIn(rows, parameter.id, environment.parentId);
  return {
    object: { type: "Value", id: value.id, url: valueUrl(baseUrl, parameter, value) },
    project: named(projectAt(rows, parameter.projectId)),
    environment: named(environment),
    parameter: { id: parameter.id, name: parameter.name, secret: parameter.secret },
    kind: kindOf(value),
    external_fqn: value.externalFqn,
    inherits_from: inherited && named(environmentAt(rows, inherited.environmentId)),
    changes,
  };
}

/** Exactly one of both; a change of one takes the other away. */
function content(
  given: {
    readonly internal_value?: string | undefined;
    readonly external_fqn?: string | undefined;
  },
  current: Value | null,
): Pick<Value, "internalValue" | "externalFqn"> {
  const { internal_value: internalValue, external_fqn: externalFqn } = given;
  if (internalValue !== undefined && externalFqn !== undefined) {
    throw invalid("__all__", "Give either internal_value or external_fqn, not both.");
  }
  if (internalValue !== undefined) return { internalValue, externalFqn: null };
  if (externalFqn !== undefined) return { internalValue: null, externalFqn };
  if (current !== null) return current;
  throw invalid("__all__", "Give either internal_value or external_fqn.");
}

function check(parameter: Parameter, value: Value): void {
  const problem = typeProblem(parameter, value);
  if (problem !== null) throw invalid("internal_value", problem);
}

const kindOf = ({ externalFqn }: Value): "internal" | "external" =>
  externalFqn === null ? "internal" : "external";

const parameterOf = (rows: Rows, { parameterId }: Value): Parameter => {
  const parameter = rows.parameters.get(parameterId);
  if (parameter === undefined) throw new Error(`Value without its parameter ${parameterId}.`);
  return parameter;
};
