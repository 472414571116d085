import { createConnection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { freshDatabase } from "../../../../test/servers.ts";
import { mysqlDialect } from "../../src/dialects/mysql.ts";
import { mysqlSchema } from "../../src/schema/mysql.ts";
import { prefixNaming, tableNames } from "../../src/schema/naming.ts";
import type { Reply, Row, Statement } from "../../src/script.ts";
import { filling } from "./crowd.ts";
import type { Cost, Probe } from "./probe.ts";

/** A table in `explain format=json`, wherever that has it. */
interface Access {
  readonly table_name: string;
  readonly access_type: string;
  readonly key?: string;
  readonly table_function?: string;
}

export async function mysqlProbe(server: string): Promise<Probe> {
  const { url, drop } = await freshDatabase(server);
  const client = await createConnection(url);
  const { table, bare, index } = prefixNaming({}, "`");
  const run = (text: string): Promise<unknown> => client.query(text);
  const rowsOf = async (text: string): Promise<readonly Row[]> =>
    (await client.query<RowDataPacket[]>(text))[0];

  async function execute({ text, params }: Statement): Promise<Reply> {
    const [result] = await (params.length === 0
      ? client.query<RowDataPacket[] | ResultSetHeader>(text)
      : client.execute<RowDataPacket[] | ResultSetHeader>(text, [...params]));
    return Array.isArray(result)
      ? { rows: result, affected: result.length }
      : { rows: [], affected: result.affectedRows };
  }

  /** How many rows this session has read so far. */
  async function rowsRead(): Promise<number> {
    const counters = await rowsOf("show session status like 'Handler\\_%'");
    const sum = (names: RegExp): number =>
      counters
        .filter((row) => names.test(String(row["Variable_name"])))
        .reduce((total, row) => total + Number(row["Value"]), 0);
    return sum(/^Handler_read_/) + sum(/_icp_attempts$/) - sum(/_icp_match$/);
  }

  async function costOf(statement: Statement): Promise<Cost> {
    await run("savepoint before_it");
    const before = await rowsRead();
    await execute(statement);
    const rows = (await rowsRead()) - before;
    await run("rollback to before_it");
    const explained = await execute({
      ...statement,
      text: `explain format=json ${statement.text}`,
    });
    const plan: unknown = JSON.parse(mended(String(explained.rows[0]?.["EXPLAIN"])));
    const accesses = [...accessesIn(plan)].filter(
      ({ table_name, table_function }) =>
        table_function === undefined && !table_name.startsWith("<"),
    );
    return {
      rows,
      pages: null,
      indexes: accesses.flatMap(({ key }) => key?.replace("posthorn_", "") ?? []),
      scans: accesses.flatMap(({ table_name, access_type }) =>
        ["ALL", "index"].includes(access_type) ? table_name : [],
      ),
    };
  }

  return {
    dialect: mysqlDialect(table, index),
    naming: prefixNaming({}, "`"),
    schema: mysqlSchema,
    run,
    execute,
    // Into tables whose indexes are built when they are full.
    fill: async (crowd) => {
      const big = (["events", "deliveries", "attempts"] as const).map((name) => `'${bare(name)}'`);
      const indexes = await rowsOf(
        `select table_name as name, concat('drop index ', index_name) as dropped, concat('add ', if(non_unique, '', 'unique '), 'index ', index_name, ' (', group_concat(column_name order by seq_in_index), ')') as added
from information_schema.statistics where table_schema = database() and index_name <> 'PRIMARY' and table_name in (${big.join(", ")})
group by table_name, index_name, non_unique`,
      );
      const byTable = Map.groupBy(indexes, ({ name }) => String(name));
      const alter = async (change: "dropped" | "added"): Promise<void> => {
        for (const [name, all] of byTable) {
          await run(`alter table ${name} ${all.map((each) => each[change]).join(", ")}`);
        }
      };
      await alter("dropped");
      await run(
        "set session sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT'), unique_checks = 0, foreign_key_checks = 0",
      );
      for (const text of filling(table, crowd)) await run(text);
      await alter("added");
      await run(
        "set session sql_mode = default, unique_checks = default, foreign_key_checks = default",
      );
      await run("set session transaction isolation level read committed");
      await run(`analyze table ${tableNames.map(table).join(", ")}`);
    },
    otherwise: {},
    costsOf: async (statement) => [await costOf(statement)],
    dropIndex: (name, suffix) =>
      run(`alter table ${table(name)} drop index ${index(name, suffix)}`),
    end: async () => {
      await client.end();
      await drop();
    },
  };
}

function* accessesIn(plan: unknown): Generator<Access> {
  if (typeof plan !== "object" || plan === null) return;
  if ("access_type" in plan && "table_name" in plan) yield plan as Access;
  for (const part of Object.values(plan)) yield* accessesIn(part);
}

/** MariaDB tells conditions as they are, with quotes that it does not escape. */
const mended = (plan: string): string =>
  plan.replace(
    /^(\s*"\w+": ")(.*)(",?)$/gm,
    (_, name: string, value: string, end: string) =>
      `${name}${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}${end}`,
  );
