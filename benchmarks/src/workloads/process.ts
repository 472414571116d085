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
import { rawRecord } from "../peers/raw-record.ts";
import { rawSqlite } from "../peers/raw-sqlite.ts";
import { chunks, countdown, drained, inFlight, inPlace, present, rate } from "../play.ts";
import { hire } from "../processes/hire.ts";
import { type Contest, ratio, type Workload } from "../workload.ts";

const servers: readonly (readonly [Peer, number])[] = [
  [rawPostgres, 1_000],
  [rawRecord, 1_000],
  [posthornPostgres, 2_000],
  [pgBoss, 4_000],
  [graphileWorker, 24],
  [bullmq, 100],
];
const embedded: readonly (readonly [Peer, number])[] = [
  [rawSqlite("NORMAL"), 500],
  [rawSqlite("FULL"), 500],
  [posthornSqliteNormal, 2_000],
  [posthornSqliteFull, 2_000],
  [posthornMemory, 2_000],
];

export const processing: Workload = {
  name: "process",
  about: "publish, route, a handler that does nothing, settled: by 1 and 2 processes",
  contests: (ground, size) => {
    const few = size.of(20_000, 500);
    const many = size.of(100_000, 500);
    const one = (title: string, waiting: number): Contest => ({
      title: `${title}, 1 process`,
      columns: ["jobs/s"],
      better: "more",
      baseline: rawPostgres.name,
      rows: rowsOf(ground, servers, waiting, alone),
      targets: [
        [rawPostgres, 0.75] as const,
        [graphileWorker, 1.1] as const,
        [pgBoss, 1.7] as const,
      ].map(([{ name }, atLeast]) => ({
        says: `Posthorn on PostgreSQL ≥ ${atLeast} × ${name}`,
        value: ratio(posthornPostgres.name, name),
        atLeast,
      })),
    });
    const most = (waiting: string): string => `process ${waiting} to settled: servers`;
    return [
      one(most(few.toLocaleString("en-US")), few),
      {
        title: `process ${few.toLocaleString("en-US")} to settled: embedded`,
        columns: ["jobs/s"],
        better: "more",
        baseline: rawSqlite("FULL").name,
        rows: rowsOf(ground, embedded, few, alone),
        targets: [
          [posthornSqliteNormal, rawSqlite("NORMAL")] as const,
          [posthornSqliteFull, rawSqlite("FULL")] as const,
        ].map(([{ name }, raw]) => ({
          says: `${name} ≥ 0.6 × ${raw.name}`,
          value: ratio(name, raw.name),
          atLeast: 0.6,
        })),
      },
      ...(size.quick ? [] : [{ ...one(most(many.toLocaleString("en-US")), many), rounds: 3 }]),
      {
        title: `${most(few.toLocaleString("en-US"))}, 2 processes`,
        columns: ["jobs/s"],
        better: "more",
        baseline: rawPostgres.name,
        rows: rowsOf(ground, servers, few, together),
      },
    ];
  },
};

type Run = (ground: Ground, peer: Peer, concurrency: number, waiting: number) => Promise<number>;

const rowsOf = (
  ground: Ground,
  peers: readonly (readonly [Peer, number])[],
  waiting: number,
  run: Run,
): Contest["rows"] => {
  const here = present(
    ground,
    peers.map(([peer]) => peer),
  );
  return peers
    .filter(([peer]) => here.includes(peer))
    .map(([peer, concurrency]) => ({
      name: peer.name,
      note: `concurrency ${concurrency}; ${peer.settings}`,
      run: async () => [await run(ground, peer, concurrency, waiting)],
    }));
};

const alone: Run = (ground, peer, concurrency, waiting) =>
  drained(ground, peer, waiting, { concurrency, handle: () => undefined });

const together: Run = (ground, peer, concurrency, waiting) =>
  inPlace(ground, peer, async (opened, place) => {
    await inFlight(chunks(someData(waiting), 500), 2, opened.enqueueMany);
    await place.rest();
    const { over, done } = countdown(waiting);
    const hands = await Promise.all(
      [1, 2].map(() => hire({ peer: peer.name, at: place.at, concurrency }, done)),
    );
    const perSecond = await rate(waiting, async () => {
      for (const hand of hands) hand.begin();
      await over;
    });
    await Promise.all(hands.map((hand) => hand.dismiss()));
    await opened.check?.(waiting);
    return perSecond;
  });
