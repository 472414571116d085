import { setTimeout as sleep } from "node:timers/promises";
import { someData } from "../event.ts";
import { percentile } from "../figures.ts";
import { bullmq } from "../peers/bullmq.ts";
import { graphileWorker } from "../peers/graphile-worker.ts";
import { pgBossNotify } from "../peers/pg-boss.ts";
import {
  posthornMemory,
  posthornPostgres,
  posthornSqliteFull,
  posthornSqliteNormal,
} from "../peers/posthorn.ts";
import { rawPostgres } from "../peers/raw-postgres.ts";
import { countdown, inPlace, present } from "../play.ts";
import { ratio, type Target, type Workload } from "../workload.ts";

const contestants = [
  rawPostgres,
  posthornPostgres,
  posthornSqliteNormal,
  posthornSqliteFull,
  posthornMemory,
  pgBossNotify,
  graphileWorker,
  bullmq,
];

const atMostMs = (row: string, atMost: number): Target => ({
  says: `${row}, p50 ≤ ${atMost} ms`,
  value: (of) => of(row),
  atMost,
});

const below = (peer: string): Target => ({
  says: `Posthorn on PostgreSQL, p50 below ${peer}`,
  value: ratio(posthornPostgres.name, peer),
  atMost: 1,
});

export const latency: Workload = {
  name: "latency",
  about: "from publish to the start of the handler, idle: p50 and p99",
  contests: (ground, size) => [
    {
      title: "idle latency, publish to handler start",
      columns: ["p50 ms", "p99 ms"],
      better: "less",
      baseline: rawPostgres.name,
      rows: present(ground, contestants).map((peer) => ({
        name: peer.name,
        note: peer.settings,
        run: () =>
          inPlace(ground, peer, async (opened) => {
            const samples = size.of(300, 20);
            const warmUps = size.of(20, 2);
            const all = someData(warmUps + samples);
            const waits: number[] = [];
            const { over, done } = countdown(all.length);
            let begun = 0;
            let heard = (): void => {};
            const stop = await opened.work({
              aim: "latency",
              concurrency: 10,
              handle: () => {
                waits.push(performance.now() - begun);
                heard();
                return undefined;
              },
              onDone: done,
            });
            await sleep(100);
            for (const data of all) {
              const hearing = new Promise<void>((resolve) => {
                heard = resolve;
              });
              begun = performance.now();
              await Promise.all([opened.enqueue(data), hearing]);
              await sleep(5 + Math.random() * 20);
            }
            await over;
            await stop();
            await opened.check?.(all.length);
            const measured = waits.slice(warmUps);
            return [percentile(measured, 0.5), percentile(measured, 0.99)];
          }),
      })),
      targets: [
        atMostMs(posthornMemory.name, 0.3),
        atMostMs(posthornSqliteNormal.name, 0.6),
        atMostMs(posthornSqliteFull.name, 0.6),
        {
          says: "Posthorn on PostgreSQL, p50 ≤ 1.3 × raw PostgreSQL",
          value: ratio(posthornPostgres.name, rawPostgres.name),
          atMost: 1.3,
        },
        ...[pgBossNotify, graphileWorker].map(({ name }) => below(name)),
      ],
    },
  ],
};
