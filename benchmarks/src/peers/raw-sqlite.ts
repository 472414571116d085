import { DatabaseSync } from "node:sqlite";
import type { Peer } from "./peer.ts";

/** What can be written by hand: the limit for all that use SQLite. Nothing is kept, retried or routed. */
export const rawSqlite = (synchronous: "NORMAL" | "FULL"): Peer => ({
  name: `raw SQLite ${synchronous}`,
  on: "sqlite",
  settings: `node:sqlite, WAL, synchronous=${synchronous}, BEGIN IMMEDIATE, by 500`,
  open: async (file) => {
    const database = new DatabaseSync(file);
    database.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}`);
    database.exec(
      "create table if not exists job (id integer primary key, organization text not null, payload text not null) strict",
    );
    const put = database.prepare("insert into job (organization, payload) values (?, ?)");
    const take = database.prepare("select id, payload from job order by id limit 500");
    const done = database.prepare("delete from job where id = ?");
    let wake = (): void => {};
    return {
      enqueue: async (data) => {
        put.run(data.organization, JSON.stringify(data));
        wake();
      },
      enqueueMany: async (all) => {
        database.exec("begin immediate");
        for (const data of all) put.run(data.organization, JSON.stringify(data));
        database.exec("commit");
      },
      work: async ({ handle, onDone }) => {
        let isOver = false;
        const poll = async (): Promise<void> => {
          while (!isOver) {
            const jobs = take.all() as { id: number; payload: string }[];
            if (jobs.length === 0) {
              await new Promise<void>((resolve) => {
                wake = resolve;
                setTimeout(resolve, 50);
              });
              continue;
            }
            await Promise.all(jobs.map(({ payload }) => handle(payload)));
            database.exec("begin immediate");
            for (const { id } of jobs) done.run(id);
            database.exec("commit");
            onDone(jobs.length);
          }
        };
        const polling = poll();
        return async () => {
          isOver = true;
          wake();
          await polling;
        };
      },
      close: async () => database.close(),
    };
  },
});
