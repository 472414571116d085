import { describe, expect, it } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "../../../../test/servers.ts";
import { baseUrl, rehearse } from "../rehearsal.ts";
import { playTour } from "../tour.ts";
import { databaseAddress } from "./address.ts";
import { openDatabase } from "./database.ts";

describe.each([
  ["PostgreSQL", postgresServer()],
  ["MariaDB", mariadbServer()],
])("on %s", (_, server) => {
  it.skipIf(server === null)("the tour sees all twelve messages arrive, twice", async () => {
    const database = await freshDatabase(server ?? "");
    try {
      for (const day of [1, 2]) {
        const example = await rehearse(database.url, Date.UTC(2026, 0, day));
        const said: string[] = [];
        const right = await playTour({
          baseUrl,
          workspace: example.workspaces[0] as NonNullable<(typeof example.workspaces)[0]>,
          slack: example.slack,
          request: example.fetch,
          until: () => example.advance(3_000),
          say: (line) => said.push(line),
        });
        await example.stop();
        expect(right, `On day ${day}: ${said.join("\n")}`).toBe(true);
      }
    } finally {
      await database.drop();
    }
  });
});

describe("a database", () => {
  it.each([
    ["file:/no/such/folder/a.db", "/no/such/folder/a.db cannot be used: unable to open"],
    ["postgres://ana:secret@127.0.0.1:1/app", "postgres://127.0.0.1:1/app cannot be used: "],
    ["mysql://ana:secret@127.0.0.1:1/app", "mysql://127.0.0.1:1/app cannot be used: "],
    [
      `file:${import.meta.filename}`,
      "database.test.ts cannot be used: The file is no SQLite database",
    ],
  ])("that cannot be used is told: %s", async (url, message) => {
    const opened = openDatabase(databaseAddress(url));
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.not.toThrow("secret");
  });
});
