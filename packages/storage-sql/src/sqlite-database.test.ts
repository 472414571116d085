import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import BetterSqlite3 from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { anEventNamed } from "../test/events.ts";
import { type SqliteConnection, sqliteStorage } from "./sqlite.ts";
import { sqliteTransaction } from "./transaction.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "posthorn-"));
  file = join(folder, "app.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function migrated(): Promise<void> {
  const storage = sqliteStorage({ file });
  await storage.migrate();
  await storage.close();
}

/** Waits that pass at once; each is counted, and may change the world. */
const impatient = (onSleep: (count: number) => void = () => {}) => {
  let count = 0;
  let waited = 0;
  return {
    waited: () => waited,
    system: {
      random: () => 0.5,
      sleep: async (ms: number) => {
        count += 1;
        waited += ms;
        onSleep(count);
      },
    },
  };
};

const countIn = (db: DatabaseSync, table: string): unknown =>
  db.prepare(`select count(*) as n from ${table}`).get()?.["n"];

describe("a SQLite file", () => {
  it("is shared by processes that write at the same time", async () => {
    await migrated();
    const child = join(import.meta.dirname, "../test/publish-child.ts");
    const run = (name: string) =>
      promisify(execFile)(process.execPath, ["-C", "@posthorn/source", child, file, name, "100"]);
    await Promise.all([run("a"), run("b")]);
    const db = new DatabaseSync(file);
    expect([countIn(db, "posthorn_events"), countIn(db, "posthorn_unrouted")]).toEqual([200, 200]);
    db.close();
  });

  it("lets timers and requests through, though it is asked one thing after the other", async () => {
    const storage = sqliteStorage({ file });
    await storage.migrate();
    let hasPassed = false;
    setImmediate(() => {
      hasPassed = true;
    });
    for (let asked = 0; asked < 1_000 && !hasPassed; asked += 1) await storage.backlog(0);
    await storage.close();
    expect(hasPassed).toBe(true);
  });

  it("takes what it acknowledged, and nothing else, when the disk is full", async () => {
    await migrated();
    const connection = new DatabaseSync(file);
    const storage = sqliteStorage({ connection });
    connection.exec("pragma max_page_count = 200");
    const payload = JSON.stringify("x".repeat(10_000));
    const publish = (index: number) =>
      storage.append([
        anEventNamed(`e-${index}-a`, { payload }),
        anEventNamed(`e-${index}-b`, { payload }),
      ]);
    let acknowledged = 0;
    const full = (async () => {
      for (; acknowledged < 1_000; acknowledged += 1) await publish(acknowledged);
    })();
    await expect(full).rejects.toMatchObject({ code: "storage_full" });
    expect(connection.prepare("pragma integrity_check").all()).toEqual([
      expect.objectContaining({ integrity_check: "ok" }),
    ]);
    expect(acknowledged).toBeGreaterThan(5);
    expect(countIn(connection, "posthorn_events")).toBe(2 * acknowledged);
    expect(countIn(connection, "posthorn_unrouted")).toBe(2 * acknowledged);

    connection.exec("pragma max_page_count = 100000");
    await publish(acknowledged);
    expect(countIn(connection, "posthorn_events")).toBe(2 * acknowledged + 2);
    connection.close();
  });

  it("is waited for without stopping the event loop while the host writes", async () => {
    await migrated();
    const host = new DatabaseSync(file);
    host.exec("create table things (name text)");
    host.exec("begin immediate");
    host.exec("insert into things values ('mine')");
    const { system, waited } = impatient((count) => {
      if (count === 5) host.exec("commit");
    });
    const storage = sqliteStorage({ file, system });
    await storage.append([anEventNamed("e-1")]);
    expect(waited()).toBeGreaterThan(0);
    expect([countIn(host, "things"), countIn(host, "posthorn_events")]).toEqual([1, 1]);
    await storage.close();
    host.close();
  });

  it("is given up after ten seconds, with an error that says who is in the way", async () => {
    await migrated();
    const host = new DatabaseSync(file);
    host.exec("begin immediate");
    const { system, waited } = impatient();
    const storage = sqliteStorage({ file, system });
    await expect(storage.append([anEventNamed("e-1")])).rejects.toMatchObject({
      code: "storage_unavailable",
      message: expect.stringContaining("BEGIN IMMEDIATE"),
    });
    expect(waited()).toBeGreaterThanOrEqual(10_000);
    expect(waited()).toBeLessThan(11_000);
    host.exec("rollback");
    await storage.append([anEventNamed("e-1")]);
    await storage.close();
    host.close();
  });

  it("keeps the host's row when what Posthorn writes at the same time fails", async () => {
    await migrated();
    const host = new DatabaseSync(file);
    host.exec("create table things (name text)");
    const storage = sqliteStorage({ file });
    const failure = new Error("the plan failed");
    await storage.append([anEventNamed("e-1")]);
    const routing = storage.route(
      {
        now: 1_800_000_000_000,
        token: "t-1",
        leaseMs: 1_000,
        slots: 1,
        perLane: 1,
        handlerTypes: [],
        keyIds: [],
        maxEvents: 1,
        maxDeliveries: 1,
      },
      () => {
        throw failure;
      },
    );
    host.exec("begin immediate");
    host.exec("insert into things values ('mine')");
    host.exec("commit");
    expect((await routing).unroutable?.error).toBe(failure);
    expect(countIn(host, "things")).toBe(1);
    await storage.close();
    host.close();
  });

  it("is opened with a write-ahead log, and with no waiting of SQLite's own", async () => {
    const connection = new DatabaseSync(file, { timeout: 3_000 });
    const storage = sqliteStorage({ connection });
    await storage.migrate();
    expect(connection.prepare("pragma journal_mode").get()).toMatchObject({ journal_mode: "wal" });
    expect(connection.prepare("pragma busy_timeout").get()).toMatchObject({ timeout: 0 });
    await storage.close();
    expect(connection.isOpen).toBe(true);
    connection.close();
  });
});

describe("connections of node:sqlite that answer arrays", () => {
  it("are as good as others, Posthorn's own and the host's", async () => {
    await migrated();
    const open = () => new DatabaseSync(file, { returnArrays: true });
    const [own, host] = [open(), open()];
    const storage = sqliteStorage({ connection: own });
    host.exec("begin immediate");
    storage.appendSync?.([anEventNamed("e-1")], sqliteTransaction(host));
    host.exec("commit");
    expect(await storage.backlog(0)).toMatchObject({ unrouted: 1 });
    for (const db of [own, host]) db.close();
  });
});

describe("what is refused", () => {
  it.each([
    ["neither file nor connection", {}],
    ["both", { file: "app.db", connection: new DatabaseSync(":memory:") }],
    ["a prefix that is no identifier", { file: "app.db", prefix: 'x"; drop table users; --' }],
    ["a file that is no path", { file: 7 }],
    ["a connection that is none", { connection: { query: () => {} } }],
  ])("%s", (_, options) => {
    expect(() => sqliteStorage(options as never)).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("a transaction of another copy of SQLite, whose locks do not keep ours out", async () => {
    const storage = sqliteStorage({ file });
    await storage.migrate();
    const host = new BetterSqlite3(file);
    host.exec("begin immediate");
    await expect(
      storage.append([anEventNamed("e-1")], sqliteTransaction(host)),
    ).rejects.toMatchObject({
      code: "unknown_transaction",
      message: expect.stringContaining("another SQLite library"),
    });
    expect(host.prepare("select count(*) as n from posthorn_events").get()).toEqual({ n: 0 });
    host.exec("rollback");
    host.close();
    await storage.close();
  });

  it("a file that may be read only, with what to do", async () => {
    await migrated();
    const connection = new DatabaseSync(file, { readOnly: true });
    const storage = sqliteStorage({ connection });
    await expect(storage.append([anEventNamed("e-1")])).rejects.toMatchObject({
      code: "storage_unavailable",
      message: expect.stringContaining("write"),
    });
    connection.close();
  });

  it("a file that is something else", async () => {
    writeFileSync(file, "no database ".repeat(100));
    const storage = sqliteStorage({ file });
    await expect(storage.migrate()).rejects.toMatchObject({
      code: "storage_unavailable",
      message: expect.stringContaining("no SQLite database"),
    });
    await storage.close();
  });

  it("a file without the tables, with what to do", async () => {
    const storage = sqliteStorage({ file });
    await expect(storage.append([anEventNamed("e-1")])).rejects.toMatchObject({
      code: "schema_mismatch",
      message: expect.stringContaining("storage.migrate()"),
    });
    await storage.migrate();
    await storage.append([anEventNamed("e-1")]);
    await storage.close();
  });

  it("every call after close", async () => {
    const storage = sqliteStorage({
      connection: new BetterSqlite3(":memory:") as SqliteConnection,
    });
    await storage.migrate();
    await storage.close();
    await expect(storage.append([anEventNamed("e-1")])).rejects.toMatchObject({
      code: "bus_stopped",
    });
  });
});
