import { expect, it } from "vitest";
import { onEachDatabase } from "../../test/on-each-database.ts";
import { LEASE, NOW, workOn } from "../../test/work.ts";
import { mysqlDialect } from "../dialects/mysql.ts";
import { postgresDialect } from "../dialects/postgres.ts";
import { sqliteDialect } from "../dialects/sqlite.ts";
import { sqlStorage } from "../storage.ts";
import { migrate, type Target } from "./migrate.ts";

/** What a database of version 2 has of a delivery. */
interface Stored {
  readonly status?: number;
  readonly due?: number;
  readonly ask?: number;
  readonly lease?: number;
  readonly attempts?: number;
  readonly lapses?: number;
  readonly key?: string;
  readonly position?: number;
}

const STORED: { readonly [id: string]: Stored } = {
  "d-delivered": { status: 1, attempts: 1 },
  "d-dead": { status: 2, attempts: 3 },
  "d-canceled": { status: 3 },
  "d-waiting": { due: NOW - 7 },
  "d-retry": { due: NOW - 9, attempts: 1 },
  "d-suspect": { due: NOW - 9, ask: NOW - 9, lapses: 2 },
  "d-flying-1": { lease: NOW + LEASE },
  "d-flying-2": { lease: NOW + LEASE, attempts: 1 },
};

onEachDatabase("flights and leases in tables of their own", (place) => {
  const { dialect: name, schema, connection, target } = place;

  const dialectOf = ({ table, index }: Target["naming"]) =>
    name === "sqlite"
      ? sqliteDialect(table, index)
      : name === "mysql"
        ? mysqlDialect(table, index)
        : postgresDialect(table);

  /** Tables of version 2, full, and how to bring them up to date. */
  async function old() {
    const to = target();
    const { table } = to.naming;
    const earlier = schema.migrations.filter(({ version }) => version < 3);
    await migrate({ ...to, schema: { ...schema, migrations: earlier } });
    const run = (text: string): Promise<void> => connection().run(text);
    await run(
      `insert into ${table("subscriptions")} (id, organization, name, event_types, type, configuration, secrets, state, delivery_order, enabled, status, version, created_at, updated_at) values ('s', 'acme', 'A subscription', '["*"]', 'http', '{}', '{}', 'null', 'none', 1, 'ok', 1, ${NOW}, ${NOW})`,
    );
    await run(
      `insert into ${table("lanes")} (subscription_id, organization, handler_type, key_id, gate_key_id, gate_ids, delivery_order, parked, deleted, next_due_at) values ('s', 'acme', 'http', '', '', '[]', 'none', 0, 0, ${NOW - 9})`,
    );
    await run(
      `insert into ${table("events")} (id, organization, type, occurred_at, published_at, payload, announced) values ('e', 'acme', 'thing', ${NOW}, ${NOW}, '{}', 1)`,
    );
    for (const [id, stored] of Object.entries(STORED)) {
      const { status = 0, due = null, ask = null, lease = null, attempts = 0, lapses = 0 } = stored;
      const token = lease === null ? "null" : `'turn'`;
      const completed = status === 0 ? null : NOW;
      await run(
        `insert into ${table("deliveries")} (id, organization, event_id, event_type, subscription_id, handler_type, status, due_at, ask_at, lease_until, token, attempts, throttles, lapses, created_at, completed_at) values ('${id}', 'acme', 'e', 'thing', 's', 'http', ${status}, ${due}, ${ask}, ${lease}, ${token}, ${attempts}, 0, ${lapses}, ${NOW - 60_000}, ${completed})`,
      );
    }
    const database = {
      ...connection().database,
      dialect: dialectOf(to.naming),
      mayPass: () => false,
      close: async () => {},
    };
    const storage = sqlStorage({ ...to, database });
    return { to, storage, table, ...workOn(storage) };
  }

  it("keep all that was there, and it is delivered", async () => {
    const { to, storage, claim, succeed, deliveries } = await old();
    const before = await connection().rows(
      `select id, status, due_at, attempts, completed_at from ${to.naming.table("deliveries")} order by id`,
    );
    await expect(migrate(to)).resolves.toMatchObject({ versions: [3] });
    const after = await connection().rows(
      `select id, status, due_at, attempts, completed_at from ${to.naming.table("deliveries")} order by id`,
    );
    expect(after).toEqual(before);
    expect(await storage.backlog(NOW)).toMatchObject({
      inFlight: 2,
      waiting: [{ count: 3, oldestDueAt: NOW - 9 }],
    });
    for (const [status, id] of [
      ["dead", "d-dead"],
      ["canceled", "d-canceled"],
    ] as const) {
      const asked = { organization: "acme", subscriptionId: "s", status, limit: 9 };
      expect((await storage.history.deliveries(asked)).items).toMatchObject([{ id }]);
    }

    const first = await claim();
    expect(idsOf(first.claims)).toEqual(["d-retry", "d-waiting"]);
    await succeed(first.claims);
    const alone = await claim({ alone: true });
    expect(idsOf(alone.claims)).toEqual(["d-suspect"]);
    await succeed(alone.claims);
    const idle = await claim();
    expect(idle).toMatchObject({ claims: [], lapsed: [], nextDueAt: NOW + LEASE });

    const { lapsed } = await claim({ now: NOW + LEASE, slots: 0 });
    expect(lapsed.map(({ id }) => id).sort()).toEqual(["d-flying-1", "d-flying-2"]);
    const last = await claim({ now: NOW + 2 * LEASE });
    expect(idsOf(last.claims)).toEqual(["d-flying-1", "d-flying-2"]);
    await succeed(last.claims);
    expect(await claim({ now: NOW + 9 * LEASE })).toMatchObject({ claims: [], nextDueAt: null });
    expect((await deliveries()).filter(({ status }) => status === "delivered")).toHaveLength(6);
    for (const rest of ["flights", "leases"] as const) {
      expect(await connection().rows(`select * from ${to.naming.table(rest)}`)).toEqual([]);
    }
  });

  it("leave older code out", async () => {
    const to = target();
    await migrate(to);
    const older = { ...schema, migrations: schema.migrations.slice(0, 2) };
    await expect(migrate({ ...to, schema: older })).rejects.toThrow(
      "needs code that knows version 3",
    );
  });
});

const idsOf = (claims: readonly { readonly deliveryId: string }[]): readonly string[] =>
  claims.map(({ deliveryId }) => deliveryId).sort();
