import { expect, it } from "vitest";
import { onEachDriver } from "../../test/on-each-driver.ts";
import { rowsOf, type Script } from "../script.ts";

onEachDriver(
  "preparing",
  ({ server, open, place }) => {
    const text = "select * from others where id = ?";
    const hot = (): Script<unknown> => rowsOf(text, 1);

    const count =
      server === "postgres"
        ? `select count(*)::int as n from pg_prepared_statements where statement like '${text.replace("?", "%")}'`
        : "show session status like 'Com_stmt_prepare'";
    const prepared = (): Script<number> => numberOf(count);

    it("happens once for each statement and connection", async () => {
      const { database } = open({ connections: 1 });
      const before = await database.query(prepared);
      for (let play = 0; play < 10; play += 1) {
        await database.transact(hot);
        await database.query(hot);
      }
      expect((await database.query(prepared)) - before).toBe(1);
    });

    it("does not happen if the host says so", async (test) => {
      test.skip(server === "mysql", "MySQL's poolers keep prepared statements");
      const { database } = open({ connections: 1, prepare: false });
      await database.transact(hot);
      await database.query(hot);
      expect(await database.query(prepared)).toBe(0);
    });

    it("happens anew, on all connections at once, when a column was added", async () => {
      const { database } = open({ connections: 8 });
      await Promise.all(Array.from({ length: 8 }, () => database.transact(hot)));
      await place().say("insert into others (id, word) values (1, 'x')");
      await place().say("alter table others add column more int");
      expect(await database.transact(hot)).toEqual([{ id: 1, word: "x", more: null }]);
      await place().say("alter table others add column evenmore int");
      expect(await database.query(hot)).toEqual([{ id: 1, word: "x", more: null, evenmore: null }]);
    });

    it("happens anew when a connection forgot", async (test) => {
      test.skip(server === "mysql", "MySQL has no statement for it");
      const { database, say } = open({ connections: 1 });
      await database.transact(hot);
      await say("discard all");
      await database.transact(hot);
      await say("discard all");
      await database.query(hot);
    });
  },
  { PGlite: "it prepares each statement each time, in this process" },
);

function* numberOf(text: string): Script<number> {
  const [row] = yield* rowsOf(text);
  return Number(row?.["n"] ?? row?.["Value"]);
}
