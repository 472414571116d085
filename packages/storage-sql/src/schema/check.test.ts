import { describe, expect, it } from "vitest";
import { onEachDatabase } from "../../test/on-each-database.ts";
import type { DialectName } from "../dialect.ts";
import { checkSchema } from "./check.ts";
import { migrate } from "./migrate.ts";
import type { Migration, Schema } from "./migration.ts";

onEachDatabase("checking the tables", ({ dialect, schema, connection, connect, target }) => {
  const known = schema.migrations.map(({ version }) => version);
  const newest = known.length;

  it("says what to do if there are none", async () => {
    const to = target({ scope: "nobody_" });
    await expect(checkSchema(to)).rejects.toMatchObject({
      code: "schema_mismatch",
      message: `The database has no tables of Posthorn ${to.naming.place}. Run \`await storage.migrate()\`, or apply the SQL of \`storage.migrate({ print: true })\`. If they were made with another ${to.naming.option}, or in another database, give that one.`,
    });
  });

  it("says what to do if they are older than the code", async () => {
    const to = target();
    await migrate(to);
    await expect(checkSchema({ ...to, schema: additive(schema, dialect) })).rejects.toMatchObject({
      code: "schema_mismatch",
      message: `Posthorn's tables ${to.naming.place} are at version ${newest}, and this code needs ${newest + 1}. Run \`await storage.migrate()\`, or apply the SQL of \`storage.migrate({ print: true })\`.`,
    });
  });

  it("says what to do if they are too new for the code", async () => {
    const to = target();
    const second = additive(schema, dialect);
    const third = breaking(second);
    await expect(migrate({ ...to, schema: third })).resolves.toMatchObject({
      versions: [...known, newest + 1, newest + 2],
    });
    await expect(checkSchema({ ...to, schema: third })).resolves.toBeUndefined();
    for (const older of [schema, second]) {
      await expect(checkSchema({ ...to, schema: older })).rejects.toMatchObject({
        code: "schema_mismatch",
        message: `Posthorn's tables ${to.naming.place} are at version ${newest + 2}, which needs code that knows version ${newest + 2} or a later one; this code knows ${older.migrations.length}. Upgrade @posthorn/storage-sql in this process.`,
      });
      for (const print of [true, false]) {
        await expect(migrate({ ...to, schema: older }, { print })).rejects.toThrow(
          "Upgrade @posthorn/storage-sql in this process.",
        );
      }
    }
  });

  it("names tables that are gone", async () => {
    const to = target();
    const { table, bare } = to.naming;
    await migrate(to);
    await connection().run(`drop table ${table("gates")}`);
    await connection().run(`drop table ${table("lanes")}`);
    await expect(checkSchema(to)).rejects.toMatchObject({
      code: "schema_mismatch",
      message: expect.stringContaining(`are gone: ${bare("lanes")}, ${bare("gates")}.`),
    });
  });

  it("does not take a lost connection for missing tables", async () => {
    const { database, cut } = await connect();
    cut();
    await expect(checkSchema(target({ database }))).rejects.not.toHaveProperty(
      "code",
      "schema_mismatch",
    );
  });

  describe("after an additive change", () => {
    it("lets old and new code work side by side", async () => {
      const old = target();
      const current = { ...old, schema: additive(schema, dialect) };
      const gates = old.naming.table("gates");
      const byOldCode = (id: string): Promise<void> =>
        connection().run(
          `insert into ${gates} (id, name, tat, paused_until, epoch, throttles) values ('${id}', 'x', 0, 0, 0, 0)`,
        );
      const byNewCode = (id: string): Promise<void> =>
        connection().run(
          `insert into ${gates} (id, name, tat, paused_until, epoch, throttles, note) values ('${id}', 'x', 0, 0, 0, 0, 'new')`,
        );

      await migrate(old);
      await byOldCode("1");
      await expect(migrate(current)).resolves.toMatchObject({ versions: [newest + 1] });
      await byOldCode("2");
      await byNewCode("3");
      await expect(checkSchema(old)).resolves.toBeUndefined();
      await expect(checkSchema(current)).resolves.toBeUndefined();
      await expect(migrate(old)).resolves.toEqual({ versions: [], sql: "" });

      const rows = await connection().rows(`select note from ${gates} order by id`);
      expect(rows.map(({ note }) => note)).toEqual([null, null, "new"]);
    });
  });
});

/** An invented next version: a column that old code does not know. */
function additive(schema: Schema, dialect: DialectName): Schema {
  const ifNeeded = dialect === "mysql" ? "if not exists " : "";
  const second: Migration = {
    version: schema.migrations.length + 1,
    name: "a note",
    compatible: schema.migrations.at(-1)?.compatible ?? 1,
    statements: ({ table }) => [`alter table ${table("gates")} add column ${ifNeeded}note text`],
  };
  return { ...schema, migrations: [...schema.migrations, second] };
}

/** An invented version that older code cannot live with. */
const breaking = (schema: Schema, version = schema.migrations.length + 1): Schema => ({
  ...schema,
  migrations: [
    ...schema.migrations,
    { version, name: "a break", compatible: version, statements: () => [] },
  ],
});
