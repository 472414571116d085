import pg from "pg";
import type { Data } from "../event.ts";
import type { Opened, Peer, Work } from "./peer.ts";

/** What can be written by hand: the limit for all that use PostgreSQL. Nothing is kept, retried or routed. */
export const rawPostgres: Peer = {
  name: "raw PostgreSQL",
  on: "postgres",
  settings:
    "prepared INSERT; INSERT … SELECT unnest; SKIP LOCKED 500 and batch DELETE, 2 pollers; pool 10",
  open: async (connectionString): Promise<Opened> => {
    const pool = new pg.Pool({ connectionString, max: 10 });
    await pool.query(
      "create table if not exists job (id bigint generated always as identity primary key, organization text not null, payload text not null)",
    );
    let wake = (): void => {};

    async function take(max: number, { handle, onDone }: Work): Promise<boolean> {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const { rows } = await client.query<{ id: string; payload: string }>({
          name: "take",
          text: "select id, payload from job order by id limit $1 for update skip locked",
          values: [max],
        });
        await Promise.all(rows.map(({ payload }) => handle(payload)));
        if (rows.length > 0) {
          const values = [rows.map(({ id }) => id)];
          await client.query({
            name: "done",
            text: "delete from job where id = any($1::bigint[])",
            values,
          });
        }
        await client.query("commit");
        if (rows.length > 0) onDone(rows.length);
        return rows.length > 0;
      } finally {
        client.release();
      }
    }

    return {
      enqueue: async ({ organization, value }: Data) => {
        await pool.query({
          name: "put",
          text: "insert into job (organization, payload) values ($1, $2)",
          values: [organization, JSON.stringify({ organization, value })],
        });
        wake();
      },
      enqueueMany: (all) =>
        pool.query({
          name: "put many",
          text: "insert into job (organization, payload) select * from unnest($1::text[], $2::text[])",
          values: [
            all.map(({ organization }) => organization),
            all.map((data) => JSON.stringify(data)),
          ],
        }),
      work: async (work) => {
        let isOver = false;
        const [pollers, max] = work.aim === "latency" ? [1, 10] : [2, 500];
        const poll = async (): Promise<void> => {
          while (!isOver) {
            if (await take(max, work)) continue;
            await new Promise<void>((resolve) => {
              wake = resolve;
              setTimeout(resolve, 50);
            });
          }
        };
        const polling = Array.from({ length: pollers }, poll);
        return async () => {
          isOver = true;
          wake();
          await Promise.all(polling);
        };
      },
      close: () => pool.end(),
    };
  },
};
