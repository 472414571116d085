import { nodeSystem } from "@posthorn/core";
import { describe, expect, it, type TestContext } from "vitest";
import { insert, inserting, settled, until, update, updating, watching } from "../../test/notes.ts";
import { onEachDriver } from "../../test/on-each-driver.ts";
import type { Dialect } from "../dialect.ts";
import { rowsOf, type Script } from "../script.ts";
import { serverDatabase } from "./database.ts";

onEachDriver("a database", ({ name, server, isRemote, open, place, hold, beforeAgain, words }) => {
  const is = <Value>(onPostgres: Value, onMysql: Value): Value =>
    server === "postgres" ? onPostgres : onMysql;
  const locked = is("55P03", "ER_LOCK_WAIT_TIMEOUT");
  const needsOthers = (test: TestContext): void =>
    test.skip(!isRemote, `${name} has one connection only`);

  describe("transact", () => {
    it("commits what a script did, and answers what it returned", async () => {
      const answer = await open().database.transact(function* () {
        const { affected } = yield insert(1, "one");
        return [affected, ...(yield* rowsOf("select word from notes where id = ?", 1))];
      });
      expect(answer).toEqual([1, { word: "one" }]);
      expect(await words()).toEqual(["one"]);
    });

    it("tells how many rows were changed", async () => {
      const affected = await open().database.transact(function* () {
        yield insert(1, "one");
        yield insert(2, "two");
        const both = yield { text: "update notes set word = ? where id > ?", params: ["x", 0] };
        const none = yield { text: "delete from notes where id > ?", params: [2] };
        return [both.affected, none.affected];
      });
      expect(affected).toEqual([2, 0]);
    });

    it("leaves nothing of a script that throws, and throws the same", async () => {
      const { database } = open({ connections: 1 });
      const mistake = new Error("a mistake");
      const failing = database.transact(function* () {
        yield insert(1, "one");
        throw mistake;
      });
      await expect(failing).rejects.toBe(mistake);
      await database.transact(() => inserting(2, "two"));
      expect(await words()).toEqual(["two"]);
    });

    it("is over when a statement fails, whatever the script makes of the error", async () => {
      const { database } = open({ connections: 1 });
      const heedless = database.transact(function* () {
        yield insert(1, "one");
        try {
          yield insert(1, "again");
        } catch {
          yield insert(2, "two");
        }
      });
      await expect(heedless).rejects.toMatchObject({ code: is("23505", "ER_DUP_ENTRY") });
      const silent = database.transact(function* () {
        yield insert(1, "one");
        try {
          yield insert(1, "again");
        } catch {}
      });
      await expect(silent).rejects.toMatchObject({ code: is("23505", "ER_DUP_ENTRY") });
      expect(await words()).toEqual([]);
    });

    it("sees what others commit meanwhile, whatever the server's default", async (test) => {
      needsOthers(test);
      await place().isolate();
      await place().say("insert into notes values (1, 'before')");
      const seen = await open().database.transact(function* () {
        const first = yield* rowsOf("select word from notes where id = ?", 1);
        const writing = settled(place().say("update notes set word = 'after' where id = 1"));
        yield* until(() => writing.is);
        return [...first, ...(yield* rowsOf("select word from notes where id = ?", 1))];
      });
      expect(seen).toEqual([{ word: "before" }, { word: "after" }]);
    });

    it("tells the server to end it if its process stops, and leaves the session as it was", async (test) => {
      needsOthers(test);
      const settings = is(
        "select current_setting('idle_in_transaction_session_timeout') as idle, current_setting('lock_timeout') as locks, current_setting('statement_timeout') as statements",
        "select @@idle_transaction_timeout as idle, @@innodb_lock_wait_timeout as locks, @@max_statement_time as statements, @@autocommit as autocommit",
      );
      const { database, say } = open({ connections: 1 });
      await say(is("set statement_timeout = 30000", "set max_statement_time = 30"));
      const before = await database.query(() => rowsOf(settings));
      expect(before).toMatchObject([{ statements: is<unknown>("30s", 30) }]);
      expect(await database.transact(() => rowsOf(settings))).toMatchObject([
        is({ idle: "5s", locks: "1s", statements: "0" }, { idle: 5, locks: 1, statements: 0 }),
      ]);
      await expect(database.transact(() => inserting(1, "x".repeat(21)))).rejects.toThrow();
      expect(await database.query(() => rowsOf(settings))).toEqual(before);
    });

    it("plays both sides of a deadlock until both commit", async (test) => {
      needsOthers(test);
      await place().say("insert into notes values (1, 'a'), (2, 'a')");
      const { database } = open();
      const locks = new Set<number>();
      const codes: unknown[] = [];
      const both = (first: number, second: number) => (): Script<void> =>
        watching(codes, function* () {
          yield* is(setting("deadlock_timeout = '100ms'"), nothing());
          yield update(first, `from ${first}`);
          locks.add(first);
          yield* until(() => locks.has(second));
          yield update(second, `from ${first}`);
        });
      const plays: Promise<void>[] = [];
      beforeAgain(() => Promise.any(plays));
      plays.push(database.transact(both(1, 2)), database.transact(both(2, 1)));
      await Promise.all(plays);
      expect(codes).toEqual([is("40P01", "ER_LOCK_DEADLOCK")]);
      expect(new Set(await words()).size).toBe(1);
    });

    it("plays again after a serialization failure", async (test) => {
      needsOthers(test);
      test.skip(server === "mysql", "MariaDB 10.11 knows deadlocks and lock timeouts only");
      await place().say("insert into notes values (1, 'a')");
      const codes: unknown[] = [];
      let writing: { readonly is: boolean } | undefined;
      await open().database.transact(() =>
        watching(codes, function* () {
          yield { text: "set transaction isolation level repeatable read", params: [] };
          yield* rowsOf("select word from notes where id = ?", 1);
          writing ??= settled(place().say("update notes set word = 'b' where id = 1"));
          yield* until(() => writing?.is === true);
          yield { text: "update notes set word = concat(word, 'c') where id = ?", params: [1] };
        }),
      );
      expect(codes).toEqual(["40001"]);
      expect(await words()).toEqual(["bc"]);
    });

    it("plays again after a lock timeout", async (test) => {
      needsOthers(test);
      await place().say("insert into notes values (1, 'a')");
      beforeAgain(await hold("update notes set word = 'held' where id = 1"));
      const codes: unknown[] = [];
      await open().database.transact(() => watching(codes, () => updating(1, "mine")));
      expect(codes).toEqual([locked]);
      expect(await words()).toEqual(["mine"]);
    });

    it("throws what the driver threw if a lock is not free for some seconds", async (test) => {
      needsOthers(test);
      await place().say("insert into notes values (1, 'a')");
      await hold("update notes set word = 'held' where id = 1");
      let now = 0;
      const mono = (): number => (now += 10_000);
      const { database } = open({ system: { ...nodeSystem(), mono } });
      const waiting = database.transact(() => updating(1, "mine"));
      await expect(waiting).rejects.toMatchObject({ code: locked });
    });

    it("shares the only connection of a pool", async () => {
      const { database } = open({ connections: 1 });
      const ids = Array.from({ length: 20 }, (_, index) => index + 10);
      await Promise.all(ids.map((id) => database.transact(() => inserting(id, `${id}`))));
      expect(await words()).toEqual(ids.map(String));
    });
  });

  describe("query", () => {
    it("plays outside any transaction", async () => {
      const { database } = open({ connections: 1 });
      const failing = database.query(function* () {
        yield insert(1, "one");
        throw new Error("a mistake");
      });
      await expect(failing).rejects.toThrow("a mistake");
      expect(await words()).toEqual(["one"]);
    });

    it("lets scripts go on after an error", async () => {
      const answer = await open().database.query(function* () {
        try {
          return yield* rowsOf("select * from nowhere where id = ?", 1);
        } catch {
          return yield* rowsOf("select 1 as one");
        }
      });
      expect(answer).toEqual([{ one: 1 }]);
    });
  });

  describe("what the database refuses is not tried again:", () => {
    it("values, with the driver's own error", async () => {
      const { database } = open();
      let tries = 0;
      const writing = database.transact(() => {
        tries += 1;
        return inserting(1, "x".repeat(21));
      });
      await expect(writing).rejects.toMatchObject({ code: is("22001", "ER_DATA_TOO_LONG") });
      expect(tries).toBe(1);
    });

    it.each([
      ["tables", "select * from nowhere"],
      ["columns", "select nothing from notes"],
    ])("%s that are not there, with what to do", async (_what, text) => {
      const { database } = open();
      for (const verb of ["transact", "query"] as const) {
        let tries = 0;
        const reading = database[verb](() => {
          tries += 1;
          return rowsOf(text);
        });
        await expect(reading).rejects.toMatchObject({
          code: "schema_mismatch",
          message: expect.stringContaining("storage.migrate()"),
          cause: expect.objectContaining({ message: expect.any(String) }),
        });
        expect(tries).toBe(1);
      }
    });

    it("what there is no room for", async (test) => {
      test.skip(server === "postgres", "PostgreSQL has no limit that a test could set");
      const { database, say } = open({ connections: 1 });
      await say("set max_heap_table_size = 16384");
      await say("create table small (text varchar(1000)) engine = memory");
      const filling = database.transact(function* () {
        for (let row = 0; row < 100; row += 1) {
          yield { text: "insert into small values (?)", params: ["x"] };
        }
      });
      await expect(filling).rejects.toMatchObject({ code: "storage_full" });
      await place().say("drop table small");
    });
  });

  describe("close", () => {
    it("waits for what is under way, and refuses what comes later", async () => {
      const { database } = open();
      const order: string[] = [];
      const writing = database.transact(() => inserting(1, "one"));
      const closing = database.close();
      const refused = { code: "bus_stopped", message: expect.stringContaining("closed") };
      await expect(database.transact(() => nothing())).rejects.toMatchObject(refused);
      await expect(database.query(() => nothing())).rejects.toMatchObject(refused);
      await Promise.all([
        writing.then(() => order.push("written")),
        closing.then(() => order.push("closed")),
      ]);
      expect(order).toEqual(["written", "closed"]);
      expect(await words()).toEqual(["one"]);
    });

    it("leaves the pool to the host", async () => {
      const { database, say } = open();
      await database.close();
      await say("insert into notes values (1, 'one')");
      expect(await words()).toEqual(["one"]);
    });
  });
});

it("what is lost after a commit was refused is played again", async () => {
  const tries: readonly ((committing: () => void) => string)[] = [
    (committing) => {
      committing();
      throw Object.assign(new Error("could not serialize access"), { code: "40001" });
    },
    () => {
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    },
    () => "third",
  ];
  let tried = 0;
  const connections = {
    plain: () => Promise.reject(new Error("not asked")),
    transaction: async (_play: unknown, committing: () => void) => {
      tried += 1;
      return tries[tried - 1]?.(committing) as never;
    },
  };
  const system = { ...nodeSystem(), sleep: async () => {} };
  const database = serverDatabase(connections, {} as Dialect, system);
  expect(await database.transact(nothing)).toBe("third");
  expect(tried).toBe(3);
});

function* nothing(): Script<void> {}

function* setting(assignment: string): Script<void> {
  yield { text: `set local ${assignment}`, params: [] };
}
