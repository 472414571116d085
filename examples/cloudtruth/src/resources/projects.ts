import type { EventInput } from "@posthorn/core";
import type { Hono } from "hono";
import * as v from "valibot";
import type { CloudTruthCatalog } from "../catalog.ts";
import { isAbove, type Project, type Rows } from "../rows.ts";
import { named, projectAt, projectUrl } from "./address.ts";
import { changed, fromTo } from "./changes.ts";
import type { Host } from "./host.ts";
import { pageOf } from "./page.ts";
import { conflict, invalid } from "./refusal.ts";
import { bodyOf, description, type Env, name, reference } from "./request.ts";

const attributes = {
  name,
  description: v.optional(description, ""),
  depends_on: v.optional(v.nullable(reference), null),
};
const newProject = v.strictObject(attributes);
const projectChanges = v.strictObject({
  name: v.optional(name),
  description: v.optional(description),
  depends_on: v.optional(v.nullable(reference)),
});

/** `/api/v1/projects/` */
export function projects(app: Hono<Env>, { store, bus, baseUrl }: Host): void {
  app.get("/api/v1/projects/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    return pageOf(context, {
      baseUrl,
      query: v.strictObject({ name: v.optional(v.string()) }),
      rows: (query) =>
        [...rows.projects.values()].filter(
          (project) => query.name === undefined || project.name === query.name,
        ),
      show: (project) => shown(rows, project, baseUrl),
    });
  });

  app.post("/api/v1/projects/", async (context) => {
    const { account } = context.var;
    const given = await bodyOf(context, newProject);
    const created = await store.write(account.organization, async (rows, tx) => {
      const project: Project = {
        ...store.row(),
        name: given.name,
        description: given.description,
        dependsOnId: given.depends_on,
      };
      check(rows, project);
      rows.projects.set(project.id, project);
      await bus.publish("project_created", eventData(rows, project, baseUrl), { ...account, tx });
      return shown(rows, project, baseUrl);
    });
    return context.json(created, 201, { location: created.url });
  });

  app.get("/api/v1/projects/:id/", async (context) => {
    const rows = await store.read(context.var.account.organization);
    return context.json(shown(rows, projectAt(rows, context.req.param("id")), baseUrl));
  });

  app.patch("/api/v1/projects/:id/", async (context) => {
    const { account } = context.var;
    const given = await bodyOf(context, projectChanges);
    const updated = await store.write(account.organization, async (rows, tx) => {
      const project = projectAt(rows, context.req.param("id"));
      const next: Project = {
        ...project,
        name: given.name ?? project.name,
        description: given.description ?? project.description,
        dependsOnId: given.depends_on === undefined ? project.dependsOnId : given.depends_on,
        ...store.touch(),
      };
      check(rows, next);
      const changes = {
        ...fromTo("name", project.name, next.name),
        ...changed("description", project.description, next.description),
        ...fromTo("depends_on", dependency(rows, project), dependency(rows, next)),
      };
      if (Object.keys(changes).length === 0) return shown(rows, project, baseUrl);
      rows.projects.set(next.id, next);
      await bus.publish("project_updated", eventData(rows, next, baseUrl, changes), {
        ...account,
        tx,
      });
      return shown(rows, next, baseUrl);
    });
    return context.json(updated);
  });

  app.delete("/api/v1/projects/:id/", async (context) => {
    const { account } = context.var;
    await store.write(account.organization, async (rows, tx) => {
      const project = projectAt(rows, context.req.param("id"));
      const parameters = [...rows.parameters.values()].filter(
        ({ projectId }) => projectId === project.id,
      );
      const dependents = dependentsOf(rows, project);
      if (parameters.length + dependents.length > 0) {
        throw conflict(
          `Cannot delete project ${JSON.stringify(project.name)}: it has ${parameters.length} parameters and ${dependents.length} dependent projects. Delete them first.`,
        );
      }
      rows.projects.delete(project.id);
      await bus.publish("project_deleted", eventData(rows, project, baseUrl), { ...account, tx });
    });
    return context.body(null, 204);
  });
}

function check(rows: Rows, { id, name, dependsOnId }: Project): void {
  for (const other of rows.projects.values()) {
    if (other.name === name && other.id !== id) {
      throw invalid("name", "A project with this name exists. Choose another name.");
    }
  }
  if (dependsOnId === null) return;
  if (!rows.projects.has(dependsOnId)) {
    throw invalid("depends_on", "There is no such project. Give the url of one of your projects.");
  }
  if (isAbove(id, dependsOnId, (above) => rows.projects.get(above)?.dependsOnId)) {
    throw invalid("depends_on", "A project cannot depend on itself, directly or indirectly.");
  }
}

const dependentsOf = (rows: Rows, { id }: Project): readonly Project[] =>
  [...rows.projects.values()].filter(({ dependsOnId }) => dependsOnId === id);

function shown(rows: Rows, project: Project, baseUrl: string) {
  const { id, name, description, dependsOnId, createdAt, modifiedAt } = project;
  return {
    url: projectUrl(baseUrl, id),
    id,
    name,
    description,
    depends_on: dependsOnId === null ? null : projectUrl(baseUrl, dependsOnId),
    dependents: dependentsOf(rows, project).map((dependent) => projectUrl(baseUrl, dependent.id)),
    created_at: new Date(createdAt).toISOString(),
    modified_at: new Date(modifiedAt).toISOString(),
  };
}

type ProjectData = EventInput<CloudTruthCatalog, "project_updated">;

const eventData = (
  rows: Rows,
  project: Project,
  baseUrl: string,
  changes: ProjectData["changes"] = {},
): ProjectData => ({
  object: { type: "Project", id: project.id, url: projectUrl(baseUrl, project.id) },
  project: named(project),
  depends_on: dependency(rows, project),
  changes,
});

const dependency = (rows: Rows, { dependsOnId }: Project): ProjectData["depends_on"] =>
  dependsOnId === null ? null : named(projectAt(rows, dependsOnId));
