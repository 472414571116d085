import { inspect } from "node:util";
import { nodeSystem, type System } from "@posthorn/core";
import { describe, expect, it } from "vitest";
import { insert, inserting, until } from "../../test/notes.ts";
import { onEachDriver } from "../../test/on-each-driver.ts";
import { rowsOf, type Script } from "../script.ts";

onEachDriver(
  "a connection",
  ({ name, server, open, place, proxy, beforeAgain, words }) => {
    const ownId = server === "postgres" ? "pg_backend_pid()" : "connection_id()";
    const kill = (id: unknown): Promise<unknown> =>
      place().say(server === "postgres" ? `select pg_terminate_backend(${id})` : `kill ${id}`);

    describe("that is killed", () => {
      it("within a transaction: a script made anew is played on another", async () => {
        const { database } = open({ connections: 1 });
        const scripts: Script<void>[] = [];
        await database.transact(() => {
          const isFirst = scripts.length === 0;
          const script = (function* () {
            yield insert(1, "one");
            if (!isFirst) return;
            const [row] = yield* rowsOf(`select ${ownId} as id`);
            void kill(row?.["id"]);
            yield* until(() => false);
          })();
          scripts.push(script);
          return script;
        });
        expect(new Set(scripts).size).toBe(2);
        expect(await words()).toEqual(["one"]);
      });

      it("within a query: the same", async () => {
        const { database } = open({ connections: 1 });
        let tries = 0;
        await database.query(function* () {
          tries += 1;
          if (tries > 1) return;
          const [row] = yield* rowsOf(`select ${ownId} as id`);
          void kill(row?.["id"]);
          yield* until(() => false);
        });
        expect(tries).toBe(2);
      });

      it("while it waits in the pool: another is used", async () => {
        const { database } = open({ connections: 1 });
        for (const id of [1, 2]) {
          const [row] = await database.query(() => rowsOf(`select ${ownId} as id`));
          await kill(row?.["id"]);
          await database.transact(() => inserting(id, "x"));
        }
        expect(await words()).toEqual(["x", "x"]);
      });
    });

    describe("whose process stops within a transaction", () => {
      const stopping = (seen: { tries: number }): (() => Script<void>) =>
        function* () {
          seen.tries += 1;
          yield insert(1, "one");
          if (seen.tries > 1) return;
          yield { text: "set local idle_in_transaction_session_timeout = '50ms'", params: [] };
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
        };

      it("is ended by the server, and the script is played again", async (test) => {
        test.skip(server === "mysql", "MariaDB counts in seconds; Posthorn gives it five");
        const { database } = open({ connections: 1 });
        const seen = { tries: 0 };
        await database.transact(stopping(seen), { repeatable: true });
        expect(seen.tries).toBe(2);
        expect(await words()).toEqual(["one"]);
      });

      it("says so to a commit that comes too late, which is not in doubt then", async (test) => {
        test.skip(name !== "pg", `${name} does not tell what the server said`);
        const { database } = open({ connections: 1 });
        const seen = { tries: 0 };
        await database.transact(stopping(seen));
        expect(seen.tries).toBe(2);
        expect(await words()).toEqual(["one"]);
      });
    });

    describe("that is cut", () => {
      it.each(["before", "answered"] as const)(
        "at a statement (%s): the script is played again",
        async (when) => {
          const between = await proxy();
          const { database } = open({ connections: 1, port: between.port });
          let tries = 0;
          between.cutAt(/insert into notes/, when);
          await database.transact(() => {
            tries += 1;
            return inserting(1, "one");
          });
          expect(tries).toBe(2);
          expect(await words()).toEqual(["one"]);
        },
      );

      it("at the beginning of a transaction: the script is played again", async () => {
        const between = await proxy();
        const { database } = open({ connections: 1, port: between.port });
        await database.query(() => rowsOf("select 1 as one"));
        for (const bytes of [0, 3, 20]) {
          between.cutAfter(bytes);
          await database.transact(() => inserting(bytes, "x"));
        }
        expect(await words()).toEqual(["x", "x", "x"]);
      });

      it.each([
        ["before", "it is committed", []],
        ["answered", "the answer is there", ["one"]],
      ] as const)("%s %s: nobody knows, so it is not played again", async (when, _what, stored) => {
        const between = await proxy();
        const { database } = open({ connections: 1, port: between.port });
        let tries = 0;
        between.cutAt(/\bcommit\b/, when);
        const writing = database.transact(() => {
          tries += 1;
          return inserting(1, "one");
        });
        await expect(writing).rejects.toMatchObject({
          code: "storage_unavailable",
          cause: expect.any(Error),
        });
        expect(tries).toBe(1);
        expect(await words()).toEqual(stored);
        await database.transact(() => inserting(2, "two"));
        expect(await words()).toEqual([...stored, "two"]);
      });

      it.each(["before", "answered"] as const)(
        "at a commit that is repeatable (%s): the script is played again",
        async (when) => {
          const between = await proxy();
          const { database } = open({ connections: 1, port: between.port });
          let tries = 0;
          between.cutAt(/\bcommit\b/, when);
          await database.transact(
            function* () {
              tries += 1;
              const found = yield* rowsOf("select word from notes where id = ?", 1);
              if (found.length === 0) yield insert(1, "one");
            },
            { repeatable: true },
          );
          expect(tries).toBe(2);
          expect(await words()).toEqual(["one"]);
        },
      );

      it("again and again: it gives up after five tries", async () => {
        const between = await proxy();
        const { database } = open({ connections: 1, port: between.port });
        const cutNext = async (): Promise<void> => between.cutAt(/insert into notes/, "before");
        beforeAgain(cutNext);
        await cutNext();
        let tries = 0;
        const writing = database.transact(() => {
          tries += 1;
          return inserting(1, "one");
        });
        await expect(writing).rejects.toMatchObject({ code: "storage_unavailable" });
        expect(tries).toBe(5);
        expect(await words()).toEqual([]);
      });
    });

    describe("that cannot be had", () => {
      it("is asked for again, for less than two seconds in all, and told without the password", async () => {
        const nobody = await proxy();
        await nobody.close();
        const waits: number[] = [];
        const system: System = {
          ...nodeSystem(),
          random: () => 1,
          sleep: async (ms) => void waits.push(ms),
        };
        const { database } = open({ system, port: nobody.port, password: "s3cret" });
        for (const verb of ["transact", "query"] as const) {
          const error: unknown = await database[verb](() => inserting(1, "one")).catch(
            (thrown) => thrown,
          );
          expect(error).toMatchObject({
            code: "storage_unavailable",
            message: expect.stringContaining("ECONNREFUSED"),
          });
          expect(inspect(error, { depth: null, showHidden: true })).not.toContain("s3cret");
          expect(waits.splice(0)).toEqual([50, 150, 450, 1_350]);
        }
      });

      it("because a database is not there: the driver's own error, at once", async () => {
        const { database } = open({ database: "nowhere" });
        await expect(database.transact(() => inserting(1, "one"))).rejects.toMatchObject({
          code: server === "postgres" ? "3D000" : "ER_BAD_DB_ERROR",
        });
      });

      it("because of a wrong password: the driver's own error, without the password", async (test) => {
        test.skip(server === "postgres", "the PostgreSQL of the tests asks for no password");
        const { database } = open({ user: "nobody", password: "s3cret" });
        const error: unknown = await database
          .transact(() => inserting(1, "one"))
          .catch((thrown) => thrown);
        expect(error).toMatchObject({ message: expect.stringContaining("nobody") });
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain("s3cret");
      });
    });
  },
  { PGlite: "it is in this process" },
);
