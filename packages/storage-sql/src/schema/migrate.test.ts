import { spawn } from "node:child_process";
import { on } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { onEachDatabase } from "../../test/on-each-database.ts";
import { unused } from "../../test/schema-servers.ts";
import { play } from "../script.ts";
import { checkSchema } from "./check.ts";
import { migrate } from "./migrate.ts";
import type { Migration, Schema } from "./migration.ts";
import { mysqlSchema } from "./mysql.ts";
import { prefixNaming, tableNames } from "./naming.ts";

/** A statement that a migration is made of, unlike those that look and lock. */
const isWork = (text: string): boolean =>
  /^(create|do|lock table|insert|drop|alter|set @|prepare|execute|deallocate)/.test(text);

onEachDatabase("migrating", ({ dialect, schema, url, connection, connect, target }) => {
  it("makes the tables, and tells which versions it applied", async () => {
    const to = target();
    await expect(migrate(to)).resolves.toMatchObject({ versions: [1, 2, 3] });
    await expect(checkSchema(to)).resolves.toBeUndefined();
    const rows = await connection().rows(
      `select * from ${to.naming.table("migrations")} order by version`,
    );
    expect(rows).toMatchObject([
      { version: 1, name: "the first tables", compatible: 1 },
      { version: 2, name: "attempts that several deliveries made together", compatible: 1 },
      { version: 3, name: "flights and leases in tables of their own", compatible: 3 },
    ]);
    expect(Math.abs(Number(rows[0]?.["applied_at"]) - Date.now())).toBeLessThan(60_000);
  });

  it("does nothing the second time, and takes no lock for it", async () => {
    const to = target();
    await migrate(to);
    const { said, database } = await overheard();
    await expect(migrate({ ...to, database })).resolves.toEqual({ versions: [], sql: "" });
    expect(said.join("\n")).not.toMatch(/lock\(|begin|set/);
  });

  it("works with the longest prefix or schema", async () => {
    const to = target({ scope: unused().padEnd(32, "x") });
    await migrate(to);
    await expect(checkSchema(to)).resolves.toBeUndefined();
  });

  it("makes several sets of tables in one database", async () => {
    const [one, two] = [target(), target()];
    await migrate(one);
    await expect(checkSchema(two)).rejects.toThrow("no tables of Posthorn");
    await migrate(two);
    await expect(checkSchema(one)).resolves.toBeUndefined();
    await expect(checkSchema(two)).resolves.toBeUndefined();
  });

  it("prints what it would run, and runs what it printed", async () => {
    const to = target();
    const printed = await migrate(to, { print: true });
    expect(printed.versions).toEqual([1, 2, 3]);
    await expect(checkSchema(to)).rejects.toThrow("no tables of Posthorn");

    const { said, database } = await overheard();
    await expect(migrate({ ...to, database })).resolves.toEqual(printed);
    const work = said.filter(isWork).join(";\n\n");
    expect(printed.sql).toMatch(/^-- Posthorn 1: the first tables\n\n.*\n-- Posthorn 2: /s);
    expect(printed.sql.replaceAll(/^-- .*\n\n/gm, "")).toBe(`${work};\n`);
  });

  it("has nothing left to do when a host's tool has run what was printed", async () => {
    const to = target();
    const { sql } = await migrate(to, { print: true });
    await connection().run(sql);
    await expect(checkSchema(to)).resolves.toBeUndefined();
    await expect(migrate(to)).resolves.toEqual({ versions: [], sql: "" });
    await expect(migrate(to, { print: true })).resolves.toEqual({ versions: [], sql: "" });
  });

  it("waits for another process that is at it, and leaves the work to it", async () => {
    const to = target();
    const [first, second] = [await connect(), await connect()];
    const atWork = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    first.before = async (text) => {
      if (!text.startsWith("insert")) return;
      atWork.resolve();
      await asked.promise;
    };
    second.before = (text) => {
      if (/lock\(|begin/.test(text)) asked.resolve();
    };
    const one = migrate({ ...to, database: first.database });
    await atWork.promise;
    const two = migrate({ ...to, database: second.database });
    await expect(one).resolves.toMatchObject({ versions: [1, 2, 3] });
    await expect(two).resolves.toMatchObject({ versions: [] });
  });

  it("is done by one of three processes that start at once", { timeout: 30_000 }, async () => {
    const scope = unused();
    const processes = [1, 2, 3].map(() => migrator(dialect, url(), scope));
    for (const { ready } of processes) await ready();
    const answers = await Promise.all(processes.map(({ go }) => go()));
    expect(answers.toSorted()).toEqual(["[1,2,3]", "[]", "[]"]);
    await expect(checkSchema(target({ scope }))).resolves.toBeUndefined();
  });

  it("can be repeated after a statement failed, and leaves no lock", async () => {
    const to = target();
    const left = schema.isTransactional ? "no tables of Posthorn" : "are at version 0";
    await expect(migrate({ ...to, schema: withMistake(schema) })).rejects.toThrow(/syntax/);
    await expect(checkSchema(to)).rejects.toThrow(left);
    const { database } = await connect();
    await expect(migrate({ ...to, database })).resolves.toMatchObject({ versions: [1, 2, 3] });
    await expect(checkSchema(to)).resolves.toBeUndefined();
  });

  it("can be repeated after its process died, wherever it was", async () => {
    const { said, database } = await overheard();
    await migrate(target({ database }));
    const count = said.filter(isWork).length;
    for (const at of [1, 2, Math.ceil(count / 2), count - 4, count - 2, count - 1, count]) {
      const to = target();
      const dying = await connect();
      let begun = 0;
      dying.before = (text) => {
        if (isWork(text)) begun += 1;
        if (begun === at) dying.cut();
      };
      await expect(migrate({ ...to, database: dying.database })).rejects.toThrow();
      const { versions } = await migrate(to);
      expect(versions.at(-1)).toBe(3);
      await expect(checkSchema(to)).resolves.toBeUndefined();
    }
  });

  it.each(tableNames)("leaves somebody else's table alone: %s", async (name) => {
    const to = target();
    const { option, scope, table, bare } = to.naming;
    if (option === "schema") await connection().run(`create schema ${scope}`);
    await connection().run(`create table ${table(name)} (id integer, version integer)`);
    for (const verb of [migrate, checkSchema]) {
      await expect(verb(to)).rejects.toMatchObject({
        code: "schema_mismatch",
        message: expect.stringContaining(`that Posthorn did not make: ${bare(name)}.`),
      });
    }
  });

  if (dialect === "postgres") {
    it("needs no right to make a schema if there is one", async () => {
      const to = target();
      const { scope } = to.naming;
      await connection().run(`create role ${scope}; create schema ${scope} authorization ${scope}`);
      const { database, run } = await connect();
      await run(`set role ${scope}`);
      await expect(run("create schema if not exists other")).rejects.toThrow("permission denied");
      await migrate({ ...to, database });
      await expect(checkSchema(to)).resolves.toBeUndefined();
      await connection().run(`drop schema ${scope} cascade; drop role ${scope}`);
    });
  }

  const overheard = async () => {
    const said: string[] = [];
    const other = await connect();
    other.before = (text) => {
      said.push(text);
    };
    return { said, database: other.database };
  };
});

describe("migrating on MySQL", () => {
  it("gives up when another process has held the lock for a minute, and says so", () => {
    const script = mysqlSchema.lock(prefixNaming({}, "`"));
    expect(() => play(script, () => ({ rows: [{ locked: 0 }], affected: 0 }))).toThrow(
      expect.objectContaining({
        code: "schema_mismatch",
        message: expect.stringContaining("another process has been at it for 60 seconds"),
      }),
    );
  });
});

const withMistake = ({ migrations: [first, ...later], ...schema }: Schema): Schema => ({
  ...schema,
  migrations: [
    {
      ...(first as Migration),
      statements: (naming) => (first as Migration).statements(naming).with(4, "create tabel x"),
    },
    ...later,
  ],
});

/** Another process; each answer is a line that it says. */
function migrator(dialect: string, url: string, scope: string) {
  const program = join(import.meta.dirname, "../../test/migrate-once.ts");
  const { stdin, stdout } = spawn(
    process.execPath,
    ["--conditions=@posthorn/source", program, dialect, url, scope],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = on(createInterface(stdout), "line", { close: ["close"] });
  const said = async (): Promise<string> => (await lines.next()).value?.[0] ?? "nothing";
  return {
    ready: said,
    go: () => {
      stdin.end("go\n");
      return said();
    },
  };
}
