import { describe, expect, it } from "vitest";
import { postgresNaming, prefixNaming, tableNames } from "./naming.ts";

describe("the names of tables", () => {
  it("are qualified and quoted, under the default or another schema or prefix", () => {
    expect(postgresNaming().table("events")).toBe('"posthorn"."events"');
    expect(postgresNaming({ schema: "_x1" }).table("events")).toBe('"_x1"."events"');
    expect(prefixNaming({}, '"').table("lanes")).toBe('"posthorn_lanes"');
    expect(prefixNaming({ prefix: "app_" }, "`").table("lanes")).toBe("`app_lanes`");
    expect(prefixNaming({ prefix: "app_" }, "`").index("lanes", "due")).toBe("`app_lanes_due`");
  });

  it("leave room for the names of indexes", () => {
    const naming = prefixNaming({ prefix: "p".repeat(32) }, '"');
    for (const name of tableNames) {
      expect(naming.index(name, "organization").length).toBeLessThan(64);
    }
  });

  it.each([
    "",
    "Posthorn",
    "1st",
    "my-app",
    "my app",
    'a"b',
    "a`b",
    "a.b",
    "a;drop table x",
    "a\n",
    "ä",
    "p".repeat(33),
    "pg_posthorn",
    null,
    7,
  ])("refuse the schema %j, telling it and the rule", (schema) => {
    const shown = typeof schema === "string" ? JSON.stringify(schema) : "of type";
    expect(() => postgresNaming({ schema: schema as string })).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringContaining(`The schema ${shown}`),
      }),
    );
  });

  it("refuse a prefix by the same rule, and one that SQLite keeps for itself", () => {
    for (const prefix of ["", "a-", "A_", "sqlite_x"]) {
      expect(() => prefixNaming({ prefix }, '"')).toThrow(
        `The prefix "${prefix}" cannot be used. Give 1 to 32 lower-case letters, digits or "_", beginning with a letter or "_" and not with "sqlite_".`,
      );
    }
  });
});
