import { Logger, makeWorkerUtils, type Runner, run, type WorkerUtils } from "graphile-worker";
import pg from "pg";
import type { Peer } from "./peer.ts";

const TASK = "bench";
const silent = new Logger(() => () => {});

/** Its documentation advises localQueue and completeJobBatchDelay for throughput. */
export const graphileWorker: Peer = {
  name: "graphile-worker",
  on: "postgres",
  settings:
    "localQueue 500 (or concurrency, if that is more), completeJobBatchDelay 0, failJobBatchDelay 0, pool 10; for latency without localQueue and batches",
  open: async (connectionString) => {
    const pgPool = new pg.Pool({ connectionString, max: 10 });
    pgPool.on("error", console.error);
    pgPool.on("connect", (client) => void client.on("error", console.error));
    const utils: WorkerUtils = await makeWorkerUtils({ pgPool, logger: silent });
    await utils.migrate();
    return {
      enqueue: (data) => utils.addJob(TASK, data),
      enqueueMany: (all) => utils.addJobs(all.map((payload) => ({ identifier: TASK, payload }))),
      work: async ({ aim, concurrency, handle, onDone }) => {
        const isBatched = aim === "throughput";
        const runner: Runner = await run({
          pgPool,
          logger: silent,
          noHandleSignals: true,
          preset: {
            worker: {
              concurrentJobs: concurrency,
              maxPoolSize: 10,
              ...(isBatched && {
                localQueue: { size: Math.max(500, concurrency) },
                completeJobBatchDelay: 0,
                failJobBatchDelay: 0,
              }),
            },
          },
          taskList: {
            [TASK]: async (payload) => {
              await handle(JSON.stringify(payload));
              onDone(1);
            },
          },
        });
        return () => runner.stop();
      },
      close: async () => {
        await utils.release();
        await pgPool.end();
      },
    };
  },
};
