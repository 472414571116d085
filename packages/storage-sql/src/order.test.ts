import { planDeliveries, type RouteRequest, type Storage } from "@posthorn/core";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshDatabase, postgresServer } from "../../../test/servers.ts";
import { anEventNamed } from "../test/events.ts";
import { postgresStorage } from "./postgres.ts";

const NOW = 1_800_000_000_000;
const organization = "acme";

describe("a router whose transaction is held open", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let pool: pg.Pool;
  let storage: Storage<never>;
  let ids = 0;
  const newId = (): string => {
    ids += 1;
    return `01a3185c-5000-7000-8000-${String(ids).padStart(12, "0")}`;
  };

  beforeAll(async () => {
    database = await freshDatabase(postgresServer());
    pool = new pg.Pool({ connectionString: database.url });
    pool.on("error", () => {});
    const made = postgresStorage({ pool });
    await made.migrate();
    storage = made as Storage<never>;
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  const subscribe = (id: string, of: string, order: "none" | "skip_dead"): Promise<unknown> =>
    storage.subscriptions.create(
      {
        id,
        organization: of,
        name: id,
        eventTypes: ["*"],
        type: "http",
        configuration: {},
        secrets: {},
        order,
        enabled: true,
        disabledReason: null,
        status: "ok",
        statusDetail: null,
        statusCheckedAt: null,
        failing: null,
        state: null,
        version: 1,
        idempotencyKey: null,
        fingerprint: null,
        createdAt: NOW,
        updatedAt: NOW,
      },
      { gates: [], keyId: null, gateKeyId: null, order, parked: false },
    );
  const publish = (id: string, of = organization): Promise<unknown> =>
    storage.append([anEventNamed(id, { organization: of })]);
  const route = (request: Partial<RouteRequest> = {}) =>
    storage.route(
      {
        now: NOW,
        token: newId(),
        leaseMs: 45_000,
        slots: 0,
        perLane: 10,
        handlerTypes: ["http"],
        keyIds: [],
        maxEvents: 10,
        maxDeliveries: 100,
        ...request,
      },
      (input) => planDeliveries(input, newId),
    );

  it("is followed by events of an organization that keeps an order, and holds up no other", async () => {
    await subscribe("ordered", organization, "skip_dead");
    await subscribe("free", "globex", "none");
    await publish("event-1");
    await publish("event-2");
    await publish("event-3", "globex");
    await publish("event-4");

    const router = await pool.connect();
    await router.query("begin");
    const { rows } = await router.query(
      "select position from posthorn.unrouted order by position limit 1 for update skip locked",
    );
    await router.query("delete from posthorn.unrouted where position = $1", [rows[0].position]);

    const held = await route();
    expect([held.events, held.left, held.deliveries]).toEqual([1, 2, 1]);
    expect((await route()).left).toBe(2);

    await router.query("rollback");
    const first = await route({ maxEvents: 1 });
    expect([first.events, first.left]).toEqual([1, 0]);
    expect((await route()).events).toBe(2);
    router.release();

    const { rows: queue } = await pool.query(
      "select event_id, position from posthorn.deliveries where subscription_id = 'ordered' order by position nulls first",
    );
    expect(queue.map(({ event_id }) => event_id)).toEqual(["event-1", "event-2", "event-4"]);
    expect(queue[0].position).toBeNull();
  });

  it("is not waited for by the events that were published before it", async () => {
    await publish("event-5");
    await publish("event-6");
    const router = await pool.connect();
    await router.query("begin");
    await router.query(
      "delete from posthorn.unrouted where event_id = (select event_id from posthorn.unrouted order by position desc limit 1)",
    );
    const result = await route();
    expect([result.events, result.left]).toEqual([1, 0]);
    await router.query("commit");
    router.release();
  });
});
