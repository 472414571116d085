import type { Actor } from "@posthorn/core";
import { code, type Field, type Inline, mrkdwn, type Templates } from "@posthorn/handler-slack";
import type { CloudTruthCatalog } from "./catalog.ts";

/** How each of the twelve event types reads in a Slack channel. */
export const templates: Required<Templates<CloudTruthCatalog>> = {
  parameter_created: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:heavy_plus_sign: *Parameter created* ${code(data.parameter.name)} in project ${code(data.project.name)}`,
    fields: [field("Type", data.parameter_type), secret(data.parameter), by(actor)],
  }),
  parameter_updated: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:pencil2: *Parameter updated* ${code(data.parameter.name)} in project ${code(data.project.name)}`,
    fields: [changed(data.changes), by(actor)],
  }),
  parameter_deleted: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:wastebasket: *Parameter deleted* ${code(data.parameter.name)} from project ${code(data.project.name)}`,
    fields: [by(actor)],
  }),

  project_created: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:heavy_plus_sign: *Project created* ${code(data.project.name)}`,
    fields: [...dependsOn(data.depends_on), by(actor)],
  }),
  project_updated: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:pencil2: *Project updated* ${code(data.project.name)}`,
    fields: [changed(data.changes), by(actor)],
  }),
  project_deleted: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:wastebasket: *Project deleted* ${code(data.project.name)}`,
    fields: [...dependsOn(data.depends_on), by(actor)],
  }),

  environment_created: ({ data, actor }) => ({
    lead: mrkdwn`:heavy_plus_sign: *Environment created* ${code(data.environment.name)}`,
    fields: [field("Parent", orNone(data.parent)), by(actor)],
  }),
  environment_updated: ({ data, actor }) => ({
    lead: mrkdwn`:pencil2: *Environment updated* ${code(data.environment.name)}`,
    fields: [changed(data.changes), by(actor)],
  }),
  environment_deleted: ({ data, actor }) => ({
    lead: mrkdwn`:wastebasket: *Environment deleted* ${code(data.environment.name)}`,
    fields: [field("Parent", orNone(data.parent)), by(actor)],
  }),

  value_created: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:heavy_plus_sign: *Value set* for ${code(data.parameter.name)} in environment ${code(data.environment.name)} (project ${code(data.project.name)})`,
    fields: [
      field("Kind", data.kind),
      ...(data.external_fqn === null ? [] : [field("External FQN", code(data.external_fqn))]),
      secret(data.parameter),
      by(actor),
    ],
  }),
  value_updated: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:pencil2: *Value changed* for ${code(data.parameter.name)} in environment ${code(data.environment.name)} (project ${code(data.project.name)})`,
    fields: [changed(data.changes), secret(data.parameter), by(actor)],
  }),
  value_deleted: ({ data, actor }) => ({
    group: data.project.name,
    lead: mrkdwn`:wastebasket: *Value removed* for ${code(data.parameter.name)} in environment ${code(data.environment.name)} (project ${code(data.project.name)})`,
    fields: [field("Now inherits from", orNone(data.inherits_from)), by(actor)],
  }),
};

interface Named {
  readonly name: string;
}

type Changes = Readonly<Record<string, { from: Told; to: Told } | { changed: true } | undefined>>;

type Told = string | boolean | Named | null;

const field = (label: string, value: Inline): Field => ({ label, value });

const by = (actor: Actor | null): Field => field("By", actor?.name ?? actor?.id ?? "unknown");

const secret = (parameter: { readonly secret: boolean }): Field =>
  field("Secret", yesOrNo(parameter.secret));

const dependsOn = (project: Named | null): readonly Field[] =>
  project === null ? [] : [field("Depends on", code(project.name))];

function changed(changes: Changes): Field {
  const attributes = Object.entries(changes).map(([attribute, change]): Inline => {
    const label = labels[attribute] ?? attribute;
    if (change === undefined || "changed" in change) return label;
    return mrkdwn`${label} ${told(change.from)} → ${told(change.to)}`;
  });
  return field("Changed", attributes);
}

const labels: Readonly<Record<string, string>> = {
  depends_on: "depends on",
  external_fqn: "external FQN",
  internal_value: "value",
};

function told(attribute: Told): Inline {
  if (typeof attribute === "boolean") return yesOrNo(attribute);
  return typeof attribute === "string" ? code(attribute) : orNone(attribute);
}

const orNone = (named: Named | null): Inline => (named === null ? "none" : code(named.name));

const yesOrNo = (flag: boolean): string => (flag ? "yes" : "no");
