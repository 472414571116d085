import { someData } from "../event.ts";
import type { Ground } from "../ground.ts";
import { bullmq } from "../peers/bullmq.ts";
import { graphileWorker } from "../peers/graphile-worker.ts";
import type { Peer } from "../peers/peer.ts";
import { pgBoss } from "../peers/pg-boss.ts";
import {
  posthornMemory,
  posthornPostgres,
  posthornSqliteFull,
  posthornSqliteNormal,
} from "../peers/posthorn.ts";
import { rawPostgres } from "../peers/raw-postgres.ts";
import { rawSqlite } from "../peers/raw-sqlite.ts";
import { chunks, inFlight, inPlace, present, rate } from "../play.ts";
import { type Contest, type Contestant, ratio, type Workload } from "../workload.ts";

const onServers = [rawPostgres, posthornPostgres, pgBoss, graphileWorker, bullmq];
const embedded = [
  rawSqlite("NORMAL"),
  rawSqlite("FULL"),
  posthornSqliteNormal,
  posthornSqliteFull,
  posthornMemory,
];

const AT_ONCE = 10;
const BATCH = 500;

export const publish: Workload = {
  name: "publish",
  about: "publish one at a time, 10 in flight",
  contests: (ground, size) => {
    const contestant = (peer: Peer): Contestant => ({
      name: peer.name,
      note: peer.settings,
      run: () =>
        inPlace(ground, peer, async ({ enqueue }) => {
          const all = someData(size.of(10_000, 200));
          await inFlight(all.slice(0, size.of(500, 20)), AT_ONCE, enqueue);
          return [await rate(all.length, () => inFlight(all, AT_ONCE, enqueue))];
        }),
    });
    return bothKinds(ground, "publish, 10 in flight", contestant, {
      [rawPostgres.name]: 1.5,
      [pgBoss.name]: 6,
    });
  },
};

export const publishMany: Workload = {
  name: "publish-many",
  about: "publishMany by 500, 1 and 4 callers",
  contests: (ground, size) =>
    [1, 4].flatMap((callers) => {
      const contestant = (peer: Peer): Contestant => ({
        name: peer.name,
        note: peer.settings,
        run: () =>
          inPlace(ground, peer, async ({ enqueueMany }) => {
            const all = someData(size.of(40_000, 2_000));
            const batches = chunks(all, BATCH);
            await enqueueMany(batches[0] ?? []);
            return [await rate(all.length, () => inFlight(batches, callers, enqueueMany))];
          }),
      });
      const title = `publishMany by 500, ${callers === 1 ? "1 caller" : `${callers} callers`}`;
      return bothKinds(ground, title, contestant, {
        [rawPostgres.name]: 0.8,
        [pgBoss.name]: 1,
        [graphileWorker.name]: 1,
      });
    }),
};

/** One table for what uses a server, and one for what is in the process. */
function bothKinds(
  ground: Ground,
  title: string,
  contestant: (peer: Peer) => Contestant,
  targets: { readonly [baseline: string]: number },
): readonly Contest[] {
  const shape = { columns: ["events/s"], better: "more" } as const;
  return [
    {
      ...shape,
      title: `${title}: servers`,
      baseline: rawPostgres.name,
      rows: present(ground, onServers).map(contestant),
      targets: Object.entries(targets).map(([baseline, atLeast]) => ({
        says: `Posthorn on PostgreSQL ≥ ${atLeast} × ${baseline}`,
        value: ratio(posthornPostgres.name, baseline),
        atLeast,
      })),
    },
    {
      ...shape,
      title: `${title}: embedded`,
      baseline: rawSqlite("FULL").name,
      rows: embedded.map(contestant),
    },
  ];
}
