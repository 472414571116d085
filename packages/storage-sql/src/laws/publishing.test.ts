import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { anEventNamed } from "../../test/events.ts";
import { isDeadlock, onEachServer } from "../../test/on-each-server.ts";
import { NOW, newId } from "../../test/work.ts";
import { sqliteStorage } from "../sqlite.ts";
import { sqliteTransaction } from "../transaction.ts";

onEachServer("publishing", ({ dialect, fresh }) => {
  const [plain, keyed] = dialect === "postgres" ? [1, 1] : [3, 4];

  it("costs a host's transaction one statement, or few, however many events", async () => {
    const tables = await fresh();
    const { publish, storage } = tables.process();
    const host = await tables.begin();
    await publish();
    await publish({}, host.tx);
    expect(host.said).toHaveLength(plain);
    host.said.length = 0;
    const events = Array.from({ length: 50 }, () =>
      anEventNamed(newId(), { idempotencyKey: newId() }),
    );
    await storage.append(events, host.tx as never);
    expect(host.said).toHaveLength(keyed);
    await host.end("commit");
    expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 52 });
  });

  it("looks first, once, whether the tables are what this code needs, in the same transaction", async () => {
    const tables = await fresh();
    const { publish, said } = tables.process();
    const host = await tables.begin();
    await publish({}, host.tx);
    expect(host.said).toHaveLength(plain + 2);
    host.said.length = 0;
    await publish({}, host.tx);
    expect(host.said).toHaveLength(plain);
    await host.end("commit");
    expect(said).toEqual([]);
  });

  it("in a host's transaction refuses tables that are too new, or in part gone, and ends nothing", async () => {
    const tables = await fresh();
    const { publish, storage } = tables.process();
    const host = await tables.begin();
    await tables.say(
      `insert into ${tables.table("migrations")} (version, name, compatible, applied_at) values (9, 'later', 9, 0)`,
    );
    await expect(publish({}, host.tx)).rejects.toMatchObject({
      code: "schema_mismatch",
      message: expect.stringContaining("Upgrade @posthorn/storage-sql"),
    });
    await tables.say(`delete from ${tables.table("migrations")} where version = 9`);
    await host.end("commit");

    const next = await tables.begin();
    await tables.say(`drop table ${tables.table("gates")}`);
    await expect(publish({}, next.tx)).rejects.toMatchObject({
      code: "schema_mismatch",
      message: expect.stringContaining("some are gone"),
    });
    expect(await next.say("select 1 as one")).toMatchObject([{ one: 1 }]);
    await next.end("commit");
    await storage.close();
  });

  it.each([
    ["keys", [{ idempotencyKey: "k-1" }, { idempotencyKey: "k-2" }]],
    [
      "organizations",
      [
        { organization: "acme", idempotencyKey: "k" },
        { organization: "umbrella", idempotencyKey: "k" },
      ],
    ],
  ])("crosswise, with the same %s, makes nobody wait for each other", async (_, pair) => {
    const tables = await fresh();
    const [one, other] = [tables.process(), tables.process()];
    const host = await tables.begin();
    await one.publish(pair[0], host.tx);
    const events = () => pair.map((given) => anEventNamed(newId(), given));
    const first = one.storage.append(events());
    await tables.untilWaiting(1);
    const second = other.storage.append(events().reverse());
    await tables.untilWaiting(2);
    // Whoever waits on MySQL for what is rolled back deadlocks, in whatever order it asks.
    await host.end(dialect === "postgres" ? "rollback" : "commit");
    const [[, ofFirst], [ofSecond]] = await Promise.all([first, second]);
    expect(ofFirst?.event.id).toBe(ofSecond?.event.id);
    expect([...one.errors, ...other.errors].filter(isDeadlock)).toEqual([]);
  });

  it("waits for no router that has not committed, and is routed after it", async () => {
    const tables = await fresh();
    const [router, publisher] = [tables.process(), tables.process()];
    await publisher.subscribe();
    await publisher.publish();
    const committing = router.holdBefore(/^commit$/);
    const routing = router.route();
    const { letGo } = await committing;
    const host = await tables.begin();
    await publisher.publish({}, host.tx);
    await publisher.publish({ idempotencyKey: "order-1" });
    await host.end("commit");
    letGo();
    expect((await routing).events).toBe(1);
    expect((await router.route()).events).toBe(2);
    expect(publisher.errors).toEqual([]);
  });

  if (dialect === "postgres") {
    it.each(["repeatable read", "serializable"] as const)(
      "at %s, with a key used since: the database's own error",
      async (isolation) => {
        const tables = await fresh();
        const { publish } = tables.process();
        const host = await tables.begin(isolation);
        await host.say(`select * from ${tables.table("events")}`);
        await publish({ idempotencyKey: "order-1" });
        const publishing = publish({ idempotencyKey: "order-1" }, host.tx);
        await expect(publishing).rejects.toMatchObject({ code: "40001" });
        await host.end("rollback");
      },
    );
  } else {
    it("what a column does not hold is refused, and not left out", async () => {
      const tables = await fresh();
      const { publish, storage } = tables.process();
      await expect(publish({ type: "a".repeat(300) })).rejects.toMatchObject({
        code: "ER_DATA_TOO_LONG",
      });
      expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 0 });
    });
  }
});

onEachServer("an event to be routed", ({ fresh }) => {
  it("that cannot be read keeps its mark, and no other waiting", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, storage } = tables.process();
    await subscribe();
    const unseen = await publish();
    await tables.say(`delete from ${tables.table("events")} where id = '${unseen}'`);
    await publish();
    const results = [await route(), await route(), await route()];
    expect(results.map(({ unroutable }) => unroutable?.eventId ?? null)).toContain(unseen);
    expect(results.reduce((sum, { deliveries }) => sum + deliveries, 0)).toBe(1);
    expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 1 });
  });
});

describe("publishing on SQLite", () => {
  it("in a transaction that began by reading: an error that says how to begin", async () => {
    const folder = mkdtempSync(join(tmpdir(), "posthorn-"));
    const file = join(folder, "app.db");
    const storage = sqliteStorage({ file });
    await storage.migrate();
    const host = new DatabaseSync(file);
    host.exec("begin");
    host.prepare("select * from posthorn_events").all();
    await storage.append([anEventNamed("e-1")]);
    await expect(
      storage.append([anEventNamed("e-2")], sqliteTransaction(host)),
    ).rejects.toMatchObject({
      code: "storage_unavailable",
      message: expect.stringContaining("BEGIN IMMEDIATE"),
    });
    host.exec("rollback");
    host.close();
    await storage.close();
    rmSync(folder, { recursive: true });
  });

  it("synchronously, first of all: refuses tables that are too new", () => {
    const host = new DatabaseSync(":memory:");
    const storage = sqliteStorage({ connection: host });
    host.exec("create table posthorn_migrations (version, name, compatible, applied_at)");
    host.exec("insert into posthorn_migrations values (9, 'later', 9, 0)");
    host.exec("begin immediate");
    expect(() => storage.appendSync?.([anEventNamed("e-1")], sqliteTransaction(host))).toThrow(
      expect.objectContaining({ code: "schema_mismatch" }),
    );
    host.exec("rollback");
    host.close();
  });
});
