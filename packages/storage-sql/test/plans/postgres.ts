import pg from "pg";
import { freshDatabase, postgresServer } from "../../../../test/servers.ts";
import { postgresDialect } from "../../src/dialects/postgres.ts";
import { postgresNaming } from "../../src/schema/naming.ts";
import { postgresSchema } from "../../src/schema/postgres.ts";
import type { Row, Statement } from "../../src/script.ts";
import { numbered } from "../../src/transaction/transaction.ts";
import { filling } from "./crowd.ts";
import type { Cost, Probe } from "./probe.ts";

/** A node of `explain (format json)`. */
interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Node[];
}

export async function postgresProbe(): Promise<Probe> {
  const { url, drop } = await freshDatabase(postgresServer());
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const naming = postgresNaming();
  const { table, scope } = naming;
  const run = (text: string): Promise<unknown> => client.query(text);
  let prepared = new Map<string, string>();

  async function costOf({ text, params }: Statement, mode: "custom" | "generic"): Promise<Cost> {
    let name = prepared.get(text);
    if (name === undefined) {
      name = `statement_${prepared.size}`;
      prepared.set(text, name);
      await run(`prepare ${name} as ${numbered(text)}`);
    }
    const values = params.map((value) =>
      typeof value === "string" ? client.escapeLiteral(value) : String(value),
    );
    const given = values.length === 0 ? "" : `(${values.join(", ")})`;
    await run(`savepoint before; set local plan_cache_mode = force_${mode}_plan`);
    const { rows } = await client.query<{ "QUERY PLAN": readonly [{ readonly Plan: Node }] }>(
      `explain (analyze, buffers, timing off, format json) execute ${name}${given}`,
    );
    await run("rollback to before");
    const [row] = rows;
    if (row === undefined) throw new Error(`There is no plan for ${text}`);
    return read(row["QUERY PLAN"][0].Plan);
  }

  return {
    dialect: postgresDialect(table),
    naming,
    schema: postgresSchema,
    run,
    execute: async ({ text, params }) => {
      const { rows, rowCount } = await client.query<Row>(numbered(text), [...params]);
      return { rows, affected: rowCount ?? 0 };
    },
    // Into tables that no crash has to restore, whose indexes are built when they are full.
    fill: async (crowd) => {
      const { rows: indexes } = await client.query<{ name: string; text: string }>(
        `select i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as text
from pg_index i join pg_class c on c.oid = i.indrelid
where c.relnamespace = $1::regnamespace and not exists (select from pg_constraint where conindid = i.indexrelid)`,
        [scope],
      );
      for (const { name } of indexes) await run(`drop index ${name}`);
      for (const name of ["events", "deliveries", "attempts"] as const) {
        await run(`alter table ${table(name)} set unlogged`);
      }
      await run("set maintenance_work_mem = '128MB'");
      for (const text of filling(table, crowd)) await run(text);
      for (const { text } of indexes) await run(text);
      await run("vacuum analyze");
    },
    otherwise: {
      "not analyzed": async () => {
        await run(
          `delete from pg_statistic where starelid in (select oid from pg_class where relnamespace = '${scope}'::regnamespace)`,
        );
        await run("deallocate all");
        prepared = new Map();
      },
      // As a vacuum leaves what is mostly empty.
      "flights were counted when there were none": async () => {
        await run(
          `update pg_class set reltuples = 0 where oid in ('${table("flights")}'::regclass, '${table("leases")}'::regclass)`,
        );
        await run("deallocate all");
        prepared = new Map();
      },
    },
    costsOf: async (statement) => [
      await costOf(statement, "custom"),
      await costOf(statement, "generic"),
    ],
    dropIndex: (name, suffix) => run(`drop index "${scope}".${naming.index(name, suffix)}`),
    end: async () => {
      await client.end();
      await drop();
    },
  };
}

function read(root: Node): Cost {
  const nodes = [...nodesOf(root)].filter(
    (node) =>
      node["Index Name"] !== undefined ||
      (node["Relation Name"] !== undefined && node["Node Type"] !== "ModifyTable"),
  );
  const compared = [...nodesOf(root)].map(
    (node) => (node["Rows Removed by Join Filter"] ?? 0) * node["Actual Loops"],
  );
  const lookedAt = nodes.map(
    (node) =>
      (node["Actual Rows"] +
        (node["Rows Removed by Filter"] ?? 0) +
        (node["Rows Removed by Index Recheck"] ?? 0)) *
      node["Actual Loops"],
  );
  return {
    rows: [...lookedAt, ...compared].reduce((sum, count) => sum + count, 0),
    pages: root["Shared Hit Blocks"] + root["Shared Read Blocks"],
    indexes: nodes.flatMap((node) => node["Index Name"] ?? []),
    scans: nodes.flatMap((node) =>
      node["Node Type"] === "Seq Scan" ? (node["Relation Name"] ?? []) : [],
    ),
  };
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}
