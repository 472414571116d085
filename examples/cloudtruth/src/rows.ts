export interface Row {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface Project extends Row {
  readonly name: string;
  readonly description: string;
  readonly dependsOnId: string | null;
}

export interface Environment extends Row {
  readonly name: string;
  readonly description: string;
  /** Values are inherited from it; null for the one root, `default`. */
  readonly parentId: string | null;
}

type ParameterType = "string" | "integer" | "boolean";

export interface Parameter extends Row {
  readonly projectId: string;
  readonly name: string;
  readonly description: string;
  readonly type: ParameterType;
  readonly secret: boolean;
}

/** What a parameter is in one environment: kept here, or a name under which others keep it. */
export interface Value extends Row {
  readonly parameterId: string;
  readonly environmentId: string;
  readonly internalValue: string | null;
  readonly externalFqn: string | null;
}

/** Everything of one organization, by id, oldest first. */
export interface Rows {
  readonly projects: Map<string, Project>;
  readonly environments: Map<string, Environment>;
  readonly parameters: Map<string, Parameter>;
  readonly values: Map<string, Value>;
}

export const noRows = (): Rows => ({
  projects: new Map(),
  environments: new Map(),
  parameters: new Map(),
  values: new Map(),
});

/** What a new organization begins with, as at CloudTruth: a project and four environments. */
export function firstRows(row: () => Row): Rows {
  const root: Environment = { ...row(), name: "default", description: "", parentId: null };
  const below = ["development", "staging", "production"].map(
    (name): Environment => ({ ...row(), name, description: "", parentId: root.id }),
  );
  const project: Project = {
    ...row(),
    name: "MyFirstProject",
    description: "",
    dependsOnId: null,
  };
  return {
    ...noRows(),
    projects: new Map([[project.id, project]]),
    environments: new Map([root, ...below].map((environment) => [environment.id, environment])),
  };
}

/** The value that holds in an environment: its own, or the nearest ancestor's. */
export function valueIn(
  rows: Rows,
  parameterId: string,
  environmentId: string | null,
): Value | null {
  if (environmentId === null) return null;
  for (const value of rows.values.values()) {
    if (value.parameterId === parameterId && value.environmentId === environmentId) return value;
  }
  const parentId = rows.environments.get(environmentId)?.parentId ?? null;
  return valueIn(rows, parameterId, parentId);
}

/** Is `id` the row itself, or above it? */
export function isAbove(
  id: string,
  start: string | null,
  parentOf: (id: string) => string | null | undefined,
): boolean {
  if (start === null) return false;
  return start === id || isAbove(id, parentOf(start) ?? null, parentOf);
}
