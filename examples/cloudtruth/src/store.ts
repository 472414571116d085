import { nodeSystem, type System } from "@posthorn/core";

interface Row {
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

/** The app's own data, in memory. */
export interface Store {
  /** What is committed; not to be changed. */
  read(organization: string): Rows;
  /**
   * A transaction, one after the other in an organization: what `change` does to the rows is
   * committed when it resolves, and forgotten when it rejects.
   */
  write<Result>(organization: string, change: (rows: Rows) => Promise<Result>): Promise<Result>;
  /** A new row's id and times. */
  row(): Row;
  /** The times of a row that changes. */
  touch(): Pick<Row, "modifiedAt">;
}

/** Every organization begins with a project and four environments, as a new one at CloudTruth. */
export function createStore(system: System = nodeSystem()): Store {
  const organizations = new Map<string, Rows>();
  const writes = new Map<string, Promise<unknown>>();

  const row = (): Row => {
    const now = system.now();
    return { id: system.id(), createdAt: now, modifiedAt: now };
  };

  function read(organization: string): Rows {
    const rows = organizations.get(organization) ?? firstRows(row);
    organizations.set(organization, rows);
    return rows;
  }

  return {
    read,
    write: (organization, change) => {
      const written = (writes.get(organization) ?? Promise.resolve()).then(async () => {
        const rows = copy(read(organization));
        const result = await change(rows);
        organizations.set(organization, rows);
        return result;
      });
      writes.set(
        organization,
        written.catch(() => {}),
      );
      return written;
    },
    row,
    touch: () => ({ modifiedAt: system.now() }),
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

const copy = ({ projects, environments, parameters, values }: Rows): Rows => ({
  projects: new Map(projects),
  environments: new Map(environments),
  parameters: new Map(parameters),
  values: new Map(values),
});

function firstRows(row: () => Row): Rows {
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
    projects: new Map([[project.id, project]]),
    environments: new Map([root, ...below].map((environment) => [environment.id, environment])),
    parameters: new Map(),
    values: new Map(),
  };
}
