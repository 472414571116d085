import { nodeSystem, type System } from "@posthorn/core";
import { type DetectedTransaction, kyselyTransaction } from "@posthorn/storage-sql/transaction";
import type { Kysely, Transaction } from "kysely";
import type { Tables } from "./database/tables.ts";
import { firstRows, noRows, type Row, type Rows } from "./rows.ts";

/** The app's own data. */
export interface Store {
  /** What is committed. */
  read(organization: string): Promise<Rows>;
  /**
   * A transaction, one after the other in an organization. What `change` does to the rows, and what
   * it publishes with `tx`, is committed when it resolves, and never was when it rejects.
   */
  write<Result>(
    organization: string,
    change: (rows: Rows, tx: DetectedTransaction) => Promise<Result>,
  ): Promise<Result>;
  /** A new row's id and times. */
  row(): Row;
  /** The times of a row that changes. */
  touch(): Pick<Row, "modifiedAt">;
}

/** Opens the app's data, in which each of the organizations has at least its first rows. */
export async function createStore(
  db: Kysely<Tables>,
  organizations: readonly string[],
  system: System = nodeSystem(),
): Promise<Store> {
  const row = (): Row => {
    const now = system.now();
    return { id: system.id(), createdAt: now, modifiedAt: now };
  };

  for (const id of organizations) {
    await db.transaction().execute(async (trx) => {
      const known = await trx
        .selectFrom("cloudtruth_organizations")
        .select("id")
        .where("id", "=", id)
        .executeTakeFirst();
      if (known !== undefined) return;
      await trx.insertInto("cloudtruth_organizations").values({ id, version: 0 }).execute();
      await save(trx, id, noRows(), firstRows(row));
    });
  }

  return {
    read: (organization) => load(db, organization),
    write: (organization, change) =>
      db.transaction().execute(async (trx) => {
        await lock(trx, organization);
        const before = await load(trx, organization);
        const rows = copy(before);
        const result = await change(rows, kyselyTransaction(trx));
        await save(trx, organization, before, rows);
        return result;
      }),
    row,
    touch: () => ({ modifiedAt: system.now() }),
  };
}

/** Until the transaction ends, nobody else changes what is the organization's. */
const lock = (trx: Transaction<Tables>, organization: string): Promise<unknown> =>
  trx
    .updateTable("cloudtruth_organizations")
    .set((organizations) => ({ version: organizations("version", "+", 1) }))
    .where("id", "=", organization)
    .execute();

async function load(db: Kysely<Tables>, organization: string): Promise<Rows> {
  const rows = noRows();
  const found = await db
    .selectFrom("cloudtruth_resources")
    .select(["kind", "id", "content"])
    .where("organization", "=", organization)
    .orderBy("id")
    .execute();
  for (const { kind, id, content } of found) {
    rows[kind as keyof Rows].set(id, JSON.parse(content));
  }
  return rows;
}

/** Writes the difference between two states of an organization. */
async function save(
  trx: Transaction<Tables>,
  organization: string,
  before: Rows,
  after: Rows,
): Promise<void> {
  const old = without(before, after);
  if (old.length > 0) {
    const ids = old.map(({ row }) => row.id);
    await trx
      .deleteFrom("cloudtruth_resources")
      .where("organization", "=", organization)
      .where("id", "in", ids)
      .execute();
  }
  const fresh = without(after, before);
  if (fresh.length > 0) {
    const values = fresh.map(({ kind, row }) => ({
      organization,
      kind,
      id: row.id,
      content: JSON.stringify(row),
    }));
    await trx.insertInto("cloudtruth_resources").values(values).execute();
  }
}

/** What is in one state, and not as it is in the other. */
const without = (some: Rows, others: Rows): readonly { kind: string; row: Row }[] =>
  kinds.flatMap((kind) =>
    [...some[kind].values()]
      .filter((row) => others[kind].get(row.id) !== row)
      .map((row) => ({ kind, row })),
  );

const kinds = ["projects", "environments", "parameters", "values"] as const;

const copy = ({ projects, environments, parameters, values }: Rows): Rows => ({
  projects: new Map(projects),
  environments: new Map(environments),
  parameters: new Map(parameters),
  values: new Map(values),
});
