import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Peer } from "./peer.ts";

const QUEUE = "bench";

export const bullmq: Peer = {
  name: "BullMQ on Redis",
  on: "redis",
  settings: "removeOnComplete, no metrics, one worker",
  open: async (place) => {
    const url = new URL(place);
    const prefix = url.searchParams.get("keyPrefix") ?? "bench";
    url.search = "";
    const connect = (): Redis => new Redis(url.href, { maxRetriesPerRequest: null });
    const connections = [connect()];
    const [connection] = connections as [Redis];
    const defaultJobOptions = { removeOnComplete: true };
    const queue = new Queue(QUEUE, { connection, prefix, defaultJobOptions });
    await queue.waitUntilReady();
    return {
      enqueue: (data) => queue.add("job", data),
      enqueueMany: (all) => queue.addBulk(all.map((data) => ({ name: "job", data }))),
      work: async ({ concurrency, handle, onDone }) => {
        const own = connect();
        connections.push(own);
        const worker = new Worker(
          QUEUE,
          async ({ data }) => {
            await handle(JSON.stringify(data));
            onDone(1);
          },
          { connection: own, prefix, concurrency },
        );
        await worker.waitUntilReady();
        return () => worker.close();
      },
      close: async () => {
        await queue.close();
        for (const each of connections) each.disconnect();
      },
    };
  },
};
