import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Connection, schemaServers, unused } from "../../test/schema-servers.ts";
import { NOW, newId, settlementOf } from "../../test/work.ts";
import { deliveriesIn } from "../deliveries.ts";
import { postgresDialect } from "../dialects/postgres.ts";
import { newDelivery } from "../records.ts";
import { migrate } from "../schema/migrate.ts";
import { rowsOf, type Script } from "../script.ts";
import { settling } from "../settle.ts";

const { postgres } = schemaServers;
if (postgres === null) throw new Error("there always is a PostgreSQL");
const { schema, naming: namingOf, fresh, connect } = postgres;

/** How many go in one turn. */
const MANY = 500;

describe("on PostgreSQL", () => {
  const naming = namingOf(unused());
  const dialect = postgresDialect(naming.table);
  let connection: Connection;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const database = await fresh();
    drop = database.drop;
    connection = await connect(database.url);
    await migrate({ database: connection.database, schema, naming });
  });
  afterAll(async () => {
    await connection.end();
    await drop();
  });

  /** How many rows of `deliveries` this transaction has updated, and how many of them in no index. */
  function* updates(): Script<{ readonly all: number; readonly hot: number }> {
    const [row] = yield* rowsOf(
      "select pg_stat_get_xact_tuples_updated(c) as changed, pg_stat_get_xact_tuples_hot_updated(c) as hot from (select ?::regclass as c) c",
      naming.table("deliveries"),
    );
    return { all: Number(row?.["changed"]), hot: Number(row?.["hot"]) };
  }

  it("what started at once is settled without a write in any index of the deliveries", async () => {
    const token = newId();
    const started = Array.from({ length: MANY }, () => ({
      ...newDelivery({
        id: newId(),
        organization: "acme",
        eventId: newId(),
        eventType: "thing",
        subscriptionId: "subscription",
        handlerType: "http",
        createdAt: NOW,
      }),
      inFlight: true,
    }));
    const settlements = started.map((delivery) =>
      settlementOf(
        { deliveryId: delivery.id, subscriptionId: "subscription", token, delivery },
        true,
      ),
    );
    const { add } = deliveriesIn(dialect);
    const { settle } = settling(dialect);
    await connection.database.transact(() =>
      add(started, new Map(), { token, leaseUntil: NOW + 1_000 }),
    );
    const found = await connection.database.transact(function* () {
      const { results } = yield* settle(settlements, () => ({
        next: { status: "delivered", attempts: 1 },
        counted: true,
      }));
      return { results, updates: yield* updates() };
    });
    expect(new Set(found.results)).toEqual(new Set(["settled"]));
    expect(found.updates.all).toBe(MANY);
    expect(found.updates.hot).toBeGreaterThanOrEqual(0.9 * MANY);
  });
});
