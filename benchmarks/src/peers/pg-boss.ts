import { PgBoss } from "pg-boss";
import type { Peer } from "./peer.ts";

const QUEUE = "bench";

/**
 * Its documentation advises batches and burst mode for throughput, and notify for latency. Neither
 * supervision nor schedules run meanwhile.
 */
const pgBossWith = (name: string, notify: boolean, settings: string): Peer => ({
  name,
  on: "postgres",
  settings,
  open: async (connectionString) => {
    const boss = new PgBoss({
      connectionString,
      max: 10,
      supervise: false,
      schedule: false,
      useListenNotify: notify,
    });
    boss.on("error", console.error);
    await boss.start();
    await boss.createQueue(QUEUE, { notify });
    return {
      enqueue: (data) => boss.send(QUEUE, data),
      enqueueMany: (all) =>
        boss.insert(
          QUEUE,
          all.map((data) => ({ data })),
        ),
      work: async ({ aim, concurrency, handle, onDone }) => {
        const localConcurrency = aim === "latency" ? 1 : Math.min(4, concurrency);
        const batchSize = aim === "latency" ? 1 : Math.ceil(concurrency / localConcurrency);
        const pollingIntervalSeconds = 0.5;
        await boss.work<object>(
          QUEUE,
          {
            batchSize,
            localConcurrency,
            pollingIntervalSeconds,
            burstWhenBatchFull: batchSize > 1,
          },
          async (jobs) => {
            await Promise.all(jobs.map(({ data }) => handle(JSON.stringify(data))));
            onDone(jobs.length);
          },
        );
        return () => boss.offWork(QUEUE);
      },
      close: () => boss.stop({ graceful: true, timeout: 10_000 }),
    };
  },
});

export const pgBoss = pgBossWith(
  "pg-boss",
  false,
  "batchSize = concurrency / 4, localConcurrency 4, burstWhenBatchFull, pollingIntervalSeconds 0.5, supervise off, pool 10",
);
export const pgBossNotify = pgBossWith(
  "pg-boss, notify",
  true,
  "useListenNotify, a notify queue, batchSize 1",
);
