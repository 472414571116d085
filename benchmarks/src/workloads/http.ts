import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { someData } from "../event.ts";
import type { Ground } from "../ground.ts";
import { fetcher, type Sender, sender, webhook } from "../http-post.ts";
import { bullmq } from "../peers/bullmq.ts";
import { graphileWorker } from "../peers/graphile-worker.ts";
import type { Peer } from "../peers/peer.ts";
import { pgBoss } from "../peers/pg-boss.ts";
import { posthornMemory, posthornPostgres, posthornSqliteFull } from "../peers/posthorn.ts";
import { drained, inFlight, present, rate } from "../play.ts";
import { type Contest, ratio, type Size, type Target, type Workload } from "../workload.ts";

const BARE = "bare undici.request";
const ours = [posthornMemory, posthornSqliteFull, posthornPostgres];
const others = [pgBoss, graphileWorker, bullmq];

interface Course {
  readonly delayMs: number;
  readonly concurrency: number;
  readonly count: number;
  readonly isQuick: boolean;
}

export const http: Workload = {
  name: "http",
  about:
    "a signed POST for each event, to receivers that answer at once, after 50 ms, and after 1 s",
  contests: (ground, size) => {
    const courses: readonly Course[] = [
      { delayMs: 0, concurrency: 50, count: size.of(10_000, 300), isQuick: size.quick },
      { delayMs: 0, concurrency: 100, count: size.of(10_000, 300), isQuick: size.quick },
      { delayMs: 50, concurrency: 1_000, count: size.of(20_000, 1_000), isQuick: size.quick },
      { delayMs: 1_000, concurrency: 1_000, count: size.of(5_000, 300), isQuick: size.quick },
    ];
    return courses.map((course) => contestOf(ground, course, size));
  },
};

function contestOf(ground: Ground, course: Course, size: Size): Contest {
  const { delayMs, concurrency, count } = course;
  const wait = delayMs === 0 ? "at once" : `after ${delayMs} ms`;
  return {
    title: `signed HTTP, ${concurrency} at once, answered ${wait}`,
    columns: ["requests/s"],
    better: "more",
    baseline: BARE,
    ...(delayMs === 1_000 && { rounds: size.of(2, 1) }),
    rows: [
      {
        name: BARE,
        note: "an Agent with as many connections; no storage, nothing kept",
        run: async () => [
          await withReceiver(course, async (url, secret) => {
            const { send, close } = sender(url, secret, concurrency);
            const payloads = someData(count).map((data) => JSON.stringify(data));
            const perSecond = await rate(count, () => inFlight(payloads, concurrency, send));
            await close();
            return perSecond;
          }),
        ],
      },
      ...present(ground, [...ours, ...others]).map((peer) => {
        const isOurs = ours.includes(peer);
        return {
          name: peer.name,
          note: `${isOurs ? "handler-http, guard and signature on" : "fetch"}; ${peer.settings}`,
          run: async () => [
            await withReceiver(course, (url, secret) =>
              delivering(
                ground,
                peer,
                course,
                isOurs ? webhook(url, secret, concurrency) : fetcher(url, secret),
              ),
            ),
          ],
        };
      }),
    ],
    targets: delayMs === 0 ? endToEnd : delayMs === 50 ? slowReceivers : [],
  };
}

const endToEnd: readonly Target[] = [
  ...[
    [posthornMemory, 0.85] as const,
    [posthornSqliteFull, 0.7] as const,
    [posthornPostgres, 0.6] as const,
  ].map(([{ name }, atLeast]) => ({
    says: `${name} ≥ ${atLeast} × ${BARE}`,
    value: ratio(name, BARE),
    atLeast,
  })),
  ...others.map(({ name }) => ({
    says: `${posthornPostgres.name} ≥ 2.5 × ${name} with fetch`,
    value: ratio(posthornPostgres.name, name),
    atLeast: 2.5,
  })),
];

const slowReceivers: readonly Target[] = ours.map(({ name }) => ({
  says: `${name} ≥ 0.8 × min(${BARE}, 20,000/s)`,
  value: (of) => of(name) / Math.min(of(BARE), 20_000),
  atLeast: 0.8,
}));

async function delivering(
  ground: Ground,
  peer: Peer,
  { count, concurrency }: Course,
  { send, close }: Sender,
): Promise<number> {
  try {
    return await drained(ground, peer, count, { concurrency, handle: send });
  } finally {
    await close();
  }
}

/** Plays with a receiver in another process, which must have received every request once. */
async function withReceiver(
  { delayMs, count, isQuick }: Course,
  play: (url: string, secret: string) => Promise<number>,
): Promise<number> {
  const secret = randomBytes(24).toString("base64");
  const receiver = fork(join(import.meta.dirname, "../processes/receiver.ts"), [
    String(delayMs),
    ...(isQuick ? [secret] : []),
  ]);
  const exit = once(receiver, "exit");
  try {
    const [{ port }] = await once(receiver, "message");
    const figure = await play(`http://127.0.0.1:${port}/`, secret);
    receiver.send("how many?");
    const [{ received, forged }] = await once(receiver, "message");
    if (received !== count || forged > 0) {
      throw new Error(`${count} were sent; ${received} arrived, ${forged} of them badly signed.`);
    }
    return figure;
  } finally {
    receiver.disconnect();
    await exit;
  }
}
