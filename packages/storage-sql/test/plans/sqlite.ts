import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteDialect } from "../../src/dialects/sqlite.ts";
import { prefixNaming } from "../../src/schema/naming.ts";
import { sqliteSchema } from "../../src/schema/sqlite.ts";
import type { Reply, Statement } from "../../src/script.ts";
import { filling } from "./crowd.ts";
import type { Cost, Probe } from "./probe.ts";

export function sqliteProbe(): Probe {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-plans-"));
  const client = new DatabaseSync(join(folder, "db"));
  const naming = prefixNaming({}, '"');
  const { table, index } = naming;

  const execute = ({ text, params }: Statement): Reply => {
    const statement = client.prepare(text);
    return statement.columns().length > 0
      ? { rows: statement.all(...params), affected: 0 }
      : { rows: [], affected: Number(statement.run(...params).changes) };
  };

  function costOf(statement: Statement): Cost {
    client.exec("savepoint before");
    const before = pagesRead();
    execute(statement);
    const after = pagesRead();
    client.exec("rollback to before; release before");
    const plan = execute({ ...statement, text: `explain query plan ${statement.text}` });
    const details = plan.rows.map(({ detail }) => String(detail));
    const found = (pattern: RegExp): readonly string[] =>
      details.flatMap((detail) => pattern.exec(detail)?.[1] ?? []);
    return {
      rows: null,
      pages: before === null || after === null ? null : after - before,
      indexes: found(/^SEARCH .*? USING (?:COVERING )?(?:INDEX )?(?:posthorn_)?(\w+)/),
      scans: found(/^SCAN (?:posthorn_)?(\w+)/),
    };
  }

  return {
    dialect: sqliteDialect(table, index),
    naming,
    schema: sqliteSchema,
    run: (text) => client.exec(text),
    execute,
    fill: (crowd) => {
      client.exec(
        "pragma journal_mode = off; pragma synchronous = off; pragma temp_store = memory; pragma cache_size = -300000",
      );
      const indexes = client
        .prepare("select name, sql from sqlite_schema where type = 'index' and sql is not null")
        .all();
      for (const { name } of indexes) client.exec(`drop index "${name}"`);
      client.exec("begin");
      for (const text of filling(table, crowd)) client.exec(text);
      for (const { sql } of indexes) client.exec(String(sql));
      client.exec("commit");
      // Without a cache, each page that is needed is a read.
      client.exec("pragma journal_mode = wal; pragma mmap_size = 0; pragma cache_size = 0");
    },
    // Nobody analyzes unless the host does.
    otherwise: { analyzed: () => client.exec("pragma analysis_limit = 1000; analyze") },
    costsOf: (statement) => [costOf(statement)],
    dropIndex: (name, suffix) => client.exec(`drop index ${index(name, suffix)}`),
    end: async () => {
      client.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const COUNTERS = "/proc/self/io";
const PAGE_BYTES = 4_096;

/** How many pages this process has read, where Linux counts it. */
function pagesRead(): number | null {
  if (!existsSync(COUNTERS)) return null;
  const [, bytes] = /^rchar: (\d+)$/m.exec(readFileSync(COUNTERS, "utf8")) ?? [];
  return Math.floor(Number(bytes) / PAGE_BYTES);
}
