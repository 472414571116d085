import { createEventBus } from "@posthorn/core";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { pgTransaction } from "@posthorn/storage-sql/transaction";
import pg from "pg";
import { catalog, type Data, someData } from "../event.ts";
import { inFlight, rate } from "../play.ts";
import { type Contestant, ratio, type Workload } from "../workload.ts";

const AT_ONCE = 10;
const BY_HAND = "with a hand-written outbox row";
const OURS = "with publish({ tx })";

/** What the host adds to its transaction, between its own row and its commit. */
type Add = (client: pg.PoolClient, data: Data) => Promise<unknown>;

export const hostTransaction: Workload = {
  name: "host-transaction",
  about: "publish in the host's own transaction, beside a hand-written outbox row",
  contests: (ground, size) => {
    const contestant = (
      name: string,
      prepare: (pool: pg.Pool) => Promise<{ readonly add: Add; end(): Promise<void> }>,
    ): Contestant => ({
      name,
      run: async () => {
        const place = await ground.place("postgres");
        const pool = new pg.Pool({ connectionString: place.at, max: AT_ONCE });
        await pool.query(
          "create table business (id bigint generated always as identity primary key, organization text not null, total bigint not null)",
        );
        const { add, end } = await prepare(pool);
        const once = async (data: Data): Promise<void> => {
          const client = await pool.connect();
          await client.query("begin");
          await client.query({
            name: "business",
            text: "insert into business (organization, total) values ($1, $2)",
            values: [data.organization, 4_200],
          });
          await add(client, data);
          await client.query("commit");
          client.release();
        };
        const all = someData(size.of(5_000, 200));
        await inFlight(all.slice(0, size.of(500, 20)), AT_ONCE, once);
        const perSecond = await rate(all.length, () => inFlight(all, AT_ONCE, once));
        await end();
        await pool.end();
        await place.remove();
        return [perSecond];
      },
    });
    const nothing = { add: async () => {}, end: async () => {} };
    return [
      {
        title: "the host's transaction, 10 in flight, PostgreSQL",
        columns: ["transactions/s"],
        better: "more",
        baseline: BY_HAND,
        rows: [
          contestant("business row alone", async () => nothing),
          contestant(BY_HAND, async (pool) => {
            await pool.query(
              "create table outbox (id bigint generated always as identity primary key, organization text not null, type text not null, payload text not null)",
            );
            return {
              ...nothing,
              add: (client, data) =>
                client.query({
                  name: "outbox",
                  text: "insert into outbox (organization, type, payload) values ($1, $2, $3)",
                  values: [data.organization, "parameter_updated", JSON.stringify(data)],
                }),
            };
          }),
          contestant(OURS, async (pool) => {
            const storage = postgresStorage({ pool });
            await storage.migrate();
            const bus = createEventBus({ catalog, storage, handlers: [] });
            return {
              add: (client, data) =>
                bus.publish("parameter_updated", data, {
                  organization: data.organization,
                  tx: pgTransaction(client, { prepare: true }),
                }),
              end: async () => {
                await bus.stop();
                await storage.close();
              },
            };
          }),
        ],
        targets: [
          {
            says: `publish({ tx }) ≥ 0.95 × ${BY_HAND}`,
            value: ratio(OURS, BY_HAND),
            atLeast: 0.95,
          },
        ],
      },
    ];
  },
};
