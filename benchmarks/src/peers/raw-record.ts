import { nodeSystem, uuidv7 } from "@posthorn/core";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import pg from "pg";
import type { Data } from "../event.ts";
import type { Opened, Peer, Work } from "./peer.ts";

const AT_ONCE = 500;
const DELIVERED = 1;
const LEASE_MS = 60_000;

/**
 * The limit for all that keeps what Posthorn keeps: the same rows in the same tables, written by hand
 * in as few statements as there can be. Nothing is retried, limited or put in order; who is owed an
 * event is known beforehand.
 */
export const rawRecord: Peer = {
  name: "raw PostgreSQL, same record",
  on: "postgres",
  settings:
    "Posthorn's tables; by 500: begun in one transaction of 2 statements, ended in one statement, 2 pollers; pool 10",
  open: async (connectionString): Promise<Opened> => {
    const pool = new pg.Pool({ connectionString, max: 10 });
    const storage = postgresStorage({ pool });
    await storage.migrate();
    const id = uuidv7(nodeSystem());

    const append = (all: readonly Data[]): Promise<unknown> =>
      pool.query({
        name: "append",
        text: `with e as (insert into posthorn.events (id, organization, type, occurred_at, published_at, payload, announced)
          select id, organization, 'parameter_updated', $4, $4, payload, 1 from unnest($1::text[], $2::text[], $3::text[]) r (id, organization, payload)
          returning id, organization)
          insert into posthorn.unrouted (event_id, organization) select id, organization from e order by id`,
        values: [
          all.map(() => id()),
          all.map(({ organization }) => organization),
          all.map((data) => JSON.stringify(data)),
          Date.now(),
        ],
      });

    /** Takes events, and writes down that their deliveries are on their way. */
    async function begin(token: string): Promise<readonly Begun[]> {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const { rows } = await client.query<Omit<Begun, "deliveryId">>({
          name: "take",
          text: `select u.position, u.organization, e.id, e.payload from (select * from posthorn.unrouted where not_before <= $1 order by position limit $2 for update skip locked) u
            join posthorn.events e on e.id = u.event_id`,
          values: [Date.now(), AT_ONCE],
        });
        const begun = rows.map((row) => ({ ...row, deliveryId: id() }));
        if (begun.length > 0) {
          await client.query({
            name: "begin",
            text: `with d as (insert into posthorn.deliveries (id, organization, event_id, event_type, subscription_id, handler_type, status, attempts, throttles, lapses, token, created_at)
              select id, organization, event_id, 'parameter_updated', organization, 'job', 0, 0, 0, 0, $4, $5 from unnest($1::text[], $2::text[], $3::text[]) r (id, organization, event_id)
              returning token, id, subscription_id),
              f as (insert into posthorn.flights (token, delivery_id, subscription_id) select * from d),
              l as (insert into posthorn.leases (token, lease_until) values ($4, $5 + ${LEASE_MS}))
              delete from posthorn.unrouted where position = any ($6::bigint[])`,
            values: [
              begun.map(({ deliveryId }) => deliveryId),
              begun.map(({ organization }) => organization),
              begun.map((row) => row.id),
              token,
              Date.now(),
              begun.map(({ position }) => position),
            ],
          });
        }
        await client.query("commit");
        return begun;
      } finally {
        client.release();
      }
    }

    /** Writes down that they have arrived, with the attempt of each. */
    const end = (token: string, begun: readonly Begun[]): Promise<unknown> =>
      pool.query({
        name: "end",
        text: `with d as (update posthorn.deliveries set status = ${DELIVERED}, attempts = 1, token = null, completed_at = $3 where id = any ($1::text[]) and token = $2 returning id),
          f as (delete from posthorn.flights where token = $2),
          l as (delete from posthorn.leases where token = $2)
          insert into posthorn.attempts (delivery_id, token, started_at, duration_ms, outcome, counted, late, details, together) select id, $2, $3, 1, 'delivered', 1, 0, 'null', 1 from d`,
        values: [begun.map(({ deliveryId }) => deliveryId), token, Date.now()],
      });

    return {
      enqueue: (data) => append([data]),
      enqueueMany: append,
      work: async ({ handle, onDone }: Work) => {
        let isOver = false;
        const poll = async (): Promise<void> => {
          while (!isOver) {
            const token = id();
            const begun = await begin(token);
            if (begun.length === 0) {
              await new Promise((resolve) => setTimeout(resolve, 50));
              continue;
            }
            await Promise.all(begun.map(({ payload }) => handle(payload)));
            await end(token, begun);
            onDone(begun.length);
          }
        };
        const polling = [poll(), poll()];
        return async () => {
          isOver = true;
          await Promise.all(polling);
        };
      },
      check: async (count) => {
        const { rows } = await pool.query(
          `select (select count(*) from posthorn.deliveries where status = ${DELIVERED})::integer as delivered, (select count(*) from posthorn.attempts)::integer as attempts`,
        );
        if (rows[0]?.delivered === count && rows[0]?.attempts === count) return;
        throw new Error(`Of ${count} jobs, ${JSON.stringify(rows[0])} are written down.`);
      },
      close: async () => {
        await storage.close();
        await pool.end();
      },
    };
  },
};

interface Begun {
  readonly position: string;
  readonly organization: string;
  readonly id: string;
  readonly payload: string;
  readonly deliveryId: string;
}
