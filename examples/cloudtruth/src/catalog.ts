import { defineCatalog, family } from "@posthorn/core";
import * as v from "valibot";

const named = v.strictObject({ id: v.string(), name: v.string() });
const parameter = v.strictObject({ id: v.string(), name: v.string(), secret: v.boolean() });
const object = <const Type extends string>(type: Type) =>
  v.strictObject({ type: v.literal(type), id: v.string(), url: v.pipe(v.string(), v.url()) });

/** Attributes that may be told, and attributes of which only the change may be. */
const fromTo = <Schema extends v.GenericSchema>(schema: Schema) =>
  v.optional(v.strictObject({ from: schema, to: schema }));
const changed = v.optional(v.strictObject({ changed: v.literal(true) }));

const parameterType = v.picklist(["string", "integer", "boolean"]);
const valueKind = v.picklist(["internal", "external"]);

const project = v.strictObject({
  object: object("Project"),
  project: named,
  depends_on: v.nullable(named),
  changes: v.strictObject({
    name: fromTo(v.string()),
    description: changed,
    depends_on: fromTo(v.nullable(named)),
  }),
});

const environment = v.strictObject({
  object: object("Environment"),
  environment: named,
  parent: v.nullable(named),
  changes: v.strictObject({
    name: fromTo(v.string()),
    description: changed,
    parent: fromTo(v.nullable(named)),
  }),
});

const parameterData = v.strictObject({
  object: object("Parameter"),
  project: named,
  parameter,
  parameter_type: parameterType,
  changes: v.strictObject({
    name: fromTo(v.string()),
    description: changed,
    type: fromTo(parameterType),
    secret: fromTo(v.boolean()),
  }),
});

const value = v.strictObject({
  object: object("Value"),
  project: named,
  environment: named,
  parameter,
  kind: valueKind,
  /** Where an external value is kept. */
  external_fqn: v.nullable(v.string()),
  /** The environment whose value holds here once this one is deleted. */
  inherits_from: v.nullable(named),
  changes: v.strictObject({
    internal_value: changed,
    external_fqn: changed,
    kind: fromTo(valueKind),
  }),
});

const api = "https://api.cloudtruth.example/api/v1";
const web = { id: "0198c0de-0000-7000-8000-000000000001", name: "web" };
const root = { id: "0198c0de-0000-7000-8000-000000000002", name: "default" };
const production = { id: "0198c0de-0000-7000-8000-000000000003", name: "production" };
const host = { id: "0198c0de-0000-7000-8000-000000000004", name: "DB_HOST", secret: true };
const valueId = "0198c0de-0000-7000-8000-000000000005";

/**
 * The twelve event types. Their data names things and says which attributes changed; no schema has
 * room for a parameter's value, and all of them refuse keys that they do not know.
 */
export const catalog = defineCatalog({
  ...family("parameter", {
    schema: parameterData,
    example: {
      object: {
        type: "Parameter",
        id: host.id,
        url: `${api}/projects/${web.id}/parameters/${host.id}/`,
      },
      project: web,
      parameter: host,
      parameter_type: "string",
      changes: { secret: { from: false, to: true } },
    },
  }),
  ...family("project", {
    schema: project,
    example: {
      object: { type: "Project", id: web.id, url: `${api}/projects/${web.id}/` },
      project: web,
      depends_on: null,
      changes: { description: { changed: true } },
    },
  }),
  ...family("environment", {
    label: "an environment",
    schema: environment,
    example: {
      object: {
        type: "Environment",
        id: production.id,
        url: `${api}/environments/${production.id}/`,
      },
      environment: production,
      parent: root,
      changes: { name: { from: "prod", to: "production" } },
    },
  }),
  ...family("value", {
    label: "a parameter's value",
    schema: value,
    example: {
      object: {
        type: "Value",
        id: valueId,
        url: `${api}/projects/${web.id}/parameters/${host.id}/values/${valueId}/`,
      },
      project: web,
      environment: production,
      parameter: host,
      kind: "internal",
      external_fqn: null,
      inherits_from: root,
      changes: { internal_value: { changed: true } },
    },
  }),
});

export type CloudTruthCatalog = typeof catalog;
