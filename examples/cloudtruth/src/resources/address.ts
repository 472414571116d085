import type { Environment, Parameter, Project, Rows, Value } from "../rows.ts";
import { notFound } from "./refusal.ts";

/** What stands in the path of a request. */
export interface Path {
  readonly project: string;
  readonly parameter: string;
}

export const projectUrl = (baseUrl: string, id: string): string =>
  `${baseUrl}/api/v1/projects/${id}/`;

export const environmentUrl = (baseUrl: string, id: string): string =>
  `${baseUrl}/api/v1/environments/${id}/`;

export const parameterUrl = (baseUrl: string, { projectId, id }: Parameter): string =>
  `${projectUrl(baseUrl, projectId)}parameters/${id}/`;

export const valueUrl = (baseUrl: string, parameter: Parameter, { id }: Value): string =>
  `${parameterUrl(baseUrl, parameter)}values/${id}/`;

/** @throws Refusal 404 */
export const projectAt = (rows: Rows, id: string): Project => found(rows.projects.get(id));

/** @throws Refusal 404 */
export const environmentAt = (rows: Rows, id: string): Environment =>
  found(rows.environments.get(id));

/** @throws Refusal 404, also if it is a parameter of another project */
export function parameterAt(rows: Rows, path: Path): Parameter {
  const parameter = found(rows.parameters.get(path.parameter));
  return found(parameter.projectId === path.project ? parameter : undefined);
}

/** @throws Refusal 404, also if it is a value of another parameter */
export function valueAt(rows: Rows, path: Path & { readonly id: string }): Value {
  const parameter = parameterAt(rows, path);
  const value = found(rows.values.get(path.id));
  return found(value.parameterId === parameter.id ? value : undefined);
}

/** An object as events name it. */
export const named = ({
  id,
  name,
}: {
  id: string;
  name: string;
}): { id: string; name: string } => ({
  id,
  name,
});

function found<Row>(row: Row | undefined): Row {
  if (row === undefined) throw notFound();
  return row;
}
