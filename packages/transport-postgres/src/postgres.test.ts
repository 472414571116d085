import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Logger, StoredEvent, Transport } from "@posthorn/core";
import { virtualSystem } from "@posthorn/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type FreshDatabase, freshDatabase, postgresServer } from "../../../test/servers.ts";
import { type TcpProxy, tcpProxy } from "../test/proxy.ts";
import { event } from "../test/stage.ts";
import type { PostgresTransportOptions } from "./options.ts";
import { postgresTransport } from "./transport.ts";

let database: FreshDatabase;
/** A connection that nothing of the transport's knows of. */
let witness: pg.Client;
beforeAll(async () => {
  database = await freshDatabase(postgresServer());
  witness = new pg.Client(database.url);
  await witness.connect();
});
afterAll(async () => {
  await witness.end();
  await database.drop();
});

const opened: Transport[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((transport) => transport.close()));
});

interface Listening {
  readonly transport: Transport;
  readonly events: readonly StoredEvent[];
  readonly wakes: number;
}

/** A process whose transport listens. */
async function listening(options: Partial<PostgresTransportOptions> = {}): Promise<Listening> {
  const transport = postgresTransport({
    createClient: () => new pg.Client(database.url),
    ...options,
  });
  opened.push(transport);
  const events: StoredEvent[] = [];
  let wakes = 0;
  transport.listen({
    wake: () => {
      wakes += 1;
    },
    event: (heard) => void events.push(heard),
  });
  await until(() => wakes > 0);
  return {
    transport,
    events,
    get wakes() {
      return wakes;
    },
  };
}

const until = (isSo: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(isSo()).toBe(true), { timeout: 10_000, interval: 5 });

const backends = async (): Promise<number> => {
  const { rowCount } = await witness.query(
    "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  return rowCount ?? 0;
};

describe("on PostgreSQL", () => {
  it("tells each other process, once", async () => {
    const [one, two, three] = [await listening(), await listening(), await listening()];
    const before = [two.wakes, three.wakes];
    one.transport.wake();
    await until(() => two.wakes > (before[0] ?? 0) && three.wakes > (before[1] ?? 0));
    two.transport.broadcast(event("e1"));
    await until(() => one.events.length > 0 && three.events.length > 0);
    expect([two.wakes, three.wakes]).toEqual(before.map((wakes) => wakes + 1));
    expect([one, two, three].map(({ events }) => events.length)).toEqual([1, 1, 1]);
  });

  it("sends 10,000 wakes as a few notifications", async () => {
    const { transport } = await listening({ channel: "counted" });
    let notifications = 0;
    witness.on("notification", () => {
      notifications += 1;
    });
    await witness.query("listen counted");
    const startedAt = performance.now();
    for (let burst = 0; burst < 100; burst += 1) {
      for (let wakes = 0; wakes < 100; wakes += 1) transport.wake();
      await new Promise(setImmediate);
    }
    const tookMs = performance.now() - startedAt;
    await witness.query("notify counted, 'last'");
    await until(() => notifications > 1);
    await witness.query("unlisten counted");
    expect(notifications).toBeLessThanOrEqual(3 + tookMs / 25);
  });

  it("carries any text, and thousands of events", async () => {
    const [one, two] = [await listening(), await listening()];
    const texts = ["\\u0000", "\u2028", "Zoë 📯", "{\"'$1?\\\\}", "\\ud800", "\t", "%s;--"];
    const events = texts.map((text, index) => event(`e${index}`, JSON.stringify(text)));
    for (const said of events) one.transport.broadcast(said);
    await until(() => two.events.length === events.length);
    expect(two.events).toEqual(events);
    for (let index = 0; index < 900; index += 1) one.transport.broadcast(event(`many-${index}`));
    await until(() => two.events.length === events.length + 900);
  });

  it("carries an event as long as a notification has room for, and does without a longer one", async () => {
    const [one, two] = [await listening(), await listening()];
    const room = 7_800 - JSON.stringify(event("full", "")).length;
    const full = event("full", "x".repeat(room));
    one.transport.broadcast(event("long", "x".repeat(room + 1)));
    one.transport.broadcast(full);
    await until(() => two.events.length > 0);
    expect(two.events).toEqual([full]);
  });

  it("is disturbed by nothing that others say on its channel", async () => {
    const [{ events }, other] = [await listening(), await listening()];
    for (const payload of ["", "hello", "{", "null", "[]", '{"posthorn":2}', "x".repeat(7_999)]) {
      await witness.query("select pg_notify('posthorn', $1)", [payload]);
    }
    other.transport.broadcast(event("e1"));
    await until(() => events.length > 0);
    expect(events).toEqual([event("e1")]);
  });

  it("connects again when the server ends its connection, and wakes its listener", async () => {
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const [one, two] = [await listening({ logger }), await listening()];
    const before = one.wakes;
    await witness.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await until(() => one.wakes > before && two.wakes > 1);
    expect(logger.warn.mock.calls[0]?.[0]).toEqual({
      error: "terminating connection due to administrator command",
    });
    two.transport.broadcast(event("e1"));
    await until(() => one.events.length > 0);
    await vi.waitFor(async () => expect(await backends()).toBe(2));
  });

  it("keeps trying while it is refused, and works as soon as it is not", async () => {
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    let url = database.url.replace(/\/[^/]*$/, "/no_such_database");
    const transport = postgresTransport({
      createClient: () => new pg.Client(url),
      logger: logger satisfies Logger,
    });
    opened.push(transport);
    const wake = vi.fn();
    transport.listen({ wake, event: () => {} });
    await until(() => logger.debug.mock.calls.length > 0);
    expect(logger.warn.mock.calls[0]?.[0]).toEqual({
      error: 'database "no_such_database" does not exist',
    });
    url = database.url;
    await until(() => wake.mock.calls.length > 0);
  });

  it("leaves no connection behind", async () => {
    const processes = [await listening(), await listening()];
    for (const { transport } of processes) await transport.close();
    await vi.waitFor(async () => expect(await backends()).toBe(0));
  });
});

describe("a connection that is half open", () => {
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await tcpProxy(database.url);
  });
  afterAll(() => proxy.close());
  const createClient = (): pg.Client => new pg.Client(proxy.url);

  it("is noticed by the next heartbeat, and replaced", async () => {
    const system = virtualSystem();
    const heard = await listening({ createClient, system });
    const { connections } = proxy;
    const [told, before] = [await listening(), heard.wakes];
    proxy.freeze();
    told.transport.wake();
    for (const ms of [10_000, 5_000]) {
      await until(() => system.nextWakeAt === system.now() + ms);
      system.moveTo(system.now() + ms);
    }
    proxy.thaw();
    expect(heard.wakes).toBe(before);
    await until(() => (system.nextWakeAt ?? Number.POSITIVE_INFINITY) <= system.now() + 100);
    system.moveTo(system.now() + 100);
    await until(() => heard.wakes > before);
    expect(proxy.connections).toBe(connections + 1);
    told.transport.broadcast(event("e1"));
    await until(() => heard.events.length > 0);
  });

  it("does not keep close waiting for more than a second", async () => {
    const system = virtualSystem();
    const { transport } = await listening({ createClient, system });
    proxy.freeze();
    const closed = transport.close();
    await until(() => system.nextWakeAt === system.now() + 1_000);
    system.moveTo(system.now() + 1_000);
    await closed;
    proxy.thaw();
  });
});

describe("a process that has closed its transport ends by itself", { timeout: 20_000 }, () => {
  const alone = fileURLToPath(new URL("../test/alone.ts", import.meta.url));
  const run = async (url: string, how: string): Promise<string> => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@posthorn/source", alone, url, how],
      { timeout: 20_000 },
    );
    expect(stderr).toBe("");
    return stdout;
  };

  it.each(["listening", "connecting"])("while %s", async (how) => {
    expect(await run(database.url, how)).toBe("closed\n");
  });

  it("while it is refused", async () => {
    expect(await run("postgres://nobody@127.0.0.1:1/none", "failing")).toBe("closed\n");
  });

  it("while nobody answers", async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => void mute.listen(0, "127.0.0.1", resolve));
    const { port } = mute.address() as { port: number };
    expect(await run(`postgres://nobody@127.0.0.1:${port}/none`, "connecting")).toBe("closed\n");
    mute.close();
  });
});
